import { showId } from '@arq-ts/protocol/jobs'
import type { GlobalArgs } from '../args.ts'
import { CommandError, EXIT } from '../exit.ts'
import { countText, spanText } from '../output.ts'
import type { Column } from '../output.ts'
import { searchOf, UNSEEN_QUEUES, withSession } from '../session.ts'
import type { Session } from '../session.ts'

const DAY_MS = 86_400_000
/** Days for which workers' records are kept. */
const MAX_DAYS = 35

/** One queue on one day, which begins at midnight UTC. */
interface DayRow {
  day: string
  queueName: string
  complete: number
  failed: number
  aborted: number
  retried: number
  /** Dead letters that are kept still and failed on that day, whoever ran them. */
  dead: number
  /** Durations of runs and waits in ms; null where nothing ran. */
  runP50Ms: number | null
  runP95Ms: number | null
  waitP95Ms: number | null
}

const columns: readonly Column<DayRow>[] = [
  { title: 'day (UTC)', cell: (row) => row.day },
  { title: 'queue', cell: (row) => showId(row.queueName), min: 8 },
  { title: 'complete', cell: (row) => countText(row.complete), align: 'right' },
  { title: 'failed', cell: (row) => countText(row.failed), align: 'right' },
  { title: 'aborted', cell: (row) => countText(row.aborted), align: 'right', drop: 2 },
  { title: 'retried', cell: (row) => countText(row.retried), align: 'right', drop: 1 },
  { title: 'dead', cell: (row) => countText(row.dead), align: 'right' },
  { title: 'run p50', cell: (row) => msText(row.runP50Ms), align: 'right', drop: 3 },
  { title: 'run p95', cell: (row) => msText(row.runP95Ms), align: 'right', drop: 4 },
  { title: 'wait p95', cell: (row) => msText(row.waitP95Ms), align: 'right', drop: 5 },
]

function msText(ms: number | null): string {
  return ms === null ? '–' : spanText(ms)
}

/** `queue history` */
export function history(args: GlobalArgs & { name?: string | undefined; days: number }): Promise<number> {
  if (args.days > MAX_DAYS) throw new CommandError(`--days is at most ${MAX_DAYS}: records are kept for that long`)
  return withSession(args, async (session) => {
    const { out } = session
    const { days, rows } = await read(session, args)
    const incomplete = await gaps(session, args, { days, rows })
    const where = args.name === undefined ? 'any queue' : showId(args.name)
    out.list(rows, columns, { name: 'history', none: `no record of ${where} in ${args.days} d`, incomplete })
    return EXIT.ok
  })
}

async function read(
  { client, nowMs }: Session,
  { name, days: count }: { name?: string | undefined; days: number },
): Promise<{ days: string[]; rows: DayRow[] }> {
  const todayMs = Math.floor(nowMs / DAY_MS) * DAY_MS
  const rows = new Map<string, DayRow>()
  const rowOf = (fromMs: number, queueName: string): DayRow => {
    const day = dayText(fromMs)
    const none = { complete: 0, failed: 0, aborted: 0, retried: 0, dead: 0, runP50Ms: null, runP95Ms: null }
    const row = rows.get(`${day} ${queueName}`) ?? { day, queueName, ...none, waitP95Ms: null }
    rows.set(`${day} ${queueName}`, row)
    return row
  }
  const days = Array.from({ length: count }, (_, i) => todayMs - i * DAY_MS)
  for (const fromMs of days) {
    const toMs = Math.min(fromMs + DAY_MS, nowMs)
    for (const { key, counts, run, wait } of await client.history.totals({ by: 'queue', fromMs, toMs, queue: name })) {
      const { complete, failed, aborted, retried } = counts
      const durations = { runP50Ms: run.p50Ms, runP95Ms: run.p95Ms, waitP95Ms: wait.p95Ms }
      Object.assign(rowOf(fromMs, key.queue ?? ''), { complete, failed, aborted, retried, ...durations })
    }
  }
  const letters = await client.deadLetters.summaries(name === undefined ? {} : { queueName: name })
  for (const { queueName, failedAt } of letters) {
    const fromMs = Math.floor(failedAt.getTime() / DAY_MS) * DAY_MS
    if (days.includes(fromMs)) rowOf(fromMs, queueName).dead++
  }
  const order = (row: DayRow) => `${row.day} ${row.queueName}`
  return { days: days.map(dayText), rows: [...rows.values()].sort((a, b) => (order(a) < order(b) ? 1 : -1)) }
}

/** Everything that the record does not hold, a sentence each. */
async function gaps(
  session: Session,
  { name }: { name?: string | undefined },
  { days, rows }: { days: readonly string[]; rows: readonly DayRow[] },
): Promise<string[]> {
  const { client } = session
  const { names, complete } =
    name === undefined
      ? await client.queues.names({ ...searchOf(session), only: 'served' })
      : { names: [name], complete: true }
  const { python } = await client.workers.fleet(names)
  const incomplete = python.map(
    ({ queueName }) => `${showId(queueName)}: a Python worker serves it, and what Python workers run is not recorded`,
  )
  if (!complete) incomplete.push(UNSEEN_QUEUES)
  const missing = days.filter((day) => !rows.some((row) => row.day === day))
  if (missing.length > 0) {
    const which = missing.length === 1 ? missing[0] : `${missing.length} days, ${missing.at(-1)} to ${missing[0]}`
    incomplete.push(`nothing is recorded of ${which}: no job ended, or no arq-ts worker kept a record`)
  }
  return incomplete
}

function dayText(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}
