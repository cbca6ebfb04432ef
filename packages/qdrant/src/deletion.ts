/** Decisions about a collection that is to be deleted, made without Qdrant, clock or queue. */

import { types } from 'node:util'

/** One wish to delete a collection. */
export interface Deletion {
  collection: string
  /** Time of the request, in unix ms. The grace period counts from here, once. */
  enqueuedAtMs: number
  /** Time to wait, in ms. */
  graceMs: number
  /** The rules of this worker allow it to be deleted. */
  isDeletable: boolean
}

/** Reason to leave a collection alone. */
export type SkipReason = 'collection_has_aliases' | 'name_is_an_alias' | 'not_deletable'

/** Next step. */
export type Action =
  /** The grace period is not over: come back, and hold no slot meanwhile. */
  | { kind: 'wait'; forMs: number }
  /** It is over: look at the aliases, and decide again. */
  | { kind: 'look' }
  | { kind: 'skip'; reason: SkipReason }
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
  if (!deletion.isDeletable) return { kind: 'skip', reason: 'not_deletable' }
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

/**
 * Decides by rules if a collection may be deleted: names, in which `*` stands for any characters, or expressions that find
 * something in the name. No rules allow every collection; an empty list allows none.
 */
export function allows(rules: readonly (string | RegExp)[] | undefined, collection: string): boolean {
  return rules === undefined || rules.some((rule) => expressionOf(rule).test(collection))
}

function expressionOf(rule: string | RegExp): RegExp {
  // A global or sticky one would begin its next search where it ended its last.
  if (types.isRegExp(rule)) return new RegExp(rule.source, rule.flags.replace(/[gy]/g, ''))
  return new RegExp(`^${rule.replaceAll(/[^*\w]/g, String.raw`\$&`).replaceAll('*', '.*')}$`)
}
