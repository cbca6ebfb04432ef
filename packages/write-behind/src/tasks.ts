import { pathToFileURL } from 'node:url'
import { resolve } from 'node:path'
import { cron, defineTask, OptionsError } from '@arq-ts/core'
import type { Client, CreateTasks, CronJob, JobContext, Task, TaskPackage } from '@arq-ts/core'
import { z } from 'zod'
import { checked } from './options.ts'
import type { Persister, Persisters } from './options.ts'
import { persistKey } from './persist.ts'
import { encode } from './value.ts'
import { Store } from './store.ts'
import type { RedisTarget } from './store.ts'
import { persistJobId } from './write-behind.ts'

/** A write that waits for so long past its time has lost its job: its producer died between the write and the enqueue. */
const OVERDUE_MS = 60_000

/** What a job gives back; Python's keys. */
export interface PersistResult {
  status: 'success'
  key: string
  /** In seconds. */
  duration: number
  /** The version that was persisted; null when there was nothing to do: a newer write was, or is about to be. */
  version: number | null
}

/** What the tasks need. */
export interface PersistCacheOptions {
  redis: RedisTarget
  /** Functions that may be called, by module and name. */
  persisters: Persisters
  keyPrefix?: string
  /** In ms; default 30,000. */
  lockMs?: number
  /** Tries before the job is dead; its value waits on. Default 3. */
  maxTries?: number
  /** Milliseconds before the second try, doubled with each. Default 1,000. */
  retryDelayMs?: number
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

/** Makes the tasks of write-behind: `new Worker({ redis, ...persistCache({ redis, persisters }) })`. */
export function persistCache(options: PersistCacheOptions): PersistCache {
  const { persisters, lockMs = 30_000, maxTries = 3, retryDelayMs = 1_000 } = options
  const store = new Store(options.redis, options.keyPrefix ?? '')
  const task = defineTask({
    name: 'persist_cache',
    params: z.object({
      key: z.string().min(1),
      value: z.unknown(),
      persist_func_module: z.string().min(1),
      persist_func_name: z.string().min(1),
      delay: z.number().min(0).default(1),
    }),
    maxTries,
    retry: { delayMs: retryDelayMs, maxDelayMs: 60_000 },
    handler: async (ctx, input): Promise<PersistResult> => {
      const before = performance.now()
      const version = await run(ctx, input)
      return { status: 'success', key: input.key, duration: (performance.now() - before) / 1_000, version }
    },
  })

  async function run(ctx: JobContext, input: PersistInput): Promise<number | null> {
    const { key, value, persist_func_module, persist_func_name } = input
    // A job of ours only says that something waits. Python's has the value itself, as old as the job.
    if (!ctx.jobId.startsWith('write-behind:')) {
      const outcome = await store.apply(key, {
        kind: 'write',
        value: encode(value, 'pickle'),
        persister: `${persist_func_module}:${persist_func_name}`,
        delayMs: 0,
        version: ctx.enqueueTime.getTime() * 1_000,
      })
      // Its own first try left it pending where it failed: that is this very write, and not superseded.
      if (outcome.kind === 'superseded' && ctx.jobTry === 1) return null
    }
    const outcome = await persistKey(store, key, { persisters, lockMs, signal: ctx.signal })
    if (outcome.kind === 'busy') return null
    if (outcome.kind === 'newer') await nudge(ctx.client, key, outcome.epoch, outcome.delayMs)
    return outcome.version
  }

  const sweep = cron(
    'cron:write-behind-sweep',
    { second: 30 },
    async (ctx: JobContext) => {
      for (const key of await store.dirty(Date.now() - OVERDUE_MS)) await nudge(ctx.client, key, Date.now() * 1_000, 0)
    },
    { keepResultMs: 0 },
  )
  return { tasks: [task], cron: [sweep], onShutdown: () => store.close() }
}

/** The job of a writer that may have died before it asked for it. */
async function nudge(client: Client, key: string, epoch: number, delayMs: number): Promise<void> {
  await client.enqueue('persist_cache', [], {
    jobId: persistJobId(key, epoch),
    deferByMs: delayMs,
    kwargs: {
      key,
      value: null,
      persist_func_module: 'write-behind',
      persist_func_name: 'nudge',
      delay: delayMs / 1_000,
    },
  })
}

const packageSchema = z.strictObject({
  persisters: z
    .record(z.string().min(1), z.string().min(1))
    .refine((modules) => Object.keys(modules).length > 0, 'Expected at least one module of persisters'),
  lockMs: z.number().min(1_000).optional(),
  maxTries: z.number().int().min(1).optional(),
  retryDelayMs: z.number().min(0).optional(),
})

/**
 * What `arq-ts worker` loads: `tasks: [{ use: '@arq-ts/write-behind', with: { persisters: { 'app.db': './persisters.js' } } }]`.
 * Each module's exported functions may be called under the name on the left.
 *
 * @throws OptionsError when a module cannot be imported or exports no function.
 */
export const createTasks: CreateTasks = async (options, environment) => {
  const settings = checked('@arq-ts/write-behind', packageSchema, options)
  const persisters: Record<string, Record<string, Persister>> = {}
  for (const [name, file] of Object.entries(settings.persisters))
    persisters[name] = await functionsOf(name, file, environment.folder)
  const { redis, keyPrefix } = environment
  const { lockMs, maxTries, retryDelayMs } = settings
  return persistCache({
    redis: redis as RedisTarget,
    keyPrefix,
    persisters,
    ...(lockMs === undefined ? {} : { lockMs }),
    ...(maxTries === undefined ? {} : { maxTries }),
    ...(retryDelayMs === undefined ? {} : { retryDelayMs }),
  })
}

async function functionsOf(name: string, file: string, folder: string): Promise<Record<string, Persister>> {
  const isPath = file.startsWith('.') || file.startsWith('/')
  let exports: Record<string, unknown>
  try {
    exports = (await import(isPath ? pathToFileURL(resolve(folder, file)).href : file)) as Record<string, unknown>
  } catch (error) {
    throw new OptionsError(
      `@arq-ts/write-behind: \`persisters.${name}\`: ${file} cannot be imported: ${(error as Error).message}`,
    )
  }
  const functions = Object.entries(exports).filter(
    (entry): entry is [string, Persister] => typeof entry[1] === 'function',
  )
  if (functions.length === 0) {
    throw new OptionsError(
      `@arq-ts/write-behind: \`persisters.${name}\`: ${file} exports no function (key, value, write)`,
    )
  }
  return Object.fromEntries(functions)
}
