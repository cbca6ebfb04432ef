import { OptionsError } from '@arq-ts/core'
import type { Client } from '@arq-ts/core'
import { isWellFormed } from '@arq-ts/protocol/jobs'
import { z } from 'zod'
import { checkOptions, keyPrefixOption, redisOption } from '@arq-ts/core/task-kit'
import type { RedisTarget } from '@arq-ts/core/task-kit'

/** Argument of a persister in addition to the key and the value of a write. */
export interface Write {
  /** Grows with every write of the key. A store that keeps it can refuse what is older: then nothing ever goes backwards. */
  version: number
  /** Fires when the job is aborted, times out or its worker stops. */
  signal: AbortSignal
}

/**
 * Makes one value durable. What it throws is retried; `NonRetryableError` is not. It may run twice for one version.
 *
 * One with a `persistMany` is a batch persister: a worker hands it all values that are due, many at a time, and calls the
 * function itself only for a key that failed in a batch, or that comes alone.
 */
export interface Persister {
  (key: string, value: unknown, write: Write): unknown
  persistMany?: BatchPersister
}

/** One write of a batch. No two writes of a batch have the same key. */
export interface BatchWrite {
  key: string
  value: unknown
  /** Grows with every write of the key. */
  version: number
}

/** A write of a batch that failed alone. */
export interface WriteFailure {
  key: string
  error: unknown
}

/**
 * Makes many values durable, by one statement, say. It gives those that failed alone, if any. What it throws fails the
 * whole call, which is then repeated with smaller batches until the values that fail are found.
 */
export type BatchPersister = (
  writes: readonly BatchWrite[],
  options: { signal: AbortSignal },
) => Promise<readonly WriteFailure[] | void>

/** Persisters by module and name, as Python names them. Nothing else can be called. */
export type Persisters = Readonly<Record<string, Readonly<Record<string, Persister>>>>

/** Options of `new WriteBehind()`. */
export interface WriteBehindOptions {
  /** Enqueues `persist_cache`. */
  client: Client
  /** Redis of the cache: a URL, ioredis options, or an ioredis client whose settings are copied. */
  redis: RedisTarget
  /** Put before every key; for Redis Cluster a hash tag such as `'{cache}:'`. Default none. */
  keyPrefix?: string
  /** Functions that make values durable. A service that only writes needs none, unless it flushes. */
  persisters?: Persisters
  /** Codec of values. Default `json`. */
  codec?: 'json' | 'msgpack' | 'pickle'
  /** A persister that gives no sign of life for this long, its process stopped, may be overtaken. In ms; default 30,000. */
  lockMs?: number
  /**
   * Keys that may wait to be persisted, of all services together. A write that would make one more dirty waits for room; a
   * write of a key that waits already is always taken. Default 100,000; `Infinity` for no limit.
   */
  maxPending?: number
  /** Time such a write waits for room, in ms, before it is refused with CacheFullError. Default 5,000; 0 refuses at once. */
  pendingWaitMs?: number
}

/** Context of a loader. */
export interface LoadContext {
  key: string
  /**
   * Larger than the token of every load before: a store that keeps it can refuse a loader that was overtaken. Null where
   * the value will not be cached, because a write that was deleted from the cache is about to be persisted.
   */
  token: number | null
  /** Fires when the load has taken longer than `timeoutMs`. */
  signal: AbortSignal
}

/** Options of one `getOrLoad`. */
export interface LoadOptions {
  /** Time the cache keeps what was loaded, in ms; 0 for ever. Default 3,600,000. */
  ttlMs?: number
  /** Time others wait for a loader whose process has died, in ms. A living one extends it. Default 10,000. */
  leaseMs?: number
  /** Time the call may take, in ms, its waiting for others included. Default 30,000. */
  timeoutMs?: number
}

/** Options of one `writeBehind`. */
export interface WriteOptions {
  /** `module:name` of the function that persists the value. */
  persister: string
  /** Time the write may wait for others of its key, in ms. Default 1,000. */
  delayMs?: number
  /** Time the cache keeps the value, in ms; 0 for ever. Default 3,600,000. The write itself waits until it is persisted. */
  ttlMs?: number
}

/** Options of the tasks. */
export interface PersistCacheOptions {
  redis: RedisTarget
  /** Functions that may be called, by module and name. */
  persisters: Persisters
  keyPrefix?: string
  /** In ms; default 30,000. */
  lockMs?: number
  /** Tries before the job is dead; its value waits on. Default 3. */
  maxTries?: number
  /** Milliseconds before the second try, doubled with each up to a minute. Default 1,000. */
  retryDelayMs?: number
  /** Values that a batch persister gets at once. Default 1,000, at most 5,000. */
  batchSize?: number
  /** Time one batch may take, in ms, before its keys are persisted one by one. Default 10,000. */
  batchTimeoutMs?: number
}

const ms = (min: number) => z.number('Expected a number of ms').min(min).max(31_557_600_000)
const hasMethod = (name: string, expected: string) =>
  z.custom<object>((value) => typeof (value as Record<string, unknown> | null)?.[name] === 'function', expected)

const shared = {
  redis: redisOption,
  keyPrefix: keyPrefixOption.default(''),
  persisters: z.record(
    z.string(),
    z.record(
      z.string(),
      z.custom<Persister>((value) => typeof value === 'function', 'Expected a function'),
    ),
  ),
  lockMs: ms(1_000).default(30_000),
}

/** A key is part of names in Redis, which are UTF-8. */
export const keySchema = z
  .string('Expected a string that is not empty')
  .min(1, 'Expected a string that is not empty')
  .refine(isWellFormed, 'Expected a string without halves of surrogate pairs')
export const optionsSchema = z.strictObject({
  ...shared,
  client: hasMethod('enqueue', 'Expected a Client of @arq-ts/core'),
  persisters: shared.persisters.default({}),
  codec: z.enum(['json', 'msgpack', 'pickle']).default('json'),
  maxPending: z
    .union([z.literal(Infinity), z.number().int().min(1)], 'Expected a whole number of keys from 1, or Infinity')
    .default(100_000),
  pendingWaitMs: ms(0).default(5_000),
})
const tries = {
  maxTries: z.number().int('Expected a whole number').min(1).default(3),
  retryDelayMs: ms(0).default(1_000),
  batchSize: z.number('Expected a whole number from 1 to 5000').int().min(1).max(5_000).default(1_000),
  batchTimeoutMs: ms(1).default(10_000),
}
export const tasksSchema = z.strictObject({ ...shared, ...tries })
export const packageSchema = z.strictObject({
  persisters: z
    .record(z.string().min(1), z.string('Expected a path or a package').min(1))
    .refine((modules) => Object.keys(modules).length > 0, 'Expected at least one module of persisters'),
  lockMs: shared.lockMs,
  ...tries,
})
export const writeSchema = z.strictObject({
  persister: z.string().regex(/^[^:\s]+:[^:\s]+$/, 'Expected module:name, such as app.db:save_user'),
  delayMs: ms(0).default(1_000),
  ttlMs: ms(0).default(3_600_000),
})
export const loadSchema = z.strictObject({
  ttlMs: ms(0).default(3_600_000),
  leaseMs: ms(100).default(10_000),
  timeoutMs: ms(1).default(30_000),
})
export const entriesSchema = z.strictObject({
  limit: z.number().int().min(1).optional(),
  status: z.enum(['waiting', 'overdue', 'running', 'dead']).optional(),
})
export const pageSchema = z.strictObject({
  limit: z.number().int().min(1).max(500).optional(),
  status: entriesSchema.shape.status,
  cursor: z.string().nullable().optional(),
})
/** A loader. */
export const loaderSchema = z.custom<(context: LoadContext) => unknown>(
  (value) => typeof value === 'function',
  'Expected a function',
)
export const setSchema = z.strictObject({ ttlMs: ms(0).default(3_600_000) })
export const flushSchema = z.strictObject({ timeoutMs: ms(1).default(10_000) })

/**
 * Checks one argument of a method.
 *
 * @throws OptionsError that names the method, the argument, what was expected and what came.
 */
export function checkedArgument<S extends z.ZodType>(
  where: string,
  name: string,
  schema: S,
  value: unknown,
): z.output<S> {
  return checkOptions(where, z.strictObject({ [name]: schema }), { [name]: value })[name] as z.output<S>
}

/**
 * Checks the key of a method. The message shows the key, while `checkOptions` hides the value of a field called `key`.
 *
 * @throws OptionsError
 */
export function checkedKey(where: string, key: unknown): string {
  const { data, error } = keySchema.safeParse(key)
  if (data !== undefined) return data
  const isPromise = typeof (key as Partial<Promise<unknown>> | null | undefined)?.then === 'function'
  const shown = typeof key === 'object' && key !== null ? 'an object' : (JSON.stringify(key) ?? String(key))
  const got = isPromise ? '`a promise`; await it first' : `\`${shown}\``
  throw new OptionsError(
    `${where}: ${error!.issues[0]!.message.replace('Expected', 'Expected `key` to be')}, got ${got}`,
  )
}

/** Refuses `undefined`, which `get` returns for a miss. @throws OptionsError */
export function checkedValue(where: string, value: unknown): void {
  if (value === undefined) throw new OptionsError(`${where}: Expected \`value\`, got \`undefined\`; null is a value`)
}
