import { randomUUID } from 'node:crypto'
import { NonRetryableError, RemoteError } from '@arq-ts/core'
import { asError } from '@arq-ts/protocol/errors'
import { findPersister } from './allow-list.ts'
import { endOf } from './end-of.ts'
import type { Persisters } from './options.ts'
import type { Aftermath, Newer, Outcome, Pending } from './plan.ts'
import type { Store } from './store.ts'
import { decode } from './value.ts'

/** In a row without letting go of the key, for those who came meanwhile. */
const MAX_ROUNDS = 20
/** Time a persister may take to end once its signal has fired; after that the key goes to others. */
export const GRACE_MS = 1_000

/** Outcome of persisting a key. */
export type Persisted =
  /** `version` is the last that this call persisted, null when there was nothing to do. A newer version has its own job. */
  | { kind: 'done'; version: number | null }
  /** Another call persists the key, this write included. */
  | { kind: 'busy' }
  /** It failed for good, and a job that brings the newest value was asked for. */
  | { kind: 'handed over'; error: Error }

/** Options of `persistKey`. */
export interface PersistOptions {
  persisters: Persisters
  lockMs: number
  /** The job it runs for; null for a flush, which leaves the dead letter of its key where it is. */
  jobId: string | null
  /** Ends the call: the persister gets it, and one that does not heed it is left alone after `graceMs`. */
  signal: AbortSignal
  /** Milliseconds; default 1,000. */
  graceMs?: number
  /** Asks for the job that brings a value, unless it was asked for. */
  bring: (newer: Newer) => Promise<void>
  /** Decides about a value that could not be persisted. */
  aftermath: (error: Error, pending: Pending) => Aftermath
}

/**
 * Persists what waits for one key. One call at a time does: others leave it to that one.
 *
 * @throws what the persister throws, or why the signal fired; the value waits on. NonRetryableError that names the key
 *   when nobody else will come again.
 */
export async function persistKey(store: Store, key: string, options: PersistOptions): Promise<Persisted> {
  const { bring, graceMs = GRACE_MS, jobId, lockMs, persisters } = options
  const token = randomUUID()
  const begun = await store.apply(key, { kind: 'begin', token, jobId, lockMs })
  if (begun.kind === 'clean') return { kind: 'done', version: null }
  if (begun.kind !== 'persist') return { kind: 'busy' }

  const lost = new AbortController()
  const signal = AbortSignal.any([options.signal, lost.signal])
  const renewing = setInterval(() => {
    store.apply(key, { kind: 'renew', token, lockMs }).then(
      ({ kind }) => kind === 'lost' && lost.abort(new Error(`another run has overtaken this one of '${key}'`)),
      () => {}, // the lock lapses, or the next one comes through
    )
  }, lockMs / 3)

  let { pending } = begun
  let outcome: Outcome
  try {
    for (let round = 1; ; round++) {
      signal.throwIfAborted()
      const { persister, value, version } = pending
      const persist = findPersister(persisters, persister)
      await endOf(signal, graceMs, () => persist(key, decode(value), { version, signal }))
      outcome = await store.apply(key, { kind: 'persisted', token, version, mayGoOn: round < MAX_ROUNDS })
      if (outcome.kind !== 'again') break
      pending = outcome.pending
    }
  } catch (thrown) {
    const error = asError(thrown)
    return await afterFailure(store, key, { token, error, pending }, options)
  } finally {
    clearInterval(renewing)
  }
  if (outcome.kind === 'lost') return { kind: 'busy' }
  // Its writer has asked for it; but may have died before that.
  if (outcome.kind === 'newer') await bring(outcome)
  return { kind: 'done', version: pending.version }
}

async function afterFailure(
  store: Store,
  key: string,
  { error, pending, token }: { error: Error; pending: Pending; token: string },
  { aftermath, bring }: PersistOptions,
): Promise<Persisted> {
  const { version } = pending
  const after = aftermath(error, pending)
  const message = `${error.name}: ${error.message}`
  const outcome = await store
    .apply(key, { kind: 'failed', token, version, error: message, ...after })
    .catch(() => ({ kind: 'released' }) as const) // the lock lapses
  if (outcome.kind === 'lost') return { kind: 'busy' }
  if (outcome.kind === 'clean') return { kind: 'done', version: null } // one that had been overtaken persisted it
  if (outcome.kind === 'newer') {
    await bring(outcome)
    if (after.then === 'die') return { kind: 'handed over', error }
  }
  throw after.then === 'die' ? finalError(key, version, error) : error
}

/**
 * The error of the dead letter. A RemoteError is thrown on as it is: the persister chose it for Python to raise, and only
 * the value itself knows where it came from. One rebuilt from another job's result would lose that, and could be pickled
 * as a class that Python then calls.
 */
function finalError(key: string, version: number, error: Error): Error {
  if (error instanceof RemoteError) return error
  return new NonRetryableError(
    `'${key}', version ${version}, could not be persisted: ${error.message}; its newest value is kept: ` +
      `retry this job, or write or flush the key, to try again`,
    { cause: error },
  )
}
