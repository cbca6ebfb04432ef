import { describe, expect, test } from 'vitest'
import { suitsHandOff } from '../../src/redis/enqueue-calls.ts'
import type { EnqueueCall } from '../../src/redis/broker.ts'
import { decide, readHandOff } from '../../src/worker/hand-off/hand-off.ts'

const message = (text: string, ...payloads: Uint8Array[]) => Buffer.concat([Buffer.from(text), ...payloads])
const bytes = Buffer.from([0, 32, 255, 10])

describe('the message of a hand-off', () => {
  test('is read with the payloads of all its jobs', () => {
    expect(readHandOff(message('8 w 1 é/t 2000 1000 2 a:4 b:2 ', bytes, Buffer.from('xy')))).toEqual({
      token: 'w 1 é/t',
      untilMs: 2_000,
      dueMs: 1_000,
      jobs: [
        { jobId: 'a', payload: bytes },
        { jobId: 'b', payload: Buffer.from('xy') },
      ],
    })
  })

  test.each([
    '',
    ' ',
    'x',
    '1 t 2000 1000',
    '1 t 2000 1000 0 ',
    '1 t 2000 1000 1 a:3 xy',
    '1 t 2000 1000 1 a:1 xy',
    '1 t 2000 1000 2 a:2 xy',
    '1 t 2000 1000 1 a: xy',
    '1 t 2000 1000 1 a:-1 xy',
    '1 t 2000 1000 1 :2 xy',
    '1 t 2000 1000 1e9 a:2 xy',
    '1 t -1 1000 1 a:2 xy',
    '1 t x 1000 1 a:2 xy',
    '1 t 2000 NaN 1 a:2 xy',
    't 2000 1000 1 a:2 xy',
    '0  2000 1000 1 a:2 xy',
    '2 t 2000 1000 1 a:2 xy',
    '1.5 t 2000 1000 1 a:2 xy',
    '-1 t 2000 1000 1 a:2 xy',
    '1e9 t 2000 1000 1 a:2 xy',
    `1 t 2000 1000 1 ${'a'.repeat(2_000)}:2 xy`,
  ])('is refused where it is none: %s', (text) => {
    expect(readHandOff(Buffer.from(text))).toBeUndefined()
  })
})

describe('a job that was handed over', () => {
  const handOff = readHandOff(message('1 t 2000 1000 3 a:1 b:1 c:1 ', Buffer.from('123')))!
  const decided = (nowMs: number, room: number, mayRunTwice = (_payload: Buffer) => true, isConnected = true) =>
    decide(handOff, { nowMs, room, isConnected, mayRunTwice })

  test('starts at once while there is a slot, and goes back where there is none', () => {
    expect(decided(1_000, 2)).toEqual(['start', 'start', 'release'])
    expect(decided(1_000, 0)).toEqual(['release', 'release', 'release'])
  })

  test('waits for its confirmation when little of its time is left', () => {
    expect(decided(1_500, 3)).toEqual(['start', 'start', 'start'])
    expect(decided(1_501, 3)).toEqual(['confirm', 'confirm', 'confirm'])
    expect(decided(9_000, 3)).toEqual(['confirm', 'confirm', 'confirm'])
  })

  test('waits for its confirmation when its start cannot be reported to Redis', () => {
    expect(decided(1_000, 3, undefined, false)).toEqual(['confirm', 'confirm', 'confirm'])
  })

  test('waits for its confirmation when it must not run twice', () => {
    expect(decided(1_000, 3, (payload) => payload.toString() !== '2')).toEqual(['start', 'confirm', 'start'])
  })
})

describe('an enqueue', () => {
  const call: EnqueueCall = {
    jobId: 'a',
    isFreshId: true,
    queueName: 'q',
    due: { in: 0 },
    expiresMs: undefined,
    payload: bytes,
  }
  const times = (count: number, change: Partial<EnqueueCall> = {}) =>
    Array.from({ length: count }, (): EnqueueCall => ({ ...call, ...change }))

  test('may be handed over where it is a few small new jobs of one queue that are due now', () => {
    expect(suitsHandOff(times(1))).toBe(true)
    expect(suitsHandOff(times(16))).toBe(true)
    expect(suitsHandOff(times(17))).toBe(false)
    expect(suitsHandOff([...times(1), ...times(1, { queueName: 'other' })])).toBe(false)
    expect(suitsHandOff(times(2, { payload: Buffer.alloc(8_193) }))).toBe(false)
  })

  test.each<Partial<EnqueueCall>>([
    { isFreshId: false },
    { due: { in: 1 } },
    { due: { at: 1 } },
    { due: { at: 0 } },
    { expiresMs: 1 },
  ])('is not handed over with %o', (change) => {
    expect(suitsHandOff([...times(1), ...times(1, change)])).toBe(false)
  })
})
