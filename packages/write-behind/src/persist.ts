import { randomUUID } from 'node:crypto'
import { NonRetryableError } from '@arq-ts/core'
import type { Persister, Persisters } from './options.ts'
import type { Pending } from './plan.ts'
import type { Store } from './store.ts'
import { decode } from './value.ts'

/** In a row without letting go of the key, for those who came meanwhile. */
const MAX_ROUNDS = 20

/** How persisting a key ended. */
export type Persisted =
  /** Nothing waits any more; `version` is the last that this call persisted, null when there was nothing to do. */
  | { kind: 'clean'; version: number | null }
  /** A newer write waits for the job of this epoch. */
  | { kind: 'newer'; version: number; epoch: number; delayMs: number }
  /** Another call persists the key, this write included. */
  | { kind: 'busy' }

/** The function that a write names. @throws NonRetryableError when it is none that may be called. */
export function findPersister(persisters: Persisters, reference: string): Persister {
  const [module = '', name = ''] = reference.split(':')
  const functions = Object.hasOwn(persisters, module) ? persisters[module]! : undefined
  const persister = functions && Object.hasOwn(functions, name) ? functions[name] : undefined
  if (persister) return persister
  const known = Object.entries(persisters).flatMap(([each, names]) => Object.keys(names).map((one) => `${each}:${one}`))
  throw new NonRetryableError(
    `no persister ${reference} is allowed here; known are ${known.length === 0 ? 'none' : known.join(', ')}`,
  )
}

/**
 * Persists what waits for one key. One call at a time does: others leave it to that one.
 *
 * @throws what the persister throws; the value waits on.
 */
export async function persistKey(
  store: Store,
  key: string,
  options: { persisters: Persisters; lockMs: number; signal: AbortSignal },
): Promise<Persisted> {
  const { lockMs, persisters, signal } = options
  const token = randomUUID()
  const begun = await store.apply(key, { kind: 'begin', token, lockMs })
  if (begun.kind === 'clean') return { kind: 'clean', version: null }
  if (begun.kind !== 'persist') return { kind: 'busy' }
  const renewing = setInterval(
    () => void store.apply(key, { kind: 'renew', token, lockMs }).catch(() => {}),
    lockMs / 3,
  )
  try {
    let pending: Pending = begun.pending
    for (let round = 1; ; round++) {
      const persister = findPersister(persisters, pending.persister)
      await persister(key, decode(pending.value), { version: pending.version, signal })
      const { version } = pending
      const outcome = await store.apply(key, { kind: 'persisted', token, version })
      if (outcome.kind === 'again' && round < MAX_ROUNDS) pending = outcome.pending
      else if (outcome.kind === 'again') {
        await store.apply(key, { kind: 'failed', token })
        throw new Error(`'${key}' changes faster than it can be persisted; the newest value waits for the next run`)
      } else if (outcome.kind === 'newer') return { ...outcome, version }
      else if (outcome.kind === 'lost') return { kind: 'busy' }
      else return { kind: 'clean', version }
    }
  } catch (error) {
    await store.apply(key, { kind: 'failed', token }).catch(() => {}) // the lock lapses by itself
    throw error
  } finally {
    clearInterval(renewing)
  }
}
