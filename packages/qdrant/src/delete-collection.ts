import { defineTask, Retry } from '@arq-ts/core'
import type { JobContext, RetryPolicy, Task } from '@arq-ts/core'
import type { QdrantClient } from '@qdrant/js-client-rest'
import { z } from 'zod'
import { graceSchema, nameSchema } from './check.ts'
import { decide } from './deletion.ts'
import type { Deletion } from './deletion.ts'
import { ask, QdrantError, readAliases } from './qdrant.ts'

/** The task's name on the wire. */
export const DELETE_COLLECTION = 'delete_collection'

/** How long a collection is kept by default, in minutes. */
export const DEFAULT_GRACE_MINUTES = 60

/** What the task returns; `duration` is in seconds, of the run that ended it. */
export type DeletionResult =
  /** `already_gone`: somebody else, or an earlier try whose answer was lost, had deleted it. */
  | { status: 'success'; collection: string; reason?: 'already_gone'; duration: number }
  /** It is in use again, or there is no such collection: the name is an alias's. */
  | { status: 'skipped'; collection: string; reason: 'collection_has_aliases' | 'name_is_an_alias'; duration: number }
  /** Qdrant refuses, and would again: a wrong key, no right to. */
  | { status: 'failed'; collection: string; error: string; duration: number }

/** Settings of the task. */
export interface DeleteCollectionOptions {
  /** Tries before the job fails for good and is kept as a dead letter. Default 150: with the default policy, a day. */
  maxTries?: number
  /** When a try that Qdrant left unanswered is repeated. Default: after 5 s, doubling up to 10 min. */
  retry?: RetryPolicy
}

const params = z.object({
  collection_name: nameSchema,
  grace_period_minutes: graceSchema.default(DEFAULT_GRACE_MINUTES),
})

/**
 * The task `delete_collection(collection_name, grace_period_minutes = 60)`: deletes a collection once the grace period
 * is over and no alias points to it.
 *
 * The grace period counts from the enqueue time. A job that comes sooner goes back to the queue, and spends one try.
 * While Qdrant is away or slow the job is tried again by `retry`.
 *
 * @throws OptionsError
 */
export function deleteCollectionTask(
  qdrant: QdrantClient,
  options: DeleteCollectionOptions = {},
): Task<z.input<typeof params>, DeletionResult> {
  return defineTask({
    maxTries: 150,
    retry: { delayMs: 5_000, maxDelayMs: 600_000, jitter: 0.2 },
    ...options,
    name: DELETE_COLLECTION,
    params,
    handler: async (ctx, { collection_name: collection, grace_period_minutes }) => {
      const began = performance.now()
      const deletion = { collection, enqueuedAtMs: ctx.enqueueTime.getTime(), graceMs: grace_period_minutes * 60_000 }
      const outcome = await carryOut(qdrant, deletion, ctx)
      if (outcome.status === 'failed') ctx.log.error(outcome.error)
      return { ...outcome, collection, duration: (performance.now() - began) / 1000 }
    },
  })
}

type Outcome<R = DeletionResult> = R extends unknown ? Omit<R, 'collection' | 'duration'> : never

async function carryOut(qdrant: QdrantClient, deletion: Deletion, ctx: JobContext): Promise<Outcome> {
  // A job is claimed when Redis finds it due: its score holds where this machine's clock is behind.
  const now = () => Math.max(ctx.score, Date.now())
  const what = `${DELETE_COLLECTION} ${deletion.collection}`
  try {
    let action = decide(deletion, null, now())
    if (action.kind === 'look') {
      const aliases = await untilCut(ctx.signal, () => readAliases(what, qdrant))
      action = decide(deletion, aliases, now())
    }
    if (action.kind === 'wait') throw new Retry({ deferMs: action.forMs })
    if (action.kind === 'skip') return { status: 'skipped', reason: action.reason }
    // Qdrant has no deletion on condition: between the aliases' answer and this call lies one round trip.
    const remove = () => ask(what, () => qdrant.deleteCollection(deletion.collection))
    const existed = await untilCut(ctx.signal, remove)
    return existed ? { status: 'success' } : { status: 'success', reason: 'already_gone' }
  } catch (error) {
    if (error instanceof QdrantError && !error.temporary) return { status: 'failed', error: error.message }
    throw error
  }
}

/** Gives a call up when the job is aborted, timed out or handed back; Qdrant's client takes no signal. */
async function untilCut<T>(signal: AbortSignal, call: () => Promise<T>): Promise<T> {
  signal.throwIfAborted()
  let stopListening = () => {}
  const cut = new Promise<never>((_, reject) => {
    const onAbort = () => reject(signal.reason as Error)
    signal.addEventListener('abort', onAbort)
    stopListening = () => signal.removeEventListener('abort', onAbort)
  })
  try {
    return await Promise.race([call(), cut])
  } finally {
    stopListening()
  }
}
