import { showId } from '@arq-ts/protocol/jobs'
import type { CronHistory } from '@arq-ts/core'
import type { GlobalArgs } from '../args.ts'
import { EXIT } from '../exit.ts'
import { countText, instantText, spanText } from '../output.ts'
import type { Column } from '../output.ts'
import { withSession } from '../session.ts'

/** One tick of a cron job; what it did not do is null. */
interface TickRow {
  name: string
  at: Date
  /** The outcome in words: `ran`, `late`, `overlapping`, `failed`, `aborted`, `left out`, `missed`. */
  what: string
  delayMs: number | null
  tookMs: number | null
  workerId: string | null
  jobId: string | null
}

const columns = (nowMs: number): readonly Column<TickRow>[] => [
  { title: 'cron job', cell: (row) => row.name, min: 12 },
  { title: 'tick', cell: (row) => instantText(row.at, nowMs) ?? '–', min: 19 },
  { title: 'outcome', cell: (row) => row.what },
  { title: 'began after', cell: (row) => durationText(row.delayMs), align: 'right', drop: 2 },
  { title: 'took', cell: (row) => durationText(row.tookMs), align: 'right' },
  { title: 'worker', cell: (row) => (row.workerId === null ? '–' : showId(row.workerId)), min: 8, drop: 1 },
]

function durationText(ms: number | null): string {
  return ms === null ? '–' : spanText(Math.max(0, ms))
}

/** `cron history` */
export function cronHistory(args: GlobalArgs & { name?: string | undefined; limit: number }): Promise<number> {
  return withSession(args, async ({ client, out, nowMs }) => {
    const jobs = (await client.history.cron()).filter(({ name }) => args.name === undefined || name === args.name)
    const all = jobs.flatMap(rowsOf).sort((a, b) => b.at.getTime() - a.at.getTime())
    const incomplete =
      all.length > args.limit ? [`${countText(args.limit)} of ${countText(all.length)} ticks; --limit shows more`] : []
    if (jobs.some(({ language }) => language === 'python'))
      incomplete.push('of Python only ticks whose results are kept are known')
    const about = args.name === undefined ? 'any cron job' : showId(args.name)
    out.list(all.slice(0, args.limit), columns(nowMs), {
      name: 'ticks',
      none: `no tick of ${about} is recorded`,
      incomplete,
    })
    return jobs.length > 0 || args.name === undefined ? EXIT.ok : EXIT.no
  })
}

function rowsOf({ name, ticks, missed }: CronHistory): TickRow[] {
  const none = { delayMs: null, tookMs: null, workerId: null, jobId: null }
  return [
    ...ticks.map(({ atMs, delayMs, tookMs, workerId, jobId, ...tick }): TickRow => {
      return { name, at: new Date(atMs), what: outcomeText(tick), delayMs, tookMs, workerId, jobId }
    }),
    ...missed.map((atMs): TickRow => ({ name, at: new Date(atMs), what: 'missed', ...none })),
  ]
}

function outcomeText({
  outcome,
  isLate,
  overlaps,
}: Pick<CronHistory['ticks'][number], 'outcome' | 'isLate' | 'overlaps'>): string {
  if (outcome === 'overlap') return 'left out: the one before ran'
  if (outcome === 'late') return 'left out: Redis was away'
  if (outcome === 'paused') return 'left out: paused'
  const marks = [isLate && 'late', overlaps && 'overlapping'].filter((mark) => mark !== false)
  const ended = outcome === 'complete' ? 'ran' : outcome
  return [ended, ...marks].join(', ')
}
