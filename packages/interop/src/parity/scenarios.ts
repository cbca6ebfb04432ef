/** Work for both workers, by the subject that is compared. */

import type { Child } from '@arq-ts/test-support'
import { eventually } from '@arq-ts/test-support'
import type { Redis } from 'ioredis'
import type { CallOptions } from '../producers.ts'
import type { ArqOptions } from './workers.ts'

/** A job, its arguments as Python writes them. */
export interface ParityJob {
  call: string
  args?: string
  kwargs?: string
  options?: CallOptions
}

export interface Stage {
  redis: Redis
  worker: Child
  /** Starts another worker of the same side. */
  another: () => Promise<Child>
  /** Looks at all keys now. */
  look: (when: string) => Promise<void>
}

export interface Scenario {
  /** Jobs by id; Python arq enqueues them, in order. */
  jobs?: Readonly<Record<string, ParityJob>>
  /** Adds the ids that stand in the way of Python's producer. */
  seed?: (redis: Redis) => Promise<unknown>
  codec?: 'msgpack'
  /** In addition to `poll_delay` 0.05. Without something to `drive` in burst mode. */
  options?: ArqOptions
  cron?: Readonly<Record<string, object>>
  failingHooks?: readonly string[]
  /** Acts while the worker runs; unless in burst mode it is then stopped by SIGTERM. */
  drive?: (stage: Stage) => Promise<unknown>
}

const job = (call: string, args = '', options: CallOptions = {}, kwargs = '{}'): ParityJob => ({
  call,
  args: args === '' ? '()' : `(${args},)`,
  kwargs,
  options,
})

const LONG = 3600
/** Many workers start at the same time. */
const PATIENT = { timeoutMs: 60_000 }
const started = (id: string) => new RegExp(`→ ${id}`)

/** Runs a job that never ends, and stops the worker by SIGTERM. */
const stopped = (options: ArqOptions, seconds = LONG): Scenario => ({
  jobs: { 'job-01': job('sleep', String(seconds)), 'job-02': job('echo') },
  options: { max_jobs: 1, ...options },
  drive: ({ worker }) => worker.line(started('job-01'), PATIENT),
})

export const scenarios: Readonly<Record<string, Scenario>> = {
  'results of every lifetime': {
    jobs: {
      'job-01': job('echo', "'value'"),
      'job-02': job('echo'),
      'job-03': job('collect', "1, 'two'", {}, "{'d': [4], 'c': 3}"),
      'job-04': job('collect', "'x' * 500", {}, "{'y': 'z' * 500}"),
      'job-05': job('keep_none', '1'),
      'job-06': job('keep_forever', '1'),
      'job-07': job('keep_minute', '1'),
      'job-08': job('echo', "'try'", { job_try: 3 }),
      'job-09': job('echo', "'late'", { defer_until: Math.round(Date.now() / 1000) - 100 }),
    },
  },
  'no results kept': {
    jobs: { 'job-01': job('echo', '1'), 'job-02': job('fail', "'value'") },
    options: { keep_result: 0 },
  },
  'results kept forever': {
    jobs: { 'job-01': job('echo', '1'), 'job-02': job('fail', "'value'") },
    options: { keep_result_forever: true },
  },
  'a failure before the start, results kept forever': {
    jobs: { 'job-01': job('nowhere') },
    options: { keep_result_forever: true },
    drive: ({ redis, worker }) =>
      eventually(async () => worker.hasEnded || (await redis.exists('arq:result:job-01')) === 1, PATIENT),
  },
  'results that are not logged': { jobs: { 'job-01': job('echo', "'secret'") }, options: { log_results: false } },
  'arguments of every kind in the log': {
    jobs: Object.fromEntries(
      Object.entries({
        numbers: '0, -1, 5000000000, 2**70, 0.5, 1e300, 1e-7, 1e22, float("inf"), float("nan"), True, None',
        'whole floats': '2.0, -0.0',
        strings: `'', "it's", 'say "hi"', 'tab\\there', 'Grüße', '日本', '😀', 'back\\\\slash', '\\x00\\x7f\\u2028'`,
        'nested values': "[1, [2, (3,)]], {'a': {'b': None}}, (), [], {}, {1: 'one'}",
        sets: '{1}, set(), frozenset()',
        bytes: "b'\\x00a\\xff', b''",
        dates: 'datetime.datetime(2024, 5, 6, 7, 8, 9)',
        'dates with a zone': 'datetime.datetime(2024, 5, 6, 7, 8, 9, 10, datetime.timezone.utc)',
        'other times': 'datetime.date(2024, 5, 6), datetime.time(7, 8), datetime.timedelta(days=1, seconds=2)',
        decimals: "Decimal('1.10')",
        uuids: "UUID('12345678123456781234567812345678')",
        'a long list': 'list(range(100))',
        'a long string': "'ä' * 100",
        'nested deeply': '[[[[[[1]]]]]]',
      }).map(([, args], i) => [`job-${String(i + 1).padStart(2, '0')}`, job('collect', args)]),
    ),
  },
  failures: {
    jobs: {
      'job-01': job('fail', "'value', 'boom'"),
      'job-02': job('fail', "'value'"),
      'job-03': job('fail', "'value', 1, 'two'"),
      'job-04': job('fail', "'key', 'missing'"),
      'job-05': job('fail', "'os', 2, 'No such file'"),
      'job-06': job('fail', "'zero', 'line one\\nline two'"),
      'job-07': job('fail_with_extra', 'False'),
      'job-08': job('fail_with_extra', 'True'),
      'job-09': job('sleep_briefly', String(LONG)),
    },
  },
  'jobs that fail before they start': {
    jobs: {
      'job-01': job('nowhere', '1, 2', {}, "{'c': 3}"),
      'job-02': job("it's"),
      'job-03': job('echo', '1', { job_try: 6 }),
      'job-04': job('tries_twice', '9', { job_try: 3 }),
      'job-05': job('tries_twice_keep_none', '9', { job_try: 3 }),
      'job-06': job('echo', "'aborted'"),
      'job-07': job('tries_twice_keep_none', "'aborted'"),
    },
    options: { allow_abort_jobs: true },
    seed: (redis) =>
      redis
        .multi()
        .zadd('arq:abort', Date.now(), 'job-06', Date.now(), 'job-07')
        .zadd('arq:queue', 1, 'job-08', 2, 'job-09')
        .set('arq:job:job-09', 'neither pickle nor msgpack', 'EX', 86_400)
        .exec(),
  },
  'results that cannot be written': {
    jobs: { 'job-01': job('unserializable'), 'job-02': job('spoil_arguments', '[1]') },
  },
  'jobs that run again': {
    jobs: {
      'job-01': job('tries', '3'),
      'job-02': job('tries', '2', {}, "{'defer': 0.25}"),
      'job-03': job('tries_twice', '9'),
      'job-04': job('retry_job'),
      'job-05': job('cancel_itself', '2'),
      'job-06': job('cancel_itself', '9'),
      'job-07': job('tries_twice_keep_none', '9'),
    },
  },
  'a deferral beyond the lifetime of the job': {
    jobs: { 'job-01': job('outlive_payload') },
    // A poll of arq 0.26.1 that has read the id before the job ends starts it again at once, whatever its new score is.
    options: { poll_delay: 2 },
  },
  'retry_jobs off': {
    jobs: {
      'job-01': job('tries', '2'),
      'job-02': job('tries', '2', {}, "{'defer': 5}"),
      'job-03': job('retry_job'),
      'job-04': job('cancel_itself', '2'),
    },
    options: { retry_jobs: false },
  },
  'a burst of two jobs at most': {
    jobs: {
      'job-01': job('echo', '1'),
      'job-02': job('echo', '2'),
      'job-03': job('echo', '3'),
      'job-04': job('echo', '4'),
    },
    // With fewer slots than that arq counts a job that ends twice, and may stop too soon.
    options: { max_burst_jobs: 2 },
  },
  'failures over msgpack': {
    codec: 'msgpack',
    jobs: { 'job-01': job('fail', "'value', 'boom'"), 'job-02': job('echo', "'value'"), 'job-03': job('nowhere') },
    seed: (redis) => redis.zadd('arq:queue', 1, 'job-04'),
  },
  'a cron job that runs at the start of a burst': { cron: { 'cron:tick': { run_at_startup: true } } },
  'an abort while the job runs': {
    jobs: { 'job-01': job('sleep', String(LONG)) },
    options: { allow_abort_jobs: true, burst: true },
    drive: async ({ redis, worker }) => {
      await worker.line(started('job-01'), PATIENT)
      await redis.zadd('arq:abort', Date.now(), 'job-01')
    },
  },
  'an abort, allow_abort_jobs not given': {
    jobs: { 'job-01': job('sleep', '1') },
    options: { burst: true },
    drive: async ({ redis, worker }) => {
      await worker.line(started('job-01'), PATIENT)
      await redis.zadd('arq:abort', Date.now(), 'job-01')
    },
  },
  'an abort of an earlier job of the same id': {
    jobs: { 'job-01': job('echo', '1') },
    options: { allow_abort_jobs: true },
    seed: (redis) => redis.zadd('arq:abort', Date.now() - 7_200_000, 'job-01'),
  },
  'handlers that answer a timeout': {
    jobs: { 'job-01': job('answer_timeout', "'return'"), 'job-02': job('answer_timeout', "'fail'") },
  },
  'handlers that answer an abort': {
    jobs: { 'job-01': job('answer_cancellation', "'return'"), 'job-02': job('answer_cancellation', "'fail'") },
    options: { allow_abort_jobs: true, burst: true },
    drive: async ({ redis, worker }) => {
      await worker.line(started('job-01'), PATIENT)
      await worker.line(started('job-02'), PATIENT)
      await redis.zadd('arq:abort', Date.now(), 'job-01', Date.now(), 'job-02')
    },
  },
  'handlers that answer a shutdown': {
    jobs: { 'job-01': job('answer_cancellation', "'return'"), 'job-02': job('answer_cancellation', "'fail'") },
    drive: async ({ worker }) => {
      await worker.line(started('job-01'), PATIENT)
      await worker.line(started('job-02'), PATIENT)
    },
  },
  // Without a burst: arq's worker ends at its next look at the queue.
  'a hook that fails before a job': {
    jobs: { 'job-01': job('echo', '1') },
    failingHooks: ['on_job_start'],
    drive: ({ redis, worker }) =>
      eventually(async () => worker.hasEnded || (await redis.zcard('arq:queue')) === 0, PATIENT),
  },
  'a hook that fails after a job': {
    jobs: { 'job-01': job('echo', '1') },
    failingHooks: ['on_job_end'],
    drive: ({ redis, worker }) =>
      eventually(async () => worker.hasEnded || (await redis.zcard('arq:queue')) === 0, PATIENT),
  },
  'a job at work': {
    jobs: { 'job-01': job('sleep', String(LONG)), 'job-02': job('echo', '1', { defer_by: LONG }) },
    drive: async ({ look, redis, worker }) => {
      await worker.line(started('job-01'), PATIENT)
      await eventually(() => redis.exists('arq:queue:health-check'), PATIENT)
      await look('at work')
    },
  },
  'a shutdown': stopped({}),
  'a shutdown that waits for running jobs': stopped({ job_completion_wait: 30 }, 1),
  'a shutdown that waits in vain': stopped({ job_completion_wait: 0.3 }),
  'a shutdown with retry_jobs off': stopped({ retry_jobs: false }),
  'a shutdown without jobs': { drive: ({ worker }) => worker.line(/(redis|valkey)_version/, PATIENT) },
  'the record of health': {
    jobs: { 'job-01': job('echo', '1') },
    options: { health_check_interval: 0.2 },
    drive: ({ worker }) => worker.line(/recording health.* j_complete=1 .* queued=0/, PATIENT),
  },
  'one of two workers stops': {
    drive: async ({ another, redis, worker, look }) => {
      await worker.line(/(redis|valkey)_version/, PATIENT)
      await eventually(() => redis.exists('arq:queue:health-check'), PATIENT)
      const other = await another()
      await other.line(/(redis|valkey)_version/, PATIENT)
      await other.stop()
      await look('with one left')
    },
  },
}
