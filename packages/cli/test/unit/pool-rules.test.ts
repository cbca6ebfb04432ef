import { describe, expect, test } from 'vitest'
import {
  afterEnd,
  askEveryMs,
  endText,
  MAX_MISSED_ANSWERS,
  MAX_QUICK_CRASHES,
  WELL_AFTER_MS,
} from '../../src/worker/pool-rules.ts'
import type { ProcessEnd } from '../../src/worker/pool-rules.ts'

const crash: ProcessEnd = { code: 1, signal: null, livedMs: 100, refused: undefined }
const pool = { stopping: false, burst: false, quickCrashes: 0 }

describe('a worker process that ended', () => {
  test('comes back, later each time', () => {
    const delays = [0, 1, 2, 3].map((quickCrashes) => {
      const next = afterEnd(crash, { ...pool, quickCrashes })
      return next.kind === 'restart' ? next.delayMs : next.kind
    })
    expect(delays).toEqual([500, 1_000, 2_000, 4_000])
  })

  test('is given up after several quick ends in a row', () => {
    expect(afterEnd(crash, { ...pool, quickCrashes: MAX_QUICK_CRASHES - 1 })).toMatchObject({
      kind: 'give up',
      isRefusal: false,
      message: expect.stringContaining('exit code 1') as string,
    })
  })

  test('is forgiven what came before when it lived well', () => {
    const end = { ...crash, code: null, signal: 'SIGKILL', livedMs: WELL_AFTER_MS }
    expect(afterEnd(end, { ...pool, quickCrashes: MAX_QUICK_CRASHES - 1 })).toEqual({
      kind: 'restart',
      delayMs: 500,
      quickCrashes: 1,
    })
  })

  test('is not tried again when it refused to start', () => {
    expect(afterEnd({ ...crash, code: 2, refused: 'no tasks' }, pool)).toEqual({
      kind: 'give up',
      message: 'no tasks',
      isRefusal: true,
    })
  })

  test('stays away while the pool stops', () => {
    expect(afterEnd(crash, { ...pool, stopping: true })).toEqual({ kind: 'leave' })
  })

  test('stays away at the end of its burst, but not after a crash', () => {
    expect(afterEnd({ ...crash, code: 0 }, { ...pool, burst: true })).toEqual({ kind: 'leave' })
    expect(afterEnd(crash, { ...pool, burst: true }).kind).toBe('restart')
    expect(afterEnd({ ...crash, code: 0 }, pool).kind).toBe('restart')
  })
})

describe('a worker process that hears nothing', () => {
  test('is given two leases, and ten seconds at least', () => {
    expect([1_000, 30_000, 300_000].map((leaseMs) => askEveryMs(leaseMs) * MAX_MISSED_ANSWERS)).toEqual([
      10_000, 60_000, 600_000,
    ])
  })

  test('is reported with the reason', () => {
    expect(endText({ code: null, signal: 'SIGKILL', silentMs: 60_000 })).toBe(
      'SIGKILL, for it had heard nothing for 60 s',
    )
    expect(endText({ code: 3, signal: null })).toBe('exit code 3')
  })
})
