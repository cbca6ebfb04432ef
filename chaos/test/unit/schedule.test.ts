import { describe, expect, test } from 'vitest'
import { CONNECT_STEPS, FAULT_KINDS } from '../../src/plan/faults.ts'
import type { FaultKind } from '../../src/plan/faults.ts'
import { planJob, TASKS } from '../../src/plan/jobs.ts'
import { Random } from '../../src/plan/random.ts'
import { planFaults, WARM_UP_MS } from '../../src/plan/schedule.ts'
import type { ScheduleOptions } from '../../src/plan/schedule.ts'
import { planFleet } from '../../src/plan/slots.ts'
import { loadOf } from '../../src/run/options.ts'

const options = (changes: Partial<ScheduleOptions> = {}): ScheduleOptions => ({
  seed: 'one',
  durationMs: 600_000,
  kinds: FAULT_KINDS,
  topology: 'single',
  slots: planFleet({ python: true, clock: true }),
  leaseMs: 3_000,
  ...changes,
})
const kindsOf = (changes: Partial<ScheduleOptions> = {}) =>
  new Set(planFaults(options(changes)).map(({ kind }) => kind))

describe('the schedule of faults', () => {
  test('is the same for the same seed, and another for another', () => {
    expect(planFaults(options())).toEqual(planFaults(options()))
    expect(planFaults(options())).not.toEqual(planFaults(options({ seed: 'two' })))
  })

  test('begins after the warm-up, keeps its order, and ends within its time', () => {
    const faults = planFaults(options())
    expect(faults[0]!.atMs).toBeGreaterThanOrEqual(WARM_UP_MS)
    expect(faults.map(({ atMs }) => atMs)).toEqual(faults.map(({ atMs }) => atMs).toSorted((a, b) => a - b))
    expect(Math.max(...faults.map(({ atMs, durationMs }) => atMs + durationMs))).toBeLessThanOrEqual(600_000)
    expect(faults.map(({ id }) => id)).toEqual(faults.map((_, i) => i + 1))
  })

  test('holds every kind that the topology knows, and no other', () => {
    const without = (...others: FaultKind[]) => FAULT_KINDS.filter((kind) => !['clock', ...others].includes(kind))
    expect([...kindsOf()].toSorted()).toEqual(without('failover', 'migrate').toSorted())
    expect([...kindsOf({ topology: 'sentinel' })].toSorted()).toEqual(without('redis', 'migrate').toSorted())
    expect([...kindsOf({ topology: 'cluster' })].toSorted()).toEqual(without('failover').toSorted())
  })

  test('holds the wanted kinds alone', () => {
    expect([...kindsOf({ kinds: ['kill', 'oom'] })].toSorted()).toEqual(['kill', 'oom'])
    expect(planFaults(options({ kinds: ['clock'] }))).toEqual([])
  })

  test('cuts connections at every step of connecting, before the command is sent and after', () => {
    const cuts = planFaults(options({ kinds: ['connect'] }))
    const seen = new Set(cuts.map(({ step, afterSend }) => `${step} ${afterSend}`))
    expect([...seen].toSorted()).toEqual(CONNECT_STEPS.flatMap((step) => [`${step} false`, `${step} true`]).toSorted())
  })

  test('stops a process for longer than its lease', () => {
    for (const { durationMs } of planFaults(options({ kinds: ['stop'] }))) expect(durationMs).toBeGreaterThan(3_000)
  })

  test('hits no Python process where there is none', () => {
    const slots = planFleet({ python: false, clock: false })
    const targets = new Set(planFaults(options({ slots })).map(({ target }) => target))
    for (const target of targets) expect(target ?? 'ts-').toMatch(/^ts-/)
  })
})

test('a producer plans jobs of every task, and the same ones for the same seed', () => {
  const jobs = (seed: string) => {
    const random = new Random(seed)
    return Array.from({ length: 500 }, () => planJob(random, 3_000))
  }
  expect(jobs('a')).toEqual(jobs('a'))
  expect([...new Set(jobs('a').map(({ task }) => task))].toSorted()).toEqual(Object.keys(TASKS).toSorted())
  expect(jobs('a').some(({ abortAfterMs }) => abortAfterMs !== undefined)).toBe(true)
  expect(jobs('a').some(({ deferByMs }) => deferByMs > 0)).toBe(true)
})

test('one clock of the fleet is off where that fault is wanted', () => {
  const off = (clock: boolean) => planFleet({ python: true, clock }).filter(({ clockShiftMs }) => clockShiftMs !== 0)
  expect(off(true)).toHaveLength(1)
  expect(off(false)).toEqual([])
})

describe('the load of a run', () => {
  test('is what CI has always had where nothing is asked for', () => {
    expect(loadOf({ jobs: undefined, minutes: 2 }, true)).toEqual({ rate: 60, pythonRate: 60, maxJobs: 25 })
    expect(loadOf({ jobs: undefined, minutes: 2 }, false)).toEqual({ rate: 120, pythonRate: 0, maxJobs: 25 })
  })

  test('gives our workers the slots that a million jobs in twenty minutes need, and Python no more than it can do', () => {
    const { maxJobs, pythonRate, rate } = loadOf({ jobs: 1_000_000, minutes: 20 }, true)
    expect(pythonRate).toBe(60)
    expect((rate + pythonRate) * 1_200).toBeCloseTo(1_000_000)
    expect(maxJobs).toBe(123)
  })
})
