import { expect, test } from 'vitest'
import { createLogger, RedisReplyError } from '../../src/index.ts'
import { sparingLog } from '../../src/logging/sparing-log.ts'
import { Writable } from 'node:stream'

/** A sparing log, its clock, and the lines it has written. */
function recorded() {
  const lines: string[] = []
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push((JSON.parse(String(chunk)) as { msg: string }).msg)
      done()
    },
  })
  let nowMs = 0
  const log = sparingLog(createLogger({ destination, pretty: false }), () => nowMs)
  return { log, lines, pass: (ms: number) => (nowMs += ms) }
}

test('logs an error that lasts when it begins, then once a minute with the number left out', () => {
  const { lines, log, pass } = recorded()
  for (let second = 0; second < 130; second++) {
    log.error({ err: new Error('broken') }, 'polling failed')
    pass(1_000)
  }
  const again = 'polling failed (and 59 times since the last such line)'
  expect(lines).toEqual(['polling failed', again, again])
})

test('logs other errors of the same service in between, and what is no error each time', () => {
  const { lines, log } = recorded()
  for (let i = 0; i < 2; i++) {
    log.error({ err: new Error('one') }, 'a')
    log.error({ err: new Error('two') }, 'a')
    log.warn({ err: new Error('one') }, 'b')
    log.warn({ lateMs: i }, 'late')
    log.warn('plain')
    log.info('info')
  }
  expect(lines).toEqual(['a', 'a', 'b', 'late', 'plain', 'info', 'late', 'plain', 'info'])
})

test('takes errors of many jobs with one reason from Redis for one', () => {
  const { lines, log } = recorded()
  for (let i = 0; i < 1_000; i++) log.error({ err: new RedisReplyError('WRONGTYPE at the key x') }, `job ${i} failed`)
  expect(lines).toEqual(['job 0 failed'])
})
