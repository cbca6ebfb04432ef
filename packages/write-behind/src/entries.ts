import type { KeyState } from './plan.ts'
import type { Store } from './store.ts'

/** Keys that are read from Redis at once. */
const PAGE = 500

/** A key whose value waits to be persisted. */
export interface DirtyEntry {
  key: string
  /**
   * `waiting`: until its delay is over; `overdue`: past its time; `running`: somebody persists it; `dead`: it failed for
   * good, and waits for a write, a flush or the replay of its dead letter.
   */
  status: 'waiting' | 'overdue' | 'running' | 'dead'
  /** `module:name` of the function that persists it. */
  persister: string
  version: number
  /** Size of the value in Redis. */
  bytes: number
  /** When it should be persisted; null for a dead one. */
  dueAt: Date | null
  /** Since when the key is dirty; null for a dead one. */
  since: Date | null
  /** Why it failed for good; null unless it did. */
  error: string | null
}

/** The dirty keys, the most overdue first and the dead last. */
export async function dirtyEntries(store: Store, filter: EntryFilter): Promise<DirtyEntry[]> {
  const { limit = Infinity, status } = filter
  const entries: DirtyEntry[] = []
  const keys = status === 'dead' ? await store.dead() : await store.dirty()
  for (let at = 0; at < keys.length && entries.length < limit; at += PAGE) {
    for (const entry of await entriesOf(store, keys.slice(at, at + PAGE))) {
      if (status === undefined || entry.status === status) entries.push(entry)
    }
  }
  return entries.slice(0, limit)
}

/** Which dirty keys are listed. */
export interface EntryFilter {
  /** At most so many. Default: all. */
  limit?: number
  /** Only these. */
  status?: DirtyEntry['status']
}

/** Those of the keys that are dirty. */
export async function entriesOf(store: Store, keys: readonly string[]): Promise<DirtyEntry[]> {
  const [{ records, timeUs }, since] = await Promise.all([store.snapshot(keys), store.dirtySince(keys)])
  const nowUs = timeUs()
  return keys.flatMap((key, i) => {
    const state = records.get(key)?.state
    return state?.pending ? [toEntry(key, state, since[i] ?? null, nowUs)] : []
  })
}

function toEntry(key: string, state: KeyState, sinceMs: number | null, nowUs: number): DirtyEntry {
  const { dead, dueMs, lock } = state
  const { persister, value, version } = state.pending!
  const isHeld = lock !== null && lock.untilUs > nowUs
  const status = dead ? 'dead' : isHeld ? 'running' : dueMs * 1_000 < nowUs ? 'overdue' : 'waiting'
  return {
    key,
    status,
    persister,
    version,
    bytes: value.length,
    dueAt: dead ? null : new Date(dueMs),
    since: dead || sinceMs === null ? null : new Date(sinceMs),
    error: dead?.error ?? null,
  }
}
