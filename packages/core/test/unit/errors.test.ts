import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import * as core from '../../src/index.ts'
import { ArqError, FailedJobsError, RemoteError, Retry } from '../../src/index.ts'

type Kind = new (...args: unknown[]) => ArqError

/** Every error there is, by its class name. */
const errors = Object.entries(core)
  .filter(([, value]) => typeof value === 'function' && value.prototype instanceof ArqError)
  .map(([name, kind]): [string, ArqError] => {
    const args: Record<string, unknown[]> = { ConfigError: [[]], FailedJobsError: [1, []], Retry: [] }
    return [name, new (kind as unknown as Kind)(...(args[name] ?? ['x']))]
  })

describe('an error', () => {
  test.each(errors)('%s has its name, and a code of its own', (name, error) => {
    expect(error).toBeInstanceOf(Error)
    expect(error.name).toBe(name)
    expect(error.code).toMatch(/^ARQ_[A-Z_]+$/)
    expect(errors.filter(([, other]) => other.code === error.code)).toHaveLength(1)
  })
})

describe('the reference page', () => {
  const page = readFileSync(new URL('../../../../docs/reference/errors.md', import.meta.url), 'utf8')
  const sections = page.split(/^## /m).slice(1)

  test('lists exactly the errors there are, in order', () => {
    const listed = sections.map((section) => /^`(ARQ_[A-Z_]+)`\n`(\w+)`\. /.exec(section)?.slice(1))
    expect(listed).toEqual(errors.map(([name, { code }]) => [code, name]).toSorted())
  })

  test.each(sections.map((section) => [section.slice(0, section.indexOf('\n')), section]))(
    'says what to do: %s',
    (_, section) => {
      expect(section).toContain('\n**Do:** ')
    },
  )
})

describe('a retry', () => {
  test("says so in arq's words", () => {
    expect(new Retry({ deferMs: 5_000 }).message).toBe('<Retry defer 5.00s>')
    expect(new Retry().message).toBe('<Retry defer 0.00s>')
  })

  test('has whole milliseconds, and keeps its cause', () => {
    const cause = new Error('busy')
    expect(new Retry({ deferMs: 1.6, cause })).toMatchObject({ deferMs: 2, cause })
    expect(Object.hasOwn(new Retry(), 'cause')).toBe(false)
  })
})

describe('a remote error', () => {
  test.each([
    ['builtins.ValueError', ['bad'], 'ValueError: bad', 'builtins'],
    ['app.errors.Outer', [], 'Outer', 'app.errors'],
    ['ValueError', [1, null], 'ValueError: 1, null', 'builtins'],
  ])('%s%j is told as %s', (pythonType, args, message, module) => {
    expect(new RemoteError(pythonType, args)).toMatchObject({ pythonType, args, message, module })
  })

  test('tells arguments that have no words', () => {
    expect(new RemoteError('builtins.ValueError', [Object.create(null)]).message).toBe('ValueError: object')
  })
})

test('failed jobs are counted, with their reasons', () => {
  expect(new FailedJobsError(1, ['x: bad']).message).toBe('1 job failed: x: bad')
  expect(new FailedJobsError(2, ['x: bad', 'y: worse'])).toMatchObject({
    count: 2,
    message: '2 jobs failed:\nx: bad\ny: worse',
  })
})
