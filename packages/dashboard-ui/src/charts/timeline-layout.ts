/** Places of tries on the folded time of a job: running time to scale, waits of one width. Pure. */

import type { TryRow } from '@arq-ts/dashboard/api'

/** A try with its places in px. */
export interface Place {
  row: TryRow
  /** Positions at which its wait begins, it starts, and it ends. */
  wait: number
  start: number
  end: number
  waitedMs: number | null
  ranMs: number | null
}

/** Places all tries within a width. A try that runs still ends `now`; one that waits has an open end of a fixed width. */
export function layout(tries: readonly TryRow[], width: number, now: number, waitWidth: number): Place[] {
  const ran = tries.map((row) => (row.startedMs === null ? null : Math.max(0, (row.finishedMs ?? now) - row.startedMs)))
  const total = ran.reduce<number>((sum, ms) => sum + (ms ?? 0), 0)
  const least = 6
  const open = 44
  const fixed = tries.length * (waitWidth + least) + tries.filter(({ outcome }) => outcome === 'waiting').length * open
  const free = Math.max(0, width - fixed)
  let x = 0
  return tries.map((row, i) => {
    const wait = x
    const start = wait + waitWidth
    const end =
      start + (row.outcome === 'waiting' ? open : least + (total > 0 ? ((ran[i] ?? 0) / total) * free * 0.8 : 0))
    x = end
    const due = row.startedMs ?? (row.outcome === 'waiting' ? null : row.finishedMs)
    return {
      row,
      wait,
      start,
      end,
      ranMs: ran[i] ?? null,
      waitedMs: row.fromMs === null || due === null ? null : Math.max(0, due - row.fromMs),
    }
  })
}
