import type { Book } from './book.ts'
import type { Explainer } from './explain.ts'
import type { JudgeOptions } from './judge-options.ts'
import { percentile } from './percentile.ts'

/** A tick that was not as it should be. */
export interface TickCase {
  tick: string
  explanation: string | undefined
  detail: string
}

export interface TickVerdict {
  ran: number
  /** Ticks that ran more than once. */
  doubled: TickCase[]
  /** Ticks that began later than `LATE_MS` after their time. */
  late: (TickCase & { lateMs: number })[]
  /** Ticks of the one that comes each second that never began. */
  missed: TickCase[]
  lateP99Ms: number | undefined
}

/** A tick that begins later than this is late. */
const LATE_MS = 1_000
/** Ticks are enqueued two seconds ahead at most; a fault of that time can hit them. */
const AHEAD_MS = 2_500
/** A tick whose worker dies is not tried again; it may begin this long after its time. */
const PATIENCE_MS = 30_000

/** Explains what Python arq does on its own. */
export const ARQ = 'arq'

/** Due time of a tick, in unix ms: its id ends in it. */
export function dueTime(jobId: string): number {
  return Number(jobId.slice(jobId.lastIndexOf(':') + 1))
}

/** Judges cron ticks: each once, in time. Ids are `<name>:<unix ms>`. */
export function judgeTicks(book: Book, explainer: Explainer, options: JudgeOptions): TickVerdict {
  const verdict: TickVerdict = { ran: 0, doubled: [], late: [], missed: [], lateP99Ms: undefined }
  const delays: number[] = []
  const seconds = new Set<number>()
  for (const { jobId, task, runs } of book.stories.values()) {
    const [first, again] = runs
    if (jobId === undefined || !first || !options.tickNames.includes(task)) continue
    const dueMs = dueTime(jobId)
    if (task === options.everySecond) seconds.add(Math.floor(dueMs / 1000))
    verdict.ran++
    const lateMs = first.startMs - dueMs
    delays.push(lateMs)
    if (again) {
      const ran = runs.map((run) => `${run.worker} +${((run.startMs - dueMs) / 1000).toFixed(1)} s`).join(', ')
      const tickers = book.tickers.get(jobId) ?? []
      const failover = explainer.during('', dueMs - AHEAD_MS, again.startMs).find(({ kind }) => kind === 'failover')
      // Otherwise only arq excuses it: its workers enqueue a tick that they reach late and that has run already.
      const explanation = failover?.kind ?? (tickers.at(-1)?.startsWith('py-') ? ARQ : undefined)
      verdict.doubled.push({ tick: jobId, explanation, detail: `ran on ${ran}; enqueued by ${tickers.join(', ')}` })
    }
    if (lateMs > LATE_MS) {
      const explanation = explainer.anything(dueMs - AHEAD_MS, first.startMs)
      const detail = `${(lateMs / 1000).toFixed(1)} s late on ${first.worker}, enqueued by ${(book.tickers.get(jobId) ?? []).join(', ')}`
      verdict.late.push({ tick: jobId, lateMs, explanation, detail })
    }
  }
  const from = Math.ceil(options.faultsFromMs / 1000)
  const until = Math.floor(options.faultsUntilMs / 1000)
  for (let second = from; second < until; second++) {
    if (seconds.has(second)) continue
    const dueMs = second * 1000
    const explanation = explainer.anything(dueMs - AHEAD_MS, dueMs + PATIENCE_MS)
    const tick = `${options.everySecond}:${dueMs}`
    verdict.missed.push({ tick, explanation, detail: new Date(dueMs).toISOString().slice(11, 19) })
  }
  verdict.lateP99Ms = percentile(delays, 0.99)
  return verdict
}
