// A worker of ours as a process of the fleet: each handler writes its start and its end into the ledger.
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { createLogger, cron, defineTask, Retry, Worker } from '@arq-ts/core'
import type { AnyTask, JobContext } from '@arq-ts/core'
import type { RunOutcome } from '../judge/entries.ts'
import { SKIPPING_TICK, TASKS, TICK } from '../plan/jobs.ts'
import type { TaskName } from '../plan/jobs.ts'
import { QUEUES } from '../plan/slots.ts'
import { connectionOptions, readAssignment } from './assignment.ts'
import { LedgerClient } from './ledger-client.ts'

const { worker: name, redis, ledgerPort, leaseMs, logLevel, maxJobs } = readAssignment()
const ledger = new LedgerClient(ledgerPort)
/**
 * The run of each try at work here; empty where the worker runs a try twice at once, and an end cannot be assigned. By try,
 * since a worker may claim a job again while an earlier try of its own waits for Redis, and end it without a run.
 */
const runs = new Map<string, string>()
const tryOf = ({ jobId, jobTry }: { jobId: string; jobTry: number }) => `${jobId} ${jobTry}`

type Body = (ctx: JobContext, run: string, ms: number, failures: number) => Promise<unknown>

const pause = (ctx: JobContext, ms: number) => sleep(ms, undefined, { signal: ctx.signal })

const bodies: Record<TaskName, Body> = {
  work: async (ctx, run, ms) => {
    await pause(ctx, ms)
    return run
  },
  flaky: async (ctx, run, ms, failures) => {
    await pause(ctx, ms)
    if (ctx.jobTry <= failures) throw new Retry({ deferMs: 100 * ctx.jobTry })
    return run
  },
  failing: async (ctx, run, ms) => {
    await pause(ctx, ms)
    throw new Error(`meant to fail in ${run}`)
  },
  stubborn: async (ctx, run, ms, failures) => {
    await pause(ctx, ms)
    if (ctx.jobTry <= failures) throw new Error(`meant to fail at first in ${run}`)
    return run
  },
  unique: async (ctx, run, ms) => {
    await pause(ctx, ms)
    return run
  },
}

/** The true time, in unix ms, also where this process's `Date` is off. */
const trueNow = () => String(Math.round(performance.timeOrigin + performance.now()))

/** Runs a body between its two entries in the ledger. */
async function record(ctx: JobContext, task: string, nonce: string, body: (run: string) => Promise<unknown>) {
  const run = `run:${randomBytes(8).toString('hex')}`
  const { jobId } = ctx
  runs.set(tryOf(ctx), runs.has(tryOf(ctx)) ? '' : run)
  await ledger.write({ event: 'start', nonce, jobId, task, at: trueNow(), run, worker: name })
  const end = (outcome: RunOutcome) => ledger.write({ event: 'end', nonce, jobId, run, worker: name, outcome })
  try {
    const value = await body(run)
    await end('returned')
    return value
  } catch (error) {
    await end(error instanceof Retry ? 'retry' : ctx.signal.aborted ? 'cancelled' : 'raised')
    throw error
  }
}

const tasks = (Object.keys(TASKS) as TaskName[]).map((task) =>
  defineTask({
    name: task,
    ...TASKS[task],
    ...(task === 'stubborn' ? { retry: { delayMs: 200, backoff: 'exponential', jitter: true } as const } : {}),
    handler: (ctx, nonce: string, ms: number, failures: number) =>
      record(ctx, task, nonce, (run) => bodies[task](ctx, run, ms, failures)),
  }),
) as unknown as AnyTask[]

const tick = (task: string) => (ctx: JobContext) =>
  record(ctx, task, ctx.jobId, async () => {
    await pause(ctx, task === SKIPPING_TICK ? 700 : 20)
  })

const worker = new Worker({
  ...connectionOptions(redis),
  name,
  tasks,
  cron: [
    cron(TICK, { second: null, microsecond: 0 }, tick(TICK), { timeZone: 'UTC' }),
    cron(SKIPPING_TICK, { second: null, microsecond: 0 }, tick(SKIPPING_TICK), { timeZone: 'UTC', overlap: 'skip' }),
  ],
  queues: QUEUES,
  leaseMs,
  maxJobs,
  jobTimeoutMs: 20_000,
  abortGraceMs: 1_000,
  jobCompletionWaitMs: 500,
  healthCheckIntervalMs: 5_000,
  handOff: true,
  logger: createLogger({ level: logLevel as 'warn' }),
})

/** The run of a try that is over; empty if it had none. */
const take = (event: { jobId: string; jobTry: number }) => {
  const run = runs.get(tryOf(event)) ?? ''
  runs.delete(tryOf(event))
  return run
}
worker.on('jobFinished', (event) => {
  const { jobId, outcome } = event
  void ledger.write({ event: 'settled', jobId, run: take(event), worker: name, outcome })
})
worker.on('jobRetried', take)
worker.on('jobReleased', take)
worker.on('leaseLost', (event) => {
  void ledger.write({ event: 'leaseLost', jobId: event.jobId, run: take(event), worker: name })
})
worker.on('jobEnqueued', ({ jobId }) => void ledger.write({ event: 'ticked', jobId, worker: name }))
worker.on('redisDown', () => void ledger.write({ event: 'down', worker: name }))
worker.on('redisUp', () => void ledger.write({ event: 'up', worker: name }))
worker.on('started', () => {
  void ledger.write({ event: 'boot', worker: name })
  console.log('ready')
})

await worker.run()
await ledger.close()
