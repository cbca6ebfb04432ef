import { NonRetryableError } from '@arq-ts/core'
import type { BatchPersister, Persister, Persisters } from './options.ts'

/** True when a write can be persisted here. */
export function hasPersister(persisters: Persisters, reference: string): boolean {
  return lookUp(persisters, reference) !== undefined
}

/** The function that a write names. @throws NonRetryableError when it is none that may be called. */
export function findPersister(persisters: Persisters, reference: string): Persister {
  const persister = lookUp(persisters, reference)
  if (persister) return persister
  const known = Object.entries(persisters).flatMap(([each, names]) => Object.keys(names).map((one) => `${each}:${one}`))
  throw new NonRetryableError(
    `no persister ${reference} is allowed here; known are ${known.length === 0 ? 'none' : known.join(', ')}`,
  )
}

/** The batch form of the function that a write names; undefined where it has none, or may not be called. */
export function batchPersisterOf(persisters: Persisters, reference: string): BatchPersister | undefined {
  return lookUp(persisters, reference)?.persistMany
}

function lookUp(persisters: Persisters, reference: string): Persister | undefined {
  const [module = '', name = ''] = reference.split(':')
  const functions = Object.hasOwn(persisters, module) ? persisters[module]! : undefined
  return functions && Object.hasOwn(functions, name) ? functions[name] : undefined
}
