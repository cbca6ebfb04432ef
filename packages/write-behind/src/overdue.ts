import type { DirtyPlace } from './key-record.ts'
import type { Store } from './store.ts'

/** Keys that one command reads. */
const PAGE = 1_000

/**
 * Keys whose value is overdue by this much, the most overdue first; without the dead. They are read page by page: a database
 * that was away leaves any number.
 */
export async function* overdueKeys(store: Store, byMs: number): AsyncGenerator<string> {
  const latestMs = (await store.nowMs()) - byMs
  let page: DirtyPlace[] = []
  do {
    page = await store.dirtyPage(page.at(-1) ?? null, PAGE, false)
    for (const { key, score } of page) {
      if (!(Number(score) <= latestMs)) return // that of a dead key is no number
      yield key
    }
  } while (page.length === PAGE)
}
