import { fileURLToPath } from 'node:url'
import { createContext, runInContext } from 'node:vm'
import { build } from 'esbuild'
import { beforeAll, describe, expect, test } from 'vitest'
import { RemoteError } from '../../src/errors.ts'
import { encodeResult } from '../../src/index.ts'
import * as here from '../support/browser-entry.ts'
import fixtures from './fixtures/cpython-pickles.json' with { type: 'json' }

type Program = typeof here

let browser: Program
let bundle: string

beforeAll(async () => {
  const built = await build({
    entryPoints: [fileURLToPath(new URL('../support/browser-entry.ts', import.meta.url))],
    bundle: true,
    platform: 'browser',
    format: 'iife',
    globalName: 'program',
    write: false,
    keepNames: true,
    logLevel: 'silent',
  })
  bundle = built.outputFiles[0]!.text
  // The globals of every browser, and none of Node.
  const context = createContext({ TextDecoder, TextEncoder })
  runInContext(bundle, context)
  browser = runInContext('program', context) as Program
}, 60_000)

/** Values of another realm are of other classes: compared as JSON. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

describe('the protocol without Node', () => {
  test('has no Buffer, no process and no module of Node', () => {
    expect(bundle).not.toMatch(/from ["']node:|require\(["']/)
  })

  test.each(fixtures)('$name of protocol $protocol: becomes the same as with Node', ({ base64 }) => {
    const payload = [...Buffer.from(base64, 'base64')]
    expect(plain(browser.travel(payload))).toEqual(plain(here.travel(payload)))
  })

  test.each(['pickle', 'msgpack', 'json'] as const)('writes the same %s as with Node', (codec) => {
    for (const text of [
      '',
      'abc',
      'é',
      '日本 😀',
      'x'.repeat(300),
      '😀'.repeat(20_000),
      'line\nbreak',
      codec === 'msgpack' ? '' : '\ud800',
    ]) {
      const written = browser.job(text, codec)
      expect(plain(written)).toEqual(here.job(text, codec))
      expect(plain(browser.travel(written))).toEqual(plain(here.travel(written)))
    }
  })

  test('refuses what Node refuses, in the same words', () => {
    for (const { base64 } of fixtures.filter((_, index) => index % 5 === 0)) {
      const whole = [...Buffer.from(base64, 'base64')]
      for (let length = 0; length < Math.min(whole.length, 200); length += 7) {
        const payload = whole.slice(0, length)
        expect(plain(browser.travel(payload))).toEqual(plain(here.travel(payload)))
      }
    }
  })

  test('reads a failure', () => {
    const error = new RemoteError('builtins.KeyError', ['é'])
    const fields = {
      jobTry: 1,
      functionName: 'f',
      args: [],
      kwargs: {},
      enqueueTimeMs: 1,
      startTimeMs: 1,
      finishTimeMs: 1,
    }
    for (const codec of ['pickle', 'msgpack', 'json'] as const) {
      const bytes = encodeResult({ ...fields, success: false, result: error, queueName: 'q', jobId: 'i' }, codec)
      expect(browser.failure([...bytes])).toBe("KeyError: 'é'")
    }
  })
})
