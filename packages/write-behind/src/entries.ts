import { OptionsError } from '@arq-ts/core'
import type { DirtyPlace, SizedState } from './key-record.ts'
import type { Store } from './store.ts'

/** Keys that are read from Redis at once. */
const STEP = 500
/** Keys that are looked at for one page. */
const BUDGET = 2_000

/** A key whose value waits to be persisted. */
export interface DirtyEntry {
  key: string
  /**
   * `waiting`: until its delay is over; `overdue`: past its time; `running`: somebody persists it; `dead`: it failed for
   * good, and waits for a write, a flush or the retry of its dead letter.
   */
  status: 'waiting' | 'overdue' | 'running' | 'dead'
  /** `module:name` of the function that persists it. */
  persister: string
  version: number
  /** Size of the value in Redis. */
  bytes: number
  /** Time at which it should be persisted; null for a dead one. */
  dueAt: Date | null
  /** Since when the key is dirty; null for a dead one. */
  since: Date | null
  /** Reason why it failed for good; null unless it did. */
  error: string | null
}

/** Filter of the dirty keys that are listed. */
export interface EntryFilter {
  /** Maximum number of entries. Default: all. */
  limit?: number
  /** Only these. */
  status?: DirtyEntry['status']
}

/** One page of dirty keys. */
export interface EntryPageRequest {
  /** Entries at most. Default 50, at most 500. */
  limit?: number
  /** Only these. */
  status?: DirtyEntry['status']
  /** The cursor of the page before; null or absent for the first. */
  cursor?: string | null
}

/** A page of dirty keys. */
export interface EntryPage {
  entries: DirtyEntry[]
  /** Goes into the next request; null when nothing is left. A page may be empty and not the last one. */
  cursor: string | null
}

/** The dirty keys, the most overdue first and the dead last. */
export async function dirtyEntries(store: Store, { limit = Infinity, status }: EntryFilter): Promise<DirtyEntry[]> {
  const entries: DirtyEntry[] = []
  const keys = status === 'dead' ? await store.dead() : await store.dirty()
  for (let at = 0; at < keys.length && entries.length < limit; at += STEP) {
    for (const entry of await entriesOf(store, keys.slice(at, at + STEP))) {
      if (status === undefined || entry.status === status) entries.push(entry)
    }
  }
  return entries.slice(0, limit)
}

/** One page of the same. Its cost does not grow with the number of pages before it. @throws OptionsError for a cursor that no page has given. */
export async function entryPage(store: Store, { cursor, limit = 50, status }: EntryPageRequest): Promise<EntryPage> {
  const entries: DirtyEntry[] = []
  let place = cursor ? readCursor(cursor) : null
  for (let looked = 0; looked < BUDGET && entries.length < limit;) {
    const size = status === undefined ? limit : STEP
    const places = await store.dirtyPage(place, size, status === 'dead')
    const byKey = new Map(
      (
        await entriesOf(
          store,
          places.map(({ key }) => key),
        )
      ).map((entry) => [entry.key, entry]),
    )
    for (const each of places) {
      place = each
      const entry = byKey.get(each.key)
      if (entry && (status === undefined || entry.status === status)) entries.push(entry)
      if (entries.length === limit) break
    }
    if (places.length < size && (places.length === 0 || place === places.at(-1))) return { entries, cursor: null }
    looked += places.length
  }
  return { entries, cursor: place && Buffer.from(JSON.stringify(place)).toString('base64url') }
}

function readCursor(cursor: string): DirtyPlace {
  try {
    const { key, score } = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as Record<string, unknown>
    if (typeof key === 'string' && typeof score === 'string' && /^(-?\d+(\.\d+)?(e[+-]?\d+)?|inf)$/.test(score))
      return { key, score }
  } catch {
    // The message below says what to do.
  }
  throw new OptionsError('page: the cursor is none that a page has given; begin again without one')
}

/** Dirty keys among these. */
export async function entriesOf(store: Store, keys: readonly string[]): Promise<DirtyEntry[]> {
  const [{ nowMs, sized }, since] = await Promise.all([store.sizes(keys), store.dirtySince(keys)])
  return keys.flatMap((key, i) => {
    const state = sized.get(key)
    return state ? [toEntry(key, state, since[i] ?? null, nowMs)] : []
  })
}

function toEntry(key: string, { bytes, state }: SizedState, sinceMs: number | null, nowMs: number): DirtyEntry {
  const { dead, dueMs, lock } = state
  const { persister, version } = state.pending!
  const isHeld = lock !== null && lock.untilUs > nowMs * 1_000
  const status = dead ? 'dead' : isHeld ? 'running' : dueMs < nowMs ? 'overdue' : 'waiting'
  return {
    key,
    status,
    persister,
    version,
    bytes,
    dueAt: dead ? null : new Date(dueMs),
    since: dead || sinceMs === null ? null : new Date(sinceMs),
    error: dead?.error ?? null,
  }
}
