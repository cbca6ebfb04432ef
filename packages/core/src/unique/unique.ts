import * as z from '../options/zod.ts'
import { OptionsError } from '../errors.ts'
import { duration, MAX_DEFER_MS } from '../options/check.ts'
import { shortKey } from '../options/short-key.ts'
import type { UniqueRules } from '../redis/unique-jobs.ts'

/**
 * At most one job under a key. Jobs have ids of their own: a kept result blocks nothing. The key belongs to the job that
 * was enqueued last under it, and to nobody once that job has started, ended, or its time is over.
 */
export interface Unique {
  /** The key, whatever the function: `sync:42`. Beyond 512 characters its beginning and a digest stand for it. */
  key: string
  /**
   * `start`: until the job first starts. `end` (default): until it has left the queue, in whatever way. A number: for so
   * many ms from its due time, or until it fails or is removed; a job that ends well keeps the time while its result is kept.
   */
  until?: 'start' | 'end' | number
  /**
   * Policy for a call whose key is taken. `reject` (default): it is not enqueued. `replace`: its data and its due time
   * take the place of the job's. `debounce`: its data does, and the job waits until no call came for `quietMs`.
   * `throttle`: its data does, and the job keeps its time; jobs of the key are `quietMs` apart.
   */
  onConflict?: 'reject' | 'replace' | 'debounce' | 'throttle'
  /** Quiet or distance in ms, for `debounce` and `throttle`; required there. */
  quietMs?: number
  /** Longest time that calls can put a `debounce` off, in ms from the first. Default 10 × `quietMs`. */
  maxWaitMs?: number
}

/** @internal */
export const uniqueSchema = z.strictObject({
  key: z.string().min(1),
  until: z.union([z.enum(['start', 'end']), duration(1, MAX_DEFER_MS)]).optional(),
  onConflict: z.enum(['reject', 'replace', 'debounce', 'throttle']).optional(),
  quietMs: duration(1, MAX_DEFER_MS).optional(),
  maxWaitMs: duration(1, MAX_DEFER_MS).optional(),
})

/** @throws OptionsError */
export function rulesOf({ key, until = 'end', onConflict = 'reject', quietMs, maxWaitMs }: Unique): UniqueRules {
  const isPaced = onConflict === 'debounce' || onConflict === 'throttle'
  if (isPaced && quietMs === undefined) throw new OptionsError(`enqueue: unique '${onConflict}' needs 'quietMs'`)
  if (!isPaced && quietMs !== undefined)
    throw new OptionsError(`enqueue: 'quietMs' is for 'debounce' and 'throttle', not for '${onConflict}'`)
  if (onConflict !== 'debounce' && maxWaitMs !== undefined)
    throw new OptionsError(`enqueue: 'maxWaitMs' is for 'debounce', not for '${onConflict}'`)
  return { key: shortKey(key), until, onConflict, quietMs: quietMs ?? 0, maxWaitMs: maxWaitMs ?? 10 * (quietMs ?? 0) }
}

/** True where the next owner may be enqueued while the key's job runs, and must wait for its end. */
export function isSerial({ until, onConflict }: UniqueRules): boolean {
  return until === 'end' && onConflict !== 'reject'
}
