/** What becomes of a collection that is to be deleted, decided without Qdrant, clock or queue. */

/** One wish to delete a collection. */
export interface Deletion {
  collection: string
  /** When it was asked for, in unix ms. The grace period counts from here, once. */
  enqueuedAtMs: number
  /** How long to wait, in ms. */
  graceMs: number
}

/** What to do next. */
export type Action =
  /** The grace period is not over: come back, and hold no slot meanwhile. */
  | { kind: 'wait'; forMs: number }
  /** It is over: look at the aliases, and decide again. */
  | { kind: 'look' }
  | { kind: 'skip'; reason: 'collection_has_aliases' | 'name_is_an_alias' }
  | { kind: 'delete' }

/**
 * Clocks of producer, Redis and worker differ by milliseconds; a deferral by so little would spend a try on nothing.
 */
const EARLY_BY_MS = 1_000

/**
 * @param aliases - every alias with its collection, as they are now; null when nobody has looked yet.
 * @param nowMs - unix ms.
 */
export function decide(deletion: Deletion, aliases: ReadonlyMap<string, string> | null, nowMs: number): Action {
  const leftMs = deletion.enqueuedAtMs + deletion.graceMs - nowMs
  if (leftMs > EARLY_BY_MS) return { kind: 'wait', forMs: Math.ceil(leftMs) }
  if (aliases === null) return { kind: 'look' }
  if (aliasesOf(deletion.collection, aliases).length > 0) return { kind: 'skip', reason: 'collection_has_aliases' }
  if (aliases.has(deletion.collection)) return { kind: 'skip', reason: 'name_is_an_alias' }
  return { kind: 'delete' }
}

/** The aliases that point to a collection. */
export function aliasesOf(collection: string, aliases: ReadonlyMap<string, string>): string[] {
  return [...aliases].filter(([, target]) => target === collection).map(([alias]) => alias)
}
