import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Quarantine } from '../../src/worker/claiming/quarantine.ts'
import { InFlightJob } from '../../src/worker/in-flight-job.ts'

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

describe('a quarantine', () => {
  test('is open while nothing is suspect', () => {
    expect(new Quarantine().isOpen(0)).toBe(true)
  })

  test('starts a suspect once nothing else is in flight, and is closed until its probation is over', () => {
    const quarantine = new Quarantine()
    const first = suspect('first')
    expect(quarantine.add(first, 0)).toBe(true)
    expect(quarantine.isOpen(5)).toBe(false)
    expect(quarantine.next(1, 10)).toBeUndefined()
    expect(quarantine.next(0, 20)).toBe(first)
    expect(quarantine.next(0, 30)).toBeUndefined()
    expect(quarantine.isOpen(1_019)).toBe(false)
    expect(quarantine.changesInMs(20)).toBe(1_000)
    expect(quarantine.isOpen(1_020)).toBe(true)
  })

  test('takes no second suspect, which would die with the first', () => {
    const quarantine = new Quarantine()
    quarantine.add(suspect('first'), 0)
    expect(quarantine.add(suspect('second'), 1)).toBe(false)
    quarantine.next(0, 2)
    expect(quarantine.add(suspect('third'), 3)).toBe(false)
    expect(quarantine.add(suspect('fourth'), 1_002)).toBe(true)
  })

  test('opens as soon as the suspect on probation has ended', () => {
    const quarantine = new Quarantine()
    const first = suspect('first')
    quarantine.add(first, 0)
    quarantine.next(0, 0)
    first.hasSlot = false
    expect(quarantine.isOpen(5)).toBe(true)
  })

  test('starts a suspect of one death next to long jobs after five seconds, one of more deaths never', () => {
    const once = new Quarantine()
    once.add(suspect('once', 1), 0)
    expect(once.next(3, 4_999)).toBeUndefined()
    expect(once.next(3, 5_000)?.claim.jobId).toBe('once')
    const twice = new Quarantine()
    twice.add(suspect('twice', 2), 0)
    expect(twice.next(3, 500_000)).toBeUndefined()
    expect(twice.next(0, 500_000)?.claim.jobId).toBe('twice')
  })

  test('keeps a suspect of three deaths alone until it ends', () => {
    const quarantine = new Quarantine()
    const job = suspect('thrice', 3)
    quarantine.add(job, 0)
    quarantine.next(0, 0)
    expect(quarantine.isOpen(86_400_000)).toBe(false)
    job.hasSlot = false
    expect(quarantine.isOpen(86_400_001)).toBe(true)
  })

  test('gives back the suspect that has not started', () => {
    const quarantine = new Quarantine()
    quarantine.add(suspect('a'), 0)
    expect(quarantine.take()?.claim.jobId).toBe('a')
    expect(quarantine.take()).toBeUndefined()
    expect(quarantine.isOpen(0)).toBe(true)
  })

  test('never starts two suspects within a probation, whatever the order of events', () => {
    const step = fc.record({ add: fc.boolean(), deaths: fc.integer({ min: 1, max: 2 }), ms: fc.nat(4_000) })
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const quarantine = new Quarantine()
        const started: { job: InFlightJob; atMs: number }[] = []
        let now = 0
        for (const [i, { add, deaths, ms }] of steps.entries()) {
          now += ms
          if (add) quarantine.add(suspect(`job-${i}`, deaths), now)
          const job = quarantine.next(0, now)
          if (!job) continue
          const last = started.at(-1)
          if (last) expect(now - last.atMs).toBeGreaterThanOrEqual(last.job.claim.deaths === 1 ? 1_000 : 10_000)
          started.push({ job, atMs: now })
        }
      }),
    )
  })
})
