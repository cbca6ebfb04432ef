import { pino } from 'pino'
import { expect, test, vi } from 'vitest'
import { hostileThrown } from '../../../protocol/test/support/hostile-thrown.ts'
import { guardedLogger } from '../../src/logging/guarded-logger.ts'

function recording() {
  const lines: { msg: string; err?: { message: string; stack: string } }[] = []
  const log = guardedLogger(pino({ level: 'trace' }, { write: (line: string) => void lines.push(JSON.parse(line)) }))
  return { lines, log }
}

test.each(Object.entries(hostileThrown))("writes a line of bounded length by a user's pino about %s", (_, make) => {
  const { lines, log } = recording()
  const err = make()
  log.error({ err, extra: err }, 'a line')
  expect(lines).toMatchObject([{ msg: 'a line' }])
  expect(JSON.stringify(lines).length).toBeLessThan(1_000_000)
})

test('leaves an error to the logger as it is where it has an end', () => {
  const { lines, log } = recording()
  const err = Object.assign(new Error('x', { cause: new TypeError('y') }), { code: 'E_X', details: { a: [1, 2] } })
  log.warn({ err, jobId: 'j' }, 'a line')
  expect(lines).toMatchObject([{ jobId: 'j', err: { code: 'E_X', details: { a: [1, 2] } } }])
})

test('lists no more values of a large field than it takes to see that it is large', () => {
  const { lines, log } = recording()
  const listed = vi.spyOn(Object, 'values')
  const body = new Uint8Array(1_000_000)
  const rows = Array.from({ length: 100_000 }, (_, i) => i)
  for (const field of [{ body }, { rows }, { response: { body } }])
    log.error({ err: Object.assign(new Error('x'), field) }, 'a line')
  const lengths = listed.mock.results.map(({ value }) => (value as unknown[]).length)
  listed.mockRestore()
  expect(Math.max(...lengths)).toBeLessThanOrEqual(1_000)
  expect(lines.map(({ err }) => err?.message)).toEqual(['x', 'x', 'x'])
})
