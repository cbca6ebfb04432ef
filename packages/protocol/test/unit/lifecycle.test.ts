import { describe, expect, test } from 'vitest'
import { ArgumentsError, JobAbortedError, NonRetryableError, Retry, RemoteError, RetryJob } from '../../src/errors.ts'
import { asError } from '../../src/errors/thrown.ts'
import { admit, settle } from '../../src/jobs/lifecycle.ts'
import type { Interruption, Ending, Outcome, TaskRules, WorkerRules } from '../../src/jobs/lifecycle.ts'
import { encodeJob } from '../../src/index.ts'
import type { JobRecord } from '../../src/index.ts'

const rules: WorkerRules = { maxTries: 5, retryJobs: true, retry: undefined, unknownFunction: 'fail' }
const job: JobRecord = { jobTry: null, functionName: 'f', args: [1], kwargs: {}, enqueueTimeMs: 1 }
const tasks: Record<string, TaskRules> = { f: {}, twice: { maxTries: 2 } }
const find = (name: string) => tasks[name]

describe("admission asks in arq's order", () => {
  const claim = (changes: object = {}, record: Partial<JobRecord> = {}) => ({
    payload: encodeJob({ ...job, ...record }, 'pickle'),
    jobTry: 1,
    abortAskedMs: null,
    ...changes,
  })

  test('runs a job that nothing speaks against', () => {
    expect(admit(claim(), find, rules)).toMatchObject({ kind: 'run', jobTry: 1, setTry: false, codec: 'pickle' })
  })

  test.each([
    ['expired before all', claim({ payload: null, abortAskedMs: 5 }), 'expired', 'job expired'],
    [
      'undecodable before aborted',
      claim({ payload: Buffer.from('zz'), abortAskedMs: 5 }),
      'undecodable',
      'unable to deserialize job',
    ],
    ['aborted before unknown', claim({ abortAskedMs: 5 }, { functionName: 'no' }), 'aborted', 'aborted before start'],
    [
      'unknown before tries',
      claim({ jobTry: 99 }, { functionName: 'no' }),
      'unknown function',
      "function 'no' not found",
    ],
    ["beyond the worker's tries", claim({ jobTry: 6 }), 'max tries exceeded', 'max 5 retries exceeded'],
    [
      "beyond the task's tries",
      claim({ jobTry: 3 }, { functionName: 'twice' }),
      'max tries exceeded',
      'max 2 retries exceeded',
    ],
    [
      "beyond them by the producer's word",
      claim({}, { functionName: 'twice', jobTry: 3 }),
      'max tries exceeded',
      'max 2 retries exceeded',
    ],
  ])('%s', (_what, given, reason, message) => {
    const admission = admit(given, find, rules)
    expect(admission).toMatchObject({ kind: 'fail', reason })
    expect((admission as { error: Error }).error.message).toContain(message)
  })

  test('leaves an abort request aside that was made for an earlier job of the same id', () => {
    const hourMs = 3_600_000
    const enqueueTimeMs = 1_800_000_000_000
    const asked = (abortAskedMs: number) => admit(claim({ abortAskedMs }, { enqueueTimeMs }), find, rules)
    expect(asked(enqueueTimeMs - 2 * hourMs)).toMatchObject({ kind: 'run' })
    // The producer's clock may be ahead.
    expect(asked(enqueueTimeMs - hourMs / 2)).toMatchObject({ kind: 'fail', reason: 'aborted' })
  })

  test('takes over the try the producer asks for, when it is ahead', () => {
    expect(admit(claim({}, { jobTry: 3 }), find, rules)).toMatchObject({ kind: 'run', jobTry: 3, setTry: true })
    expect(admit(claim({ jobTry: 4 }, { jobTry: 3 }), find, rules)).toMatchObject({
      kind: 'run',
      jobTry: 4,
      setTry: false,
    })
  })

  test('hands an unknown function back where it is set to', () => {
    expect(admit(claim({}, { functionName: 'no' }), find, { ...rules, unknownFunction: 'release' })).toMatchObject({
      kind: 'release',
    })
  })
})

describe('an ending', () => {
  const returned: Outcome = { kind: 'returned', value: 1 }
  const threw = (error: Error): Outcome => ({ kind: 'threw', error })
  const boom = new Error('boom')
  const end = (
    outcome: Outcome,
    cut?: Exclude<Interruption, 'lost'>,
    changes: Partial<WorkerRules> = {},
    jobTry = 1,
  ): Ending => settle(outcome, cut, { jobTry, task: {}, timeoutMs: 100 }, { ...rules, ...changes }, 0)
  const policy = { retry: { delayMs: 1_000 } }

  test.each<[string, Ending, object]>([
    ['returned', end(returned), { kind: 'finish', success: true, value: 1 }],
    ['returned in spite of an abort', end(returned, 'aborted'), { kind: 'finish', success: true }],
    [
      'threw, without a policy: final at once, as in arq',
      end(threw(boom)),
      { kind: 'finish', success: false, error: boom, dead: true },
    ],
    ['threw Retry', end(threw(new Retry())), { kind: 'reschedule', cause: 'retry', delayMs: null }],
    [
      'threw the Retry with which another job had failed, as in arq',
      end(threw(new RemoteError('arq.worker.Retry', [], { attributes: { defer_score: 50 } }))),
      { kind: 'reschedule', cause: 'retry', delayMs: 50 },
    ],
    ...[Infinity, 1e300, 4e12].map((score): [string, Ending, object] => [
      `threw a Retry from elsewhere with a deferral of ${score} ms, which is no score that Redis should get`,
      end(threw(new RemoteError('arq.worker.Retry', [], { attributes: { defer_score: score } }))),
      { kind: 'reschedule', cause: 'retry', delayMs: 3_155_760_000_000 },
    ]),
    ...[NaN, -1, '5', {}, undefined].map((score): [string, Ending, object] => [
      `threw what has the code of a Retry and a deferral of ${String(score)}`,
      end(threw(Object.assign(new Error('x'), { code: 'ARQ_RETRY', deferMs: score }))),
      { kind: 'reschedule', cause: 'retry', delayMs: null },
    ]),
    ['threw RetryJob', end(threw(new RetryJob())), { kind: 'reschedule', cause: 'cancelled', delayMs: null }],
    [
      'threw an AbortError of its own, which is a CancelledError in arq',
      end(threw(asError(AbortSignal.abort().reason))),
      { kind: 'reschedule', cause: 'cancelled', delayMs: null },
    ],
    [
      'awaited an aborted job',
      end(threw(new JobAbortedError('aborted while running'))),
      { kind: 'reschedule', cause: 'cancelled' },
    ],
    [
      'threw the CancelledError of a Python job',
      end(threw(new RemoteError('asyncio.exceptions.CancelledError'))),
      { kind: 'reschedule', cause: 'cancelled' },
    ],
    [
      'threw an AbortError that is not of the platform',
      end(threw(Object.assign(new Error('the connection was closed'), { name: 'AbortError' }))),
      { kind: 'finish', success: false },
    ],
    [
      'threw an AbortError because it was aborted',
      end(threw(asError(AbortSignal.abort().reason)), 'aborted'),
      { kind: 'finish', aborted: true },
    ],
    [
      'threw RetryJob where retryJobs is off, with a policy',
      end(threw(new RetryJob()), undefined, { ...policy, retryJobs: false }),
      { kind: 'finish', success: false },
    ],
    ['threw Retry with a deferral', end(threw(new Retry({ deferMs: 50 }))), { kind: 'reschedule', delayMs: 50 }],
    [
      'threw Retry on its last try: the next claim fails it, as in arq',
      end(threw(new Retry()), undefined, {}, 5),
      { kind: 'reschedule' },
    ],
    [
      'threw Retry where retryJobs is off',
      end(threw(new Retry()), undefined, { retryJobs: false }),
      { kind: 'finish', success: false },
    ],
    [
      'aborted',
      end(threw(boom), 'aborted'),
      { kind: 'finish', success: false, aborted: true, dead: false, error: expect.any(JobAbortedError) },
    ],
    ['abandoned after an abort', end({ kind: 'abandoned' }, 'aborted'), { kind: 'finish', aborted: true }],
    [
      'timed out',
      end({ kind: 'abandoned' }, 'timed out'),
      { kind: 'finish', success: false, error: expect.objectContaining({ code: 'ARQ_JOB_TIMEOUT' }) },
    ],
    ['stopped', end(threw(boom), 'stopped'), { kind: 'release' }],
    [
      'stopped where retryJobs is off',
      end(threw(boom), 'stopped', { retryJobs: false }),
      { kind: 'finish', success: false },
    ],
    [
      'threw, with a policy',
      end(threw(boom), undefined, policy, 2),
      { kind: 'reschedule', cause: 'policy', delayMs: 2_000, error: boom },
    ],
    ['timed out, with a policy', end(threw(boom), 'timed out', policy), { kind: 'reschedule', delayMs: 1_000 }],
    [
      'threw on its last try, with a policy',
      end(threw(boom), undefined, policy, 5),
      { kind: 'finish', success: false, error: boom, dead: true },
    ],
    [
      'threw NonRetryableError, with a policy',
      end(threw(new NonRetryableError('no')), undefined, policy),
      { kind: 'finish', success: false },
    ],
    [
      'got wrong arguments, with a policy',
      end(threw(new ArgumentsError('no')), undefined, policy),
      { kind: 'finish', success: false },
    ],
  ])('%s', (_what, ending, expected) => {
    expect(ending).toMatchObject(expected)
  })
})

test.each<[unknown, string]>([
  ['text', 'text'],
  [null, 'null'],
  [{ message: 'duck' }, 'duck'],
  [Object.create(null), 'an object that is no Error was thrown'],
])('makes an Error of any thrown value: %j', (thrown, message) => {
  expect(asError(thrown)).toBeInstanceOf(Error)
  expect(asError(thrown).message).toBe(message)
})
