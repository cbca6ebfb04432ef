import { types } from 'node:util'
import { defineTask, Retry } from '@arq-ts/core'
import type { JobContext, RetryPolicy, Task } from '@arq-ts/core'
import type { QdrantClient } from '@qdrant/js-client-rest'
import { z } from 'zod'
import { checkOptions } from '@arq-ts/core/task-kit'
import { checkArguments, graceSchema, nameSchema } from './check.ts'
import { allows, decide } from './deletion.ts'
import type { Action, Deletion, SkipReason } from './deletion.ts'
import { ask, QdrantError, readAliases } from './qdrant.ts'
import { snapshotOf } from './snapshot.ts'

/** The task's name on the wire. */
export const DELETE_COLLECTION = 'delete_collection'

/** Time a collection is kept by default, in minutes. */
export const DEFAULT_GRACE_MINUTES = 60

/** Result of the task; `duration` is in seconds, of the run that ended it. */
export type DeletionResult =
  /**
   * `already_gone`: somebody else, or an earlier try whose answer was lost, had deleted it. `snapshot`: the name of the one
   * that was made before.
   */
  | { status: 'success'; collection: string; reason?: 'already_gone'; snapshot?: string; duration: number }
  /**
   * It is in use again; there is no such collection, and the name is an alias's; the worker's rules do not allow it; or the
   * worker only says what it would delete.
   */
  | { status: 'skipped'; collection: string; reason: SkipReason | 'dry_run'; duration: number }
  /** Qdrant refuses, and would again: a wrong key, no right to. */
  | { status: 'failed'; collection: string; error: string; duration: number }

/** Settings of the task. */
export interface DeleteCollectionOptions {
  /** Tries before the job fails for good and is kept as a dead letter. Default 150: with the default policy, a day. */
  maxTries?: number
  /** Waits before a try that Qdrant left unanswered is repeated. Default: after 5 s, doubling up to 10 min. */
  retry?: RetryPolicy
  /**
   * Collections that may be deleted: names, in which `*` stands for any characters, or regular expressions. All others are
   * skipped at once. Default: every collection; an empty list allows none.
   */
  deletable?: string | RegExp | readonly (string | RegExp)[]
  /**
   * Makes a snapshot of the collection before it is deleted, and waits for it as long as the client waits for a call; where
   * it cannot be made, nothing is deleted. Qdrant keeps the snapshot when the collection is gone. Default false.
   */
  snapshot?: boolean
  /** Does all but the snapshot and the deletion, and logs what would be deleted. Default false. */
  dryRun?: boolean
}

const clientSchema = z.custom<QdrantClient>(
  (value) => typeof (value as Partial<QdrantClient> | null)?.deleteCollection === 'function',
  'Expected a client of @qdrant/js-client-rest',
)
const RULE = 'Expected a name such as products-*, or a regular expression'
const rule = z.union([z.string().regex(/^[a-zA-Z0-9_*-]{1,255}$/, RULE), z.custom<RegExp>(types.isRegExp)], RULE)
/** Settings that are not the task's own. */
export const deletionShape = {
  deletable: z.union([rule.transform((one) => [one]), z.array(rule)], `${RULE}, or a list of them`).optional(),
  snapshot: z.boolean('Expected true or false').default(false),
  dryRun: z.boolean('Expected true or false').default(false),
}
type Rules = z.output<z.ZodObject<typeof deletionShape>>

const params = z.object({
  collection_name: nameSchema,
  grace_period_minutes: graceSchema.default(DEFAULT_GRACE_MINUTES),
})

/**
 * The task `delete_collection(collection_name, grace_period_minutes = 60)`: deletes a collection once the grace period
 * is over and no alias points to it.
 *
 * The grace period counts from the enqueue time. A job that comes sooner goes back to the queue, and spends one try.
 * While Qdrant is away or slow the job is tried again by `retry`. What `deletable` does not name is skipped at once.
 *
 * @throws OptionsError; ArgumentsError for what is no client of Qdrant.
 */
export function deleteCollectionTask(
  qdrant: QdrantClient,
  options: DeleteCollectionOptions = {},
): Task<z.input<typeof params>, DeletionResult> {
  checkArguments('deleteCollectionTask', z.object({ qdrant: clientSchema }), { qdrant })
  return deletionTask({ calls: qdrant, snapshots: qdrant }, options)
}

/** Clients of one Qdrant. A snapshot takes longer than a call may. */
interface QdrantConnections {
  calls: QdrantClient
  snapshots: QdrantClient
}

/** The same task, with a client of its own for snapshots. @throws OptionsError */
export function deletionTask(
  connections: QdrantConnections,
  options: DeleteCollectionOptions,
): Task<z.input<typeof params>, DeletionResult> {
  // `defineTask` checks the options of the task.
  const own = { maxTries: z.unknown().optional(), retry: z.unknown().optional() }
  const { maxTries, retry, ...rules } = checkOptions(
    'deleteCollectionTask',
    z.strictObject({ ...deletionShape, ...own }),
    options,
  )
  const task = Object.fromEntries(
    Object.entries({ maxTries, retry }).filter(([, value]) => value !== undefined),
  ) as Pick<DeleteCollectionOptions, 'maxTries' | 'retry'>
  return defineTask({
    maxTries: 150,
    retry: { delayMs: 5_000, maxDelayMs: 600_000, jitter: 0.2 },
    ...task,
    name: DELETE_COLLECTION,
    params,
    handler: async (ctx, { collection_name: collection, grace_period_minutes }) => {
      const began = performance.now()
      const deletion: Deletion = {
        collection,
        enqueuedAtMs: ctx.enqueueTime.getTime(),
        graceMs: grace_period_minutes * 60_000,
        isDeletable: allows(rules.deletable, collection),
      }
      const outcome = await carryOut(connections, deletion, rules, ctx)
      report(outcome, collection, ctx)
      return { ...outcome, collection, duration: (performance.now() - began) / 1000 }
    },
  })
}

type Outcome<R = DeletionResult> = R extends unknown ? Omit<R, 'collection' | 'duration'> : never

function report(outcome: Outcome, collection: string, { log }: JobContext): void {
  if (outcome.status === 'failed') log.error(outcome.error)
  if (outcome.status !== 'skipped') return
  if (outcome.reason === 'dry_run') log.info(`dry run: '${collection}' would be deleted now`)
  if (outcome.reason === 'not_deletable')
    log.warn(`'${collection}' is not deleted: \`deletable\` of this worker does not name it`)
}

async function carryOut(
  connections: QdrantConnections,
  deletion: Deletion,
  rules: Rules,
  ctx: JobContext,
): Promise<Outcome> {
  const { calls: qdrant, snapshots } = connections
  // A job is claimed when Redis finds it due: its score holds where this machine's clock is behind.
  const now = () => Math.max(ctx.score, Date.now())
  const what = `${DELETE_COLLECTION} ${deletion.collection}`
  const look = async (): Promise<Action> => {
    const aliases = await untilCut(ctx.signal, () => readAliases(what, qdrant))
    return decide(deletion, aliases, now())
  }
  try {
    let action = decide(deletion, null, now())
    if (action.kind === 'look') action = await look()
    let snapshot: string | null = null
    if (action.kind === 'delete' && rules.snapshot && !rules.dryRun) {
      const sinceMs = deletion.enqueuedAtMs + deletion.graceMs
      const make = () => snapshotOf(snapshots, what, deletion.collection, sinceMs)
      snapshot = await untilCut(ctx.signal, make)
      // It may have taken an hour, in which somebody has begun to use the collection again.
      action = await look()
    }
    if (action.kind === 'wait') throw new Retry({ deferMs: action.forMs })
    if (action.kind === 'skip') return { status: 'skipped', reason: action.reason }
    if (rules.dryRun) return { status: 'skipped', reason: 'dry_run' }
    // Qdrant has no deletion on condition: between the aliases' answer and this call lies one round trip.
    const remove = () => ask(what, () => qdrant.deleteCollection(deletion.collection))
    const existed = await untilCut(ctx.signal, remove)
    const kept = snapshot === null ? {} : { snapshot }
    return existed ? { status: 'success', ...kept } : { status: 'success', reason: 'already_gone', ...kept }
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
