import { Writable } from 'node:stream'
import { cpuMsOf } from '@arq-ts/test-support'
import { afterEach, describe, expect, expectTypeOf, test, vi } from 'vitest'
import { pino } from 'pino'
import { createLogger } from '../../src/index.ts'
import type { Logger, LoggerOptions } from '../../src/index.ts'
import { maskSecrets } from '../../src/logging/secrets.ts'

/** Output for these entries; `terminal` makes the destination one. */
function written(log: (logger: Logger) => void, options: LoggerOptions & { terminal?: boolean } = {}): string {
  let text = ''
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString()
      done()
    },
  })
  const { terminal = false, ...rest } = options
  log(createLogger({ destination: Object.assign(destination, { isTTY: terminal }), ...rest }))
  return text
}

const escapeCode = '\x1B['

describe('a logger', () => {
  afterEach(() => vi.unstubAllEnvs())

  test('writes readable lines on a terminal, JSON elsewhere, or as configured', () => {
    vi.stubEnv('NO_COLOR', '1')
    vi.stubEnv('FORCE_COLOR', '')
    const hello = (log: Logger) => log.info('hello')
    expect(written(hello)).toMatch(/^\{.*"msg":"hello"\}\n$/)
    expect(written(hello, { terminal: true })).toMatch(/^\[\d\d:\d\d:\d\d\] INFO: hello\n$/)
    expect(written(hello, { pretty: true })).toMatch(/INFO: hello\n$/)
    expect(written(hello, { pretty: false, terminal: true })).toMatch(/^\{/)
  })

  test('colours a terminal unless NO_COLOR forbids it, and else when FORCE_COLOR asks', () => {
    const coloured = (options: LoggerOptions & { terminal?: boolean }) =>
      written((log) => log.info('hello'), { pretty: true, ...options }).includes(escapeCode)
    vi.stubEnv('NO_COLOR', '')
    vi.stubEnv('FORCE_COLOR', '')
    expect([coloured({ terminal: true }), coloured({})]).toEqual([true, false])
    vi.stubEnv('NO_COLOR', '1')
    expect(coloured({ terminal: true })).toBe(false)
    vi.stubEnv('FORCE_COLOR', '1')
    expect(coloured({})).toBe(true)
    vi.stubEnv('FORCE_COLOR', '0')
    expect(coloured({ terminal: true })).toBe(false)
  })

  test('writes from its level on, and its name', () => {
    const some = (log: Logger) => {
      log.debug('fine')
      log.error('bad')
    }
    expect(written(some, { level: 'error', name: 'mailer' })).toMatch(/^\{[^\n]*"name":"mailer"[^\n]*"bad"\}\n$/)
    expect(written(some, { level: 'silent' })).toBe('')
  })

  test('lets nothing that is logged move the cursor of a terminal', () => {
    const text = written((log) => log.info(`a${escapeCode}2Jb\rc`), { pretty: true })
    expect(text).toMatch(/a\[2Jbc\n$/)
  })

  test('logs an error with its causes, and none of its other fields', () => {
    const cause = new Error('inner')
    const error = Object.assign(new TypeError('outer', { cause }), { code: 'E_X', options: { password: 'secret' } })
    const { err } = JSON.parse(written((log) => log.error({ err: error }, 'x'))) as { err: Record<string, string> }
    expect(err).toEqual({ type: 'TypeError', message: 'outer', code: 'E_X', stack: expect.any(String) as string })
    expect(err.stack).toMatch(/^TypeError: outer\n[^]*\ncaused by: Error: inner\n/)
  })

  test('survives errors that cannot be read, that turn in circles, and that are megabytes', () => {
    const circle = new Error('circle')
    circle.cause = circle
    const trap = new Error('trap')
    Object.defineProperty(trap, 'message', {
      get: () => {
        throw new Error('no')
      },
    })
    const text = written((log) => {
      log.error({ err: circle }, 'first')
      log.error({ err: trap }, 'second')
      log.error({ err: new Error('x'.repeat(1_000_000)) }, 'third')
    })
    expect(text.match(/first|second|third/g)).toHaveLength(3)
    expect(text.length).toBeLessThan(100_000)
  })

  test('may be pino itself', () => {
    expectTypeOf(pino()).toExtend<Logger>()
  })
})

describe('passwords of URLs', () => {
  test.each([
    ['redis://user:secret@host:6379/1', 'redis://user:***@host:6379/1'],
    ['rediss://:secret@host', 'rediss://:***@host'],
    ['redis://user:s@e/c#r?t@host', 'redis://user:***@host'],
    ['redis://host/1?password=secret&family=6', 'redis://host/1?password=***&family=6'],
    ['redis://host?sentinelPassword=secret', 'redis://host?sentinelPassword=***'],
    ['a redis://u:p@h and amqp://u:p@h', 'a redis://u:***@h and amqp://u:***@h'],
    ['{"url":"http://host:80/","mail":"me@host"}', '{"url":"http://host:80/","mail":"me@host"}'],
    ['redis://host:6379/1, write to me@host', 'redis://host:6379/1, write to me@host'],
    ["redis://user:it's@host", 'redis://user:***@host'],
    ['nothing to hide', 'nothing to hide'],
  ])('are hidden: %s', (text, masked) => {
    expect(maskSecrets(text)).toBe(masked)
  })

  test('are hidden wherever they stand in a line, which stays what it was', () => {
    const url = 'redis://app:s"e\\cret@host'
    const log = (logger: Logger) => logger.info({ url, nested: { urls: [url] }, err: new Error(url) }, `at ${url}`)
    for (const pretty of [true, false]) expect(written(log, { pretty })).not.toMatch(/cret/)
    expect(JSON.parse(written(log))).toMatchObject({ msg: expect.stringContaining('redis://app:') as string })
  })

  test('take one pass through a long text to be found', () => {
    for (const text of [
      'a'.repeat(200_000),
      '://a:'.repeat(20_000),
      'http://'.repeat(20_000),
      `://u:${'p'.repeat(200_000)}`,
    ]) {
      expect(cpuMsOf(() => maskSecrets(text))).toBeLessThan(5_000)
    }
  })
})
