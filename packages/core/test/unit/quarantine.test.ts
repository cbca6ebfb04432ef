import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isSuspect, Quarantine } from '../../src/worker/claiming/quarantine.ts'
import type { Fate } from '../../src/worker/claiming/quarantine.ts'
import { InFlightJob } from '../../src/worker/in-flight-job.ts'

/** A lease that ended long ago: no emptier worker wants the job. */
const LONG_MS = 60_000
const HELD = { kind: 'held' }

function suspect(jobId: string, deaths = 1): InFlightJob {
  const claim = {
    jobId,
    queueName: 'q',
    token: 't',
    payload: Buffer.of(1),
    jobTry: 2,
    abortAskedMs: null,
    score: 0,
    deaths,
  }
  return new InFlightJob(claim, Infinity, true)
}

const started = (job: InFlightJob) => ({ kind: 'start', job, passOverMs: 0 })
const wentBack = (job: InFlightJob, passOverMs: number) => ({ kind: 'goesBack', job, passOverMs })
const startedJob = (fate: Fate) => (fate.kind === 'start' ? fate.job : undefined)

describe('a suspect', () => {
  test('is a job of an earlier death that can still run', () => {
    const { claim } = suspect('job')
    expect(isSuspect(claim)).toBe(true)
    expect(isSuspect({ ...claim, deaths: 0 })).toBe(false)
    expect(isSuspect({ ...claim, payload: null })).toBe(false)
  })
})

describe('a quarantine', () => {
  test('is open while nothing is suspect', () => {
    expect(new Quarantine().isOpen(0)).toBe(true)
    expect(new Quarantine().changesInMs(0)).toBe(Infinity)
  })

  test('starts a suspect once nothing else is in flight, and is closed until its probation is over', () => {
    const quarantine = new Quarantine()
    const first = suspect('first')
    expect(quarantine.add(first, 1, LONG_MS, 0)).toEqual(HELD)
    expect(quarantine.isOpen(5)).toBe(false)
    expect(quarantine.next(1, 10)).toEqual(HELD)
    expect(quarantine.next(0, 20)).toEqual(started(first))
    expect(quarantine.next(0, 30)).toEqual(HELD)
    expect(quarantine.isOpen(1_019)).toBe(false)
    expect(quarantine.changesInMs(20)).toBe(1_000)
    expect(quarantine.isOpen(1_020)).toBe(true)
  })

  test('takes no second suspect, which would die with the first', () => {
    const quarantine = new Quarantine()
    quarantine.add(suspect('first'), 0, 0, 0)
    const second = suspect('second')
    expect(quarantine.add(second, 1, LONG_MS, 1)).toEqual(wentBack(second, 0))
    quarantine.next(0, 2)
    const third = suspect('third')
    expect(quarantine.add(third, 0, LONG_MS, 3)).toEqual(wentBack(third, 0))
    expect(quarantine.add(suspect('fourth'), 0, 0, 1_002)).toEqual(HELD)
  })

  test('opens as soon as the suspect on probation has ended', () => {
    const quarantine = new Quarantine()
    const first = suspect('first')
    quarantine.add(first, 0, 0, 0)
    quarantine.next(0, 0)
    first.hasSlot = false
    expect(quarantine.isOpen(5)).toBe(true)
  })

  test('of a busy worker leaves a suspect to emptier ones for the first moments, and stays open', () => {
    const quarantine = new Quarantine()
    const job = suspect('job')
    expect(quarantine.add(job, 3, 20, 1_000)).toEqual(wentBack(job, 30))
    expect(quarantine.isOpen(1_000)).toBe(true)
    expect(quarantine.changesInMs(1_000)).toBe(30)
    expect(quarantine.add(job, 3, 50, 1_030)).toEqual(HELD)
    const ahead = suspect('of a clock that is behind')
    expect(new Quarantine().add(ahead, 3, -5, 0)).toEqual(wentBack(ahead, 50))
    expect(new Quarantine().add(job, 0, 0, 0)).toEqual(HELD)
  })

  test('starts a suspect of one death next to long jobs within a fifth of a second of the end of its lease, and the next one soon after', () => {
    const quarantine = new Quarantine()
    const job = suspect('once')
    quarantine.add(job, 3, 50, 50)
    expect(quarantine.changesInMs(50)).toBe(150)
    expect(quarantine.next(3, 199)).toEqual(HELD)
    expect(quarantine.next(3, 200)).toEqual(started(job))
    expect(quarantine.isOpen(299)).toBe(false)
    expect(quarantine.isOpen(300)).toBe(true)
  })

  test('never starts a suspect of more deaths next to others, and is closed for half of the time at most because of it', () => {
    const quarantine = new Quarantine()
    const job = suspect('twice', 2)
    expect(quarantine.add(job, 3, LONG_MS, 0)).toEqual(HELD)
    expect(quarantine.next(3, 4_999)).toEqual(HELD)
    expect(quarantine.next(3, 5_000)).toEqual(wentBack(job, 5_000))
    expect(quarantine.isOpen(5_000)).toBe(true)
    expect(quarantine.changesInMs(5_000)).toBe(5_000)
    const other = suspect('another one', 2)
    expect(quarantine.add(other, 3, LONG_MS, 8_000)).toEqual(wentBack(other, 2_000))
    expect(quarantine.add(job, 3, LONG_MS, 10_000)).toEqual(HELD)
    expect(quarantine.next(3, 19_999)).toEqual(HELD)
    expect(quarantine.next(0, 19_999)).toEqual(started(job))
    expect(quarantine.isOpen(29_998)).toBe(false)
  })

  test('forgets how long it waited once the last rest is long over, and whom it passed over once nothing is in flight', () => {
    const quarantine = new Quarantine()
    const job = suspect('twice', 2)
    quarantine.add(job, 1, LONG_MS, 0)
    quarantine.next(1, 5_000)
    quarantine.add(job, 1, LONG_MS, 10_000)
    expect(quarantine.next(1, 20_000)).toEqual(wentBack(job, 10_000))
    expect(quarantine.emptied()).toMatchObject([{ jobId: 'twice', queueName: 'q' }])
    expect(quarantine.emptied()).toEqual([])
    expect(quarantine.changesInMs(20_000)).toBe(Infinity)
    expect(quarantine.add(job, 1, LONG_MS, 21_000)).toEqual(HELD)
    expect(quarantine.changesInMs(21_000)).toBe(5_000)
    const patient = new Quarantine()
    patient.add(job, 1, LONG_MS, 0)
    patient.next(1, 5_000)
    patient.add(job, 1, LONG_MS, 1_000_000)
    expect(patient.changesInMs(1_000_000)).toBe(5_000)
  })

  test('keeps a suspect of three deaths alone until it ends', () => {
    const quarantine = new Quarantine()
    const job = suspect('thrice', 3)
    quarantine.add(job, 0, 0, 0)
    quarantine.next(0, 0)
    expect(quarantine.isOpen(86_400_000)).toBe(false)
    job.hasSlot = false
    expect(quarantine.isOpen(86_400_001)).toBe(true)
  })

  test('gives back the suspect that has not started', () => {
    const quarantine = new Quarantine()
    quarantine.add(suspect('a'), 0, 0, 0)
    expect(quarantine.take()?.claim.jobId).toBe('a')
    expect(quarantine.take()).toBeUndefined()
    expect(quarantine.isOpen(0)).toBe(true)
  })

  const step = fc.record({
    add: fc.boolean(),
    deaths: fc.integer({ min: 1, max: 3 }),
    others: fc.integer({ min: 0, max: 2 }),
    overdueMs: fc.nat(300),
    ms: fc.nat(4_000),
    ends: fc.boolean(),
  })

  test('never starts two suspects within a probation, nor one of two deaths in company, whatever the order of events', () => {
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const quarantine = new Quarantine()
        let last: { job: InFlightJob; atMs: number; others: number } | undefined
        let now = 0
        for (const [i, { add, deaths, others, overdueMs, ms, ends }] of steps.entries()) {
          now += ms
          if (ends && last) last.job.hasSlot = false
          if (add) quarantine.add(suspect(`job-${i}`, deaths), others, overdueMs, now)
          const job = startedJob(quarantine.next(others, now))
          if (!job) continue
          if (job.claim.deaths > 1) expect(others).toBe(0)
          const probationMs = last && last.others > 0 ? 100 : [0, 1_000, 10_000, Infinity][last?.job.claim.deaths ?? 0]!
          if (last?.job.hasSlot) expect(now - last.atMs).toBeGreaterThanOrEqual(probationMs)
          last = { job, atMs: now, others }
        }
      }),
    )
  })

  test('is asked again in time: whoever comes when it says so finds no decision late', () => {
    const { next } = Quarantine.prototype
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const quarantine = new Quarantine()
        let now = 0
        for (const [i, { add, deaths, others, overdueMs, ms }] of steps.entries()) {
          now += ms
          if (add) quarantine.add(suspect(`job-${i}`, deaths), others, overdueMs, now)
          const changesInMs = quarantine.changesInMs(now)
          expect(changesInMs).toBeGreaterThan(0)
          if (!quarantine.isWaiting) continue
          const untilMs = now + changesInMs
          if (others > 0) expect(next.call(quarantine, others, untilMs - 0.5).kind).toBe('held')
          expect(next.call(quarantine, others, untilMs).kind).not.toBe('held')
          now = untilMs
        }
      }),
    )
  })
})
