import { describe, expect, test } from 'vitest'
import { describeFault, Faults } from '../../src/redis/faults.ts'
import type { Fault } from '../../src/redis/faults.ts'
import { KEY_KINDS, kindOfKey, typeByName, typeInScript } from '../../src/redis/key-kinds.ts'
import { keyTable } from '../support/faulty-keys.ts'
import { Keys } from '@arq-ts/protocol/jobs'

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
    expect([...faults.counts].filter(([, count]) => count > 0)).toEqual([
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
    expect([...faults.counts.keys()].sort()).toEqual([...KEY_KINDS].sort())
    expect(faults.counts.get('arq:retry')).toBe(100_001)
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

describe('kinds of keys', () => {
  const victim = { queueName: 'a:job:q', jobId: 'arq:x\n', cronName: 'cron:c', workerId: 'host/1' }
  const names = Object.entries(keyTable).flatMap(([name, keyOf]) => (keyOf ? [[name, keyOf] as const] : []))

  test.each(names)('there is one for %s, under a prefix too', (name, keyOf) => {
    const kind = kindOfKey(keyOf(new Keys(), victim))
    expect(KEY_KINDS).toContain(kind)
    expect(kind === 'queue').toBe(name === 'queue')
    expect(kindOfKey(keyOf(new Keys('{p}:'), victim))).toBe(kind)
    expect(kindOfKey(keyOf(new Keys('{p}'), victim))).toBe(kind)
    expect(typeInScript(keyOf(new Keys('{p}'), victim))).toBe(typeInScript(keyOf(new Keys(), victim)))
  })

  test('the type of a key is known by its name, but for what stands under the name of a queue', () => {
    const unknown = names.filter(([, keyOf]) => typeByName(keyOf(new Keys(), victim)) === undefined)
    expect(unknown.map(([name]) => name).sort()).toEqual(['healthCheck', 'queue', 'reserved'])
  })
})
