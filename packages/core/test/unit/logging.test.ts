import { Writable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { createLogger, RemoteError } from '../../src/index.ts'
import * as lines from '../../src/log-lines.ts'

describe('log lines', () => {
  test("are arq's", () => {
    const job = {
      queuedMs: 4,
      ref: 'id:f',
      args: ['a', 1, null, true],
      kwargs: { z: 1.5, b: [1] },
      jobTry: 1,
      delayedMs: 0,
    }
    expect(lines.started(job)).toBe("  0.00s → id:f('a', 1, None, True, b=[1], z=1.5)")
    expect(lines.started({ ...job, args: [], kwargs: {}, jobTry: 2, delayedMs: 1_201 })).toBe(
      '  0.00s → id:f() try=2 delayed=1.20s',
    )
    expect(lines.completed(100, 'id:f', 'done')).toBe("  0.10s ← id:f ● 'done'")
    expect(lines.retrying(0, 'id:f', 5_000)).toBe('  0.00s ↻ id:f retrying job in 5.00s')
    expect(lines.aborted(0, 'id:f')).toBe('  0.00s ⊘ id:f aborted')
    expect(lines.failed(0, 'id:f', new RemoteError('builtins.ValueError', ['bad']))).toBe(
      '  0.00s ! id:f failed, ValueError: bad',
    )
  })

  test('stay short, whatever the arguments', () => {
    const huge = 'x'.repeat(1_000_000)
    const deep: unknown[] = []
    deep.push(deep)
    const line = lines.started({
      queuedMs: 0,
      ref: 'f',
      args: [huge, deep, new Map([[huge, huge]]), new Uint8Array(1_000_000)],
      kwargs: {},
      jobTry: 1,
      delayedMs: 0,
    })
    expect(line.length).toBeLessThan(120)
    expect(lines.describeError(new Error(`${huge}\n  more`)).length).toBeLessThanOrEqual(1_000)
  })
})

describe('the logger', () => {
  function written(
    options: Parameters<typeof createLogger>[0],
    log: (logger: ReturnType<typeof createLogger>) => void,
  ): string {
    let text = ''
    const destination = new Writable({
      write(chunk: Buffer, _encoding, done) {
        text += chunk.toString()
        done()
      },
    })
    log(createLogger({ destination, ...options }))
    return text
  }

  test('writes JSON where nobody watches', () => {
    const entry = JSON.parse(written({}, (log) => log.info({ jobId: '1' }, 'hello'))) as object
    expect(entry).toMatchObject({ level: 30, jobId: '1', msg: 'hello' })
  })

  test('writes a line for each entry on a terminal, and the stack of an error', () => {
    const text = written({ pretty: true }, (log) => {
      log.info({ jobId: '1' }, 'first')
      log.error({ err: new Error('bad') }, 'second')
      log.info('third')
    })
    expect(text.split('\n').filter((line) => / (first|second|third)$/.test(line))).toHaveLength(3)
    expect(text).toContain('    at ')
  })

  test('never tells a password of a URL, nor the fields of an error', () => {
    const error = Object.assign(new Error('cannot reach redis://app:secret@host:6379/1'), {
      options: { password: 'secret' },
    })
    expect(written({}, (log) => log.error({ err: error }, 'down'))).not.toContain('secret')
    expect(written({ pretty: true }, (log) => log.error({ err: error }, 'down'))).not.toContain('secret')
  })
})
