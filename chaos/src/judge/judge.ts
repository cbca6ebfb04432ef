import type { Book, Run, Story } from './book.ts'
import { describeRuns } from './describe.ts'
import { Explainer } from './explain.ts'
import { measurePickup } from './pickup.ts'
import type { Pickup } from './pickup.ts'
import { measureRecovery } from './recovery.ts'
import type { Recovery } from './recovery.ts'
import type { JudgeOptions } from './judge-options.ts'
import type { Remains, StoredResult } from './remains.ts'
import { dueTime, judgeTicks } from './ticks.ts'
import type { TickVerdict } from './ticks.ts'

/** Something a bound counts, with what is known of it. */
export interface Case {
  jobId: string
  task: string
  /** The fault that explains it; undefined where none does. */
  explanation: string | undefined
  detail: string
}

export interface Verdict {
  accepted: number
  /** Enqueues whose outcome the producer does not know. */
  uncertain: number
  runs: number
  ended: number
  /** Ended without a run of a handler that says so, by how. */
  endedByWorker: Record<string, number>
  /** Accepted, no end in the ledger, and nowhere in Redis. */
  lost: Case[]
  /** Still in a queue. */
  stuck: Case[]
  /** A stored result was replaced. */
  overwritten: Case[]
  /** Ended by the ledger, and its result is not kept. */
  missingResults: Case[]
  /** Runs to an end after the job had ended once. */
  secondEnds: Case[]
  leasesLost: number
  ticks: TickVerdict
  recovery: Recovery
  pickup: Pickup
}

/** Judges a run by its ledger and by what is left in Redis. */
export function judge(book: Book, remains: Remains, options: JudgeOptions): Verdict {
  const explainer = new Explainer(book, options.leaseMs)
  const queued = new Map<string, number>()
  for (const members of remains.queues.values()) for (const [id, score] of members) queued.set(id, score)
  const settledUnrun = new Set(book.unrun.map(({ jobId }) => jobId))
  const verdict: Verdict = {
    accepted: 0,
    uncertain: book.uncertain,
    runs: 0,
    ended: 0,
    endedByWorker: {},
    lost: [],
    stuck: [],
    overwritten: [],
    missingResults: [],
    secondEnds: [],
    leasesLost: book.leasesLost,
    ticks: judgeTicks(book, explainer, options),
    recovery: measureRecovery(book, explainer),
    pickup: measurePickup(book, explainer, options),
  }
  for (const story of book.stories.values()) {
    if (isTick(story, options)) continue
    verdict.runs += story.runs.length
    findSecondEnds(story, explainer, verdict)
    if (story.acceptedMs === undefined || story.jobId === undefined) continue
    verdict.accepted++
    judgeStory(story as AcceptedStory)
  }
  judgeUnaccepted()
  return verdict

  /** Members that no producer answers for: ticks, and enqueues whose outcome is unknown. */
  function judgeUnaccepted(): void {
    for (const [jobId] of queued) {
      if (book.generations.has(jobId)) continue
      const tick = options.tickNames.find((name) => jobId.startsWith(`${name}:`))
      // Ticks are enqueued ahead of their time.
      if (tick !== undefined && dueTime(jobId) > options.stoppedMs - TICK_SLACK_MS) continue
      verdict.stuck.push({ jobId, task: tick ?? '?', explanation: undefined, detail: describeMember(jobId) })
    }
  }

  function describeMember(jobId: string): string {
    const holder = remains.inProgress.get(jobId)
    return (
      `due ${Math.round((remains.nowMs - queued.get(jobId)!) / 1000)} s ago, ` +
      `${holder === undefined ? 'nobody holds it' : `held by ${holder}`}, ` +
      `${remains.jobs.has(jobId) ? 'with' : 'without'} payload`
    )
  }

  function judgeStory(story: AcceptedStory): void {
    const { jobId, task } = story
    const isLatest = book.generations.get(jobId)?.at(-1) === story.nonce
    const stored = isLatest ? remains.results.get(jobId) : undefined
    // An id that comes again may have had a later job, which its producer could not answer for.
    const writer = stored?.run === undefined ? undefined : book.run(stored.run)
    const result = writer === undefined || writer.nonce === story.nonce ? stored : undefined
    const settled = story.runs.filter(({ settledMs }) => settledMs !== undefined)
    const ended = settled.length > 0 || story.runs.some((run) => isFinal(run, task))
    const { acceptedMs } = story
    const failover = () =>
      explainer.during('', acceptedMs - LOOK_BACK_MS, acceptedMs + LOOK_AHEAD_MS).find(isFailover)?.kind
    const aCase = (detail: string, explanation = failover()): Case => ({ jobId, task, explanation, detail })

    if (settled.length > 0) findOverwriting(story, settled, result, verdict, aCase)
    if (ended) verdict.ended++
    if (isLatest && queued.has(jobId)) {
      verdict.stuck.push(aCase(`${describeMember(jobId)}; ${describeRuns(story)}`))
      return
    }
    if (ended) {
      const keepMs = options.keepResultMs(task)
      const lastMs = Math.max(...story.runs.map((run) => run.settledMs ?? run.endMs ?? run.startMs))
      const lapses = keepMs === undefined || lastMs + keepMs < remains.nowMs + 60_000
      if (isLatest && !result && !lapses) verdict.missingResults.push(aCase(describeRuns(story)))
      return
    }
    if (result || remains.deadLetters.has(jobId) || settledUnrun.has(jobId)) {
      const how = result?.text ?? 'reported by its worker'
      verdict.endedByWorker[how] = (verdict.endedByWorker[how] ?? 0) + 1
      return
    }
    verdict.lost.push(aCase(describeRuns(story)))
  }
}

/** A tick that was due so shortly before the stop need not have begun. */
const TICK_SLACK_MS = 1_000

type AcceptedStory = Story & { jobId: string; acceptedMs: number }

/** A failover loses what was acknowledged until clients have left the old master, which may take this long. */
const LOOK_BACK_MS = 10_000
/** A job may run, and be retried, for this long after it was accepted; a failover meanwhile may forget how it stood. */
const LOOK_AHEAD_MS = 60_000

const isFailover = ({ kind }: { kind: string }) => kind === 'failover'

function isTick(story: Story, { tickNames }: JudgeOptions): boolean {
  return tickNames.includes(story.task)
}

/** A return is the end of a job; an error is one where no policy retries it. */
function isFinal(run: Run, task: string): boolean {
  return run.outcome === 'returned' || (run.outcome === 'raised' && task !== 'stubborn')
}

function findSecondEnds(story: Story, explainer: Explainer, verdict: Verdict): void {
  let first: Run | undefined
  for (const run of story.runs) {
    if (!isFinal(run, story.task)) continue
    if (first) {
      verdict.secondEnds.push({
        jobId: story.jobId ?? story.nonce,
        task: story.task,
        explanation: explainer.rerun(first, run.startMs),
        detail: describeRuns(story),
      })
    }
    first = run
  }
}

function findOverwriting(
  story: AcceptedStory,
  settled: readonly Run[],
  result: StoredResult | undefined,
  verdict: Verdict,
  aCase: (detail: string) => Case,
): void {
  const [first, ...others] = [...settled].sort((a, b) => a.settledMs! - b.settledMs!)
  if (others.length > 0) {
    verdict.overwritten.push(aCase(`stored by ${first!.id} and again; ${describeRuns(story)}`))
  } else if (result && !isResultOf(first!, result)) {
    const now = result.run ?? `'${result.text}'`
    verdict.overwritten.push(aCase(`stored by ${first!.id}, now ${now}; ${describeRuns(story)}`))
  }
}

/** A run that returned or raised is named by its result; one that was cancelled leaves an error that names none. */
function isResultOf(run: Run, result: StoredResult): boolean {
  if (run.outcome === 'cancelled') return result.run === undefined && CANCELLED.has(result.text)
  // arq stores this where its serializer cannot take an exception.
  if (run.outcome === 'raised' && result.text === 'unable to serialize') return true
  return result.run === run.id
}

const CANCELLED = new Set(['CancelledError', 'TimeoutError'])
