import { setTimeout as sleep } from 'node:timers/promises'
import { cron, defineTask } from '@arq-ts/core'
import type { CronJob, JobContext, Task, TaskPackage } from '@arq-ts/core'
import { z } from 'zod'
import { aftermathOf } from './aftermath.ts'
import { Batcher } from './batch/batcher.ts'
import { bringPending, carriesPending, epochOf } from './jobs.ts'
import { checkOptions } from '@arq-ts/core/task-kit'
import { keySchema, tasksSchema } from './options.ts'
import type { PersistCacheOptions } from './options.ts'
import { overdueKeys } from './overdue.ts'
import { GRACE_MS, persistKey } from './persist.ts'
import type { Aftermath, Newer, Pending } from './plan.ts'
import { Store } from './store.ts'
import { encode } from './value.ts'

/** A write that waits this long past its time has lost its job: its producer died between the write and the enqueue. */
const OVERDUE_MS = 60_000
const MAX_RETRY_DELAY_MS = 60_000
/** Interval at which a job looks whether the flush or the batch that holds its key is done. */
const HOLD_POLL_MS = 50
const MARGIN_MS = 1_000

/** Result of a job; Python's keys. */
export interface PersistResult {
  status: 'success'
  key: string
  /** In seconds. */
  duration: number
  /** The version that was persisted; null when there was nothing to do: a newer write was, or is about to be. */
  version: number | null
}

type PersistInput = {
  key: string
  value: unknown
  persist_func_module: string
  persist_func_name: string
  delay?: number | undefined
}

/** The task `persist_cache`, and the cron job that finds writes without a job. */
export interface PersistCache extends TaskPackage {
  tasks: readonly [Task<PersistInput, PersistResult>]
  cron: readonly [CronJob]
}

/**
 * Makes the tasks of write-behind: `new Worker({ redis, ...persistCache({ redis, persisters }) })`.
 *
 * @throws OptionsError
 */
export function persistCache(options: PersistCacheOptions): PersistCache {
  const { batchSize, batchTimeoutMs, keyPrefix, lockMs, maxTries, persisters, redis, retryDelayMs } = checkOptions(
    'persistCache',
    tasksSchema,
    options,
  )
  const store = new Store(redis, keyPrefix)
  const batches = new Batcher({
    store,
    persisters,
    lockMs,
    size: batchSize,
    timeoutMs: batchTimeoutMs,
    graceMs: GRACE_MS,
  })
  const task = defineTask({
    name: 'persist_cache',
    params: z.object({
      key: keySchema,
      value: z.unknown(),
      persist_func_module: z.string().min(1),
      persist_func_name: z.string().min(1),
      delay: z.number().min(0).default(1),
    }),
    maxTries,
    retry: { delayMs: retryDelayMs, maxDelayMs: MAX_RETRY_DELAY_MS },
    handler: async (ctx, input): Promise<PersistResult> => {
      const before = performance.now()
      if (epochOf(ctx.jobId) === null) await adoptPythonWrite(ctx, input)
      const version = await persist(ctx, input)
      return { status: 'success', key: input.key, duration: (performance.now() - before) / 1_000, version }
    },
  })

  /** A job of ours only says that something waits. Python's has the value itself, as old as the job. */
  async function adoptPythonWrite(ctx: JobContext, input: PersistInput): Promise<void> {
    const { key, value } = input
    const version = ctx.enqueueTime.getTime() * 1_000
    const outcome = await store.apply(key, {
      kind: 'write',
      value: encode(value, 'pickle'),
      persister: referenceOf(input),
      delayMs: 0,
      version,
    })
    // Its own version was persisted by a run of it that was not settled.
    if (outcome.kind !== 'superseded' || outcome.by === version) return
    ctx.log.warn(
      `'${key}': the value of this job, enqueued ${ctx.enqueueTime.toISOString()}, is left out: ` +
        `a newer one of ${new Date(outcome.by / 1_000).toISOString()} is known`,
    )
  }

  async function persist(ctx: JobContext, input: PersistInput): Promise<number | null> {
    const { key } = input
    const { log, signal } = ctx
    await batches.idle(signal)
    // Most jobs find their key done: a batch took it along.
    if ((await store.state(key)).pending === null) return null
    const bring = (key: string, newer: Newer) => bringPending(ctx.client, key, newer, ctx.queueName)
    const remove = (jobId: string, queueName: string) => ctx.client.jobs.remove(jobId, { queueName })
    const inBatch = await batches.join(key, referenceOf(input), { signal, log, bring, remove })
    const giveUpAt = performance.now() + lockMs + MARGIN_MS
    for (;;) {
      const outcome = await persistKey(store, key, {
        persisters,
        lockMs,
        jobId: ctx.jobId,
        signal,
        bring: (newer) => bring(key, newer),
        aftermath: (error, pending) => aftermath(ctx, input, error, pending),
      })
      if (outcome.kind === 'done') return outcome.version ?? inBatch
      if (outcome.kind === 'handed over') {
        log.warn({ err: outcome.error }, `'${key}': no more tries of this job; one that brings the newest value comes`)
        return null
      }
      // Should a flush or a batch die with its process, nobody else would come for its key.
      const holdMs = performance.now() < giveUpAt ? await store.joblessHoldMs(key) : null
      if (holdMs === null) return null
      await sleep(Math.min(holdMs + 1, HOLD_POLL_MS), undefined, { signal })
    }
  }

  function aftermath(ctx: JobContext, input: PersistInput, error: Error, pending: Pending): Aftermath {
    const { code, deferMs } = error as { code?: unknown; deferMs?: unknown }
    const { jobTry, signal } = ctx
    return aftermathOf({
      code,
      deferMs: code === 'ARQ_RETRY' && typeof deferMs === 'number' ? deferMs : undefined,
      cutBy: signal.aborted ? (signal.reason as { code?: unknown }).code : null,
      jobTry,
      maxTries,
      retryMs: Math.min(retryDelayMs * 2 ** (jobTry - 1), MAX_RETRY_DELAY_MS),
      carriesValue: carriesPending(input.value, referenceOf(input), pending),
      epoch: epochOf(ctx.jobId),
    })
  }

  const sweep = cron(
    'cron:write-behind-sweep',
    { second: 30 },
    async (ctx: JobContext) => {
      for await (const key of overdueKeys(store, OVERDUE_MS)) {
        const { askedIn, epoch, pending } = await store.state(key)
        if (!pending) continue
        await bringPending(ctx.client, key, { epoch, pending, delayMs: 0 }, askedIn ?? undefined).catch(
          (error: unknown) =>
            ctx.log.error({ err: error }, `'${key}' waits, and no job could be asked for; the next sweep tries again`),
        )
      }
    },
    { keepResultMs: 0 },
  )
  return {
    tasks: [task],
    cron: [sweep],
    onShutdown: async () => {
      await batches.close()
      await store.close()
    },
  }
}

function referenceOf(input: PersistInput): string {
  return `${input.persist_func_module}:${input.persist_func_name}`
}
