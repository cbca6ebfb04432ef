import { describe, expect, test } from 'vitest'
import { describeFault, Faults } from '../../src/redis/faults.ts'
import type { Fault } from '../../src/redis/faults.ts'

const fault = (jobId: string): Fault => ({
  queueName: 'q',
  jobId,
  key: `arq:retry:${jobId}`,
  reason: 'ERR not a number',
})

function watched(): { faults: Faults; heard: [Fault, number][]; pass: (ms: number) => void } {
  let now = 0
  const faults = new Faults(() => now)
  const heard: [Fault, number][] = []
  faults.listen((...args) => heard.push(args))
  return { faults, heard, pass: (ms) => (now += ms) }
}

describe('faults in Redis', () => {
  test('are reported once a minute for each key, and counted each time by the kind of key', () => {
    const { faults, heard, pass } = watched()
    for (let i = 0; i < 5; i++) faults.report(fault('a'))
    faults.report({ queueName: undefined, jobId: undefined, key: '{p}:arq:abort', reason: 'WRONGTYPE' })
    expect(heard.map(([{ key }]) => key)).toEqual(['arq:retry:a', '{p}:arq:abort'])
    pass(60_000)
    faults.report(fault('a'))
    expect(heard).toHaveLength(3)
    expect([...faults.counts]).toEqual([
      ['arq:retry', 6],
      ['arq:abort', 1],
    ])
  })

  test('are described in a line of bounded length, however long the id is', () => {
    const hostile = fault('\u202e'.repeat(1_000_000))
    expect(describeFault({ ...hostile, queueName: hostile.key }, 0).length).toBeLessThan(10_000)
  })

  test('are summed up where they are many', () => {
    const { faults, heard, pass } = watched()
    for (let i = 0; i < 100_000; i++) faults.report(fault(`job-${i}`))
    expect(heard).toHaveLength(20)
    pass(60_000)
    faults.report(fault('late'))
    expect(heard.at(-1)).toEqual([fault('late'), 99_980])
    expect([...faults.counts.keys()]).toEqual(['arq:retry'])
  })

  test('hold a job back for longer each time, up to a minute, until it is well', () => {
    const { faults } = watched()
    expect(Array.from({ length: 8 }, () => faults.backoffMs('a'))).toEqual([
      1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000,
    ])
    faults.forget([{ jobId: 'a' }])
    expect(faults.backoffMs('a')).toBe(1_000)
  })

  test('are described with job, key and reason, on one line', () => {
    expect(describeFault(fault('a\nb\uDCFF'), 3)).toBe(
      "job 'a\\x0ab\\xff' of queue 'q': Redis key 'arq:retry:a\\x0ab\\xff' is faulty and stops what needs it: " +
        'ERR not a number (and 3 faults of other keys); see arq-ts doctor',
    )
  })
})
