import { decodeJob, decodeResult } from '@arq-ts/protocol/jobs'
import { describe, expect, test } from 'vitest'
import { Ledger, payloadOf, planFleet, resultOf } from '../../src/fleet/index.ts'

const nowMs = Date.UTC(2026, 10, 28)

describe('a fleet made from a seed', () => {
  test('is the same each time, and another for another seed', () => {
    const options = { seed: 7, jobs: 300, nowMs }
    expect(planFleet(options)).toEqual(planFleet(options))
    expect(planFleet({ ...options, seed: 8 })).not.toEqual(planFleet(options))
  })

  test.each([1, 2, 3, 4, 5])('has every state, both languages, every codec and unique ids (seed %i)', (seed) => {
    const { jobs } = planFleet({ seed, jobs: 600, nowMs })
    expect(jobs).toHaveLength(600)
    expect(new Set(jobs.map(({ jobId }) => jobId)).size).toBe(600)
    const words = ['queued', 'deferred', 'retrying', 'running', 'complete', 'failed', 'aborted', 'dead']
    expect(new Set(jobs.map(({ state }) => state))).toEqual(new Set(words))
    expect(new Set(jobs.map(({ language }) => language))).toEqual(new Set(['python', 'arq-ts']))
    expect(new Set(jobs.map(({ codec }) => codec))).toEqual(new Set(['pickle', 'msgpack', 'json']))
    expect(new Set(jobs.map(({ damage }) => damage)).size).toBe(16)
  })

  test('has payloads and results that say what the plan says', () => {
    for (const job of planFleet({ seed: 3, jobs: 400, nowMs, damaged: false }).jobs) {
      expect(decodeJob(payloadOf(job)!)).toMatchObject({
        codec: job.codec,
        record: { functionName: job.call.functionName, args: job.call.args, enqueueTimeMs: job.enqueuedMs },
      })
      if (job.finishedMs === null || job.state === 'dead') continue
      expect(decodeResult(resultOf(job))).toMatchObject({
        codec: job.codec,
        record: {
          args: job.call.args,
          kwargs: job.call.kwargs,
          jobTry: job.tries,
          success: job.state === 'complete',
          finishTimeMs: job.finishedMs,
          queueName: job.queueName,
          jobId: job.jobId,
        },
      })
    }
  })

  test('is healthy on request: nothing but its pauses and its queues without workers is to be found', () => {
    const ledger = new Ledger(planFleet({ seed: 5, jobs: 500, nowMs, damaged: false }))
    expect(new Set(ledger.findings().map(({ check }) => check))).toEqual(new Set(['no-workers', 'paused']))
  })
})
