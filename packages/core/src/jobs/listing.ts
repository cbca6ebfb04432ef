import type { PayloadLimits } from '@arq-ts/protocol'
import { decodeResult, readable } from '@arq-ts/protocol/jobs'
import { flowOf } from '../flows/waiting.ts'
import { describeError } from '../logging/log-lines.ts'
import { damageText, holderOf, problemsOf, readPayload, triesOf, waitingState } from './condition.ts'
import type { JobState } from './condition.ts'
import { containsText } from './contains.ts'
import { deadLetters } from './dead-letters.ts'
import type { DeadFilter } from './dead-letters.ts'
import { endedState, toJobInfo, toJobResult } from './job.ts'
import type { JobInfo } from './job.ts'
import type { WorkerInfo } from '../fleet/worker-info.ts'
import type { ExaminedJob, QueuePlace } from '../redis/jobs.ts'
import type { RedisContext } from '../redis/context.ts'
import type { ScoreRange } from '../redis/queues.ts'

/** One job in a list. */
export interface ListedJob {
  /** Its id. */
  jobId: string
  /** Null where nothing names it. */
  queueName: string | null
  status: JobState
  /** Its place in the queue as Redis has it: unix ms, or infinite; null once it has ended. */
  score: number | null
  /**
   * Due time; of a running job the end of its lease, or the time at which it was due where Python runs it. Null for a job
   * that is held.
   */
  due: Date | null
  /**
   * The capability that holds it (`limit`, `flow`, `unique`, `sandbox`), and the id of the limit or the flow, the unique key,
   * or why its sandbox cannot start. Null for a job that is not held.
   */
  hold: { by: string; about: string } | null
  /** Number of its tries; for an ended job, the try that ended it. */
  jobTry: number
  /** Time of its end; null until then. */
  finishTime: Date | null
  /** The error that ended it, or that of its last try, in one line; null where there is none, or nobody recorded it. */
  error: string | null
  /** The worker that runs it: an id, or `python`. */
  holder: string | null
  /** Null where its payload is gone, or no codec reads it. */
  info: JobInfo | null
  /** Everything that is wrong with it, a sentence each. */
  problems: string[]
}

/** Filter of jobs: a job is listed if it fits all that is given. */
export interface JobFilter {
  /** In one of these states. Default: those of a job that has not ended. */
  statuses?: readonly JobState[]
  functionName?: string
  /** A part of a string, number or key in its arguments. */
  text?: string
  /** Enqueued (or ended, for an ended job) at least this many ms ago. */
  olderThanMs?: number
  /** Called with the number of jobs looked at so far. */
  onProgress?: (looked: number) => void
}

/** @internal Fields of a job that has ended: it has no place in a queue any more. */
export const IN_NO_QUEUE = { score: null, due: null, hold: null, holder: null }

/** @internal */
export const WAITING: readonly JobState[] = ['queued', 'deferred', 'retrying', 'running']

/**
 * @internal Jobs of these queues: waiting and running ones in the order they are due, then dead letters, newest first,
 * then jobs with a kept result, in no order. Pages are read as they are asked for. Of long queues, running jobs come in no
 * order, if only they are asked for.
 */
export async function* listJobs(
  link: RedisContext,
  queueNames: readonly string[] | AsyncIterable<readonly string[]>,
  workers: readonly WorkerInfo[],
  filter: JobFilter,
  isEveryQueue = false,
): AsyncGenerator<ListedJob> {
  await link.syncClock()
  const statuses = new Set(filter.statuses ?? WAITING)
  const nowMs = link.clock.now()
  const fits = fitting(filter, nowMs)
  let looked = 0
  const progress = (count: number) => filter.onProgress?.((looked += count))
  const seen = new Set<string>()
  const hasWaiting = WAITING.some((status) => statuses.has(status))
  /** Held jobs that are in none of the queues so far, once those were found by their holds. */
  const holds: HeldJobs = { left: null }
  for await (const names of hasWaiting || !isEveryQueue ? inBatches(queueNames) : []) {
    for (const name of names) seen.add(name)
    if (!hasWaiting) continue
    for await (const { queueName, page, looked: count } of membersIn(link, names, {
      statuses,
      workers,
      nowMs,
      holds,
    })) {
      const jobs = await examineMembers(link, queueName, page, (job) => statuses.has(waitingState(job, nowMs)))
      const listed = jobs.map((job) => toListed(job, queueName, { workers, nowMs, limits: link.limits })).filter(fits)
      yield* await withRecords(link, listed, nowMs)
      progress(count)
    }
    if (holds.left?.length === 0) break
  }
  const isMeant = (name: string | null) => isEveryQueue || (name !== null && seen.has(name))
  /** Dead jobs keep their failed result as well, and are listed once. */
  const dead = new Set<string>()
  if (statuses.has('dead')) {
    for await (const letter of deadLetters(link, deadFilterOf(filter))) {
      const { jobId, queueName, jobTry, failedAt, error, job, problems } = letter
      const ended = { ...IN_NO_QUEUE, finishTime: failedAt }
      const info = job ?? null
      const listed = { jobId, queueName, status: 'dead' as const, jobTry, error, info, problems, ...ended }
      if (isMeant(queueName) && fits(listed)) {
        dead.add(jobId)
        yield listed
      }
      progress(1)
    }
  }
  if (['complete', 'failed', 'aborted'].some((status) => statuses.has(status as JobState))) {
    for await (const page of link.jobs.results()) {
      for (const each of page) {
        const listed = toEnded(each, link.limits)
        if (listed && listed.status !== 'complete' && dead.has(listed.jobId)) continue
        if (listed && isMeant(listed.queueName) && statuses.has(listed.status) && fits(listed)) yield listed
      }
      progress(page.length)
    }
  }
}

/**
 * @internal Members of a queue as they are. A job without a payload may have ended since its page was read: it is read again,
 * at one moment, and is left out if it has left the queue.
 */
export async function examineMembers(
  link: RedisContext,
  queueName: string,
  page: readonly QueuePlace[],
  wants: (job: { score: number; isHeld: boolean; tries: string | null }) => boolean,
): Promise<ExaminedJob[]> {
  const jobs = await link.jobs.examine(page, wants)
  const bare = jobs.filter(({ payload, damaged }) => payload === null && damaged.length === 0)
  if (bare.length === 0) return jobs
  const ids = new Set(bare.map(({ jobId }) => jobId))
  const again = new Map((await link.jobs.examineAgain(queueName, [...ids])).map((job) => [job.jobId, job]))
  return jobs.flatMap((job) => (ids.has(job.jobId) ? (again.get(job.jobId) ?? []) : [job]))
}

/** @internal The names of queues that a discovery gives, in its batches. */
export async function* namesOf(found: AsyncIterable<{ names: string[] }>): AsyncGenerator<string[]> {
  for await (const { names } of found) yield names
}

async function* inBatches(
  queueNames: readonly string[] | AsyncIterable<readonly string[]>,
): AsyncGenerator<readonly string[]> {
  if (Symbol.asyncIterator in queueNames) yield* queueNames
  else yield queueNames
}

/** The part of a filter that a dead letter answers without its payload. */
function deadFilterOf({ functionName, olderThanMs }: JobFilter): DeadFilter {
  return {
    ...(functionName === undefined ? {} : { functionName }),
    ...(olderThanMs === undefined ? {} : { olderThanMs }),
  }
}

interface Members {
  queueName: string
  page: QueuePlace[]
  /** The number of jobs that were looked at for this page. */
  looked: number
}

/** Ids of held jobs whose queues are not known yet; null while nobody has looked for them. */
interface HeldJobs {
  left: string[] | null
}

interface MemberFilter {
  statuses: ReadonlySet<JobState>
  workers: readonly WorkerInfo[]
  nowMs: number
  holds: HeldJobs
}

/** Members of these queues that may be in one of the states, a page at a time, by the shortest way. */
async function* membersIn(link: RedisContext, names: readonly string[], filter: MemberFilter): AsyncGenerator<Members> {
  const { holds } = filter
  const range = rangeOf(filter.statuses, filter.workers, filter.nowMs)
  if (filter.statuses.size === 1 && filter.statuses.has('running')) {
    const isByHolds =
      holds.left !== null || isShorterByHolds(await link.jobPages.count(names, range), await link.survey.size())
    if (isByHolds) return yield* heldMembers(link, names, holds)
  }
  for (const queueName of names) {
    for await (const page of link.queues.members(queueName, range)) yield { queueName, page, looked: page.length }
  }
}

/**
 * Running jobs are found among the members of a range, each read with its holder, or by the names of all in-progress
 * keys, for which the names of all keys are passed over: a tenth of the cost each.
 */
export function isShorterByHolds(members: number, keys: number): boolean {
  return members > MANY_MEMBERS && 10 * members > keys
}

const MANY_MEMBERS = 10_000

async function* heldMembers(link: RedisContext, names: readonly string[], holds: HeldJobs): AsyncGenerator<Members> {
  const left: string[] = []
  for await (const jobIds of holds.left === null ? link.survey.held() : [holds.left]) {
    const places = await link.jobs.placesIn(jobIds, names)
    const found = new Set(places.map(({ jobId }) => jobId))
    left.push(...jobIds.filter((id) => !found.has(id)))
    for (const queueName of names) {
      const page = places.filter((place) => place.queueName === queueName)
      if (page.length > 0) yield { queueName, page, looked: page.length }
    }
  }
  holds.left = left
}

/** @internal No member outside of this range is in one of the states. */
export function rangeOf(statuses: ReadonlySet<JobState>, workers: readonly WorkerInfo[], nowMs: number): ScoreRange {
  if (statuses.has('retrying')) return {}
  const min = statuses.has('queued') || statuses.has('running') ? '-inf' : `(${nowMs}`
  if (statuses.has('deferred')) return { min }
  // A running job of ours has the end of its lease as its score.
  const leaseMs = Math.max(DEFAULT_LEASE_MS, ...workers.map((worker) => worker.leaseMs))
  return { min, max: statuses.has('running') ? String(nowMs + leaseMs + 1_000) : String(nowMs) }
}

/** The lease that arq-ts uses by default, for workers that nobody knows. */
export const DEFAULT_LEASE_MS = 30_000

function fitting(filter: JobFilter, nowMs: number): (job: ListedJob) => boolean {
  const { functionName, text, olderThanMs } = filter
  return ({ info, finishTime, status }) => {
    if (functionName !== undefined && status !== 'dead' && info?.functionName !== functionName) return false
    if (text !== undefined && !(info && containsText([info.args, info.kwargs], text))) return false
    if (olderThanMs === undefined) return true
    const at = finishTime ?? info?.enqueueTime
    return at !== undefined && nowMs - at.getTime() >= olderThanMs
  }
}

/** @internal */
export function toListed(
  job: ExaminedJob,
  queueName: string,
  { workers, nowMs, limits }: { workers: readonly WorkerInfo[]; nowMs: number; limits: PayloadLimits },
): ListedJob {
  const { jobId, score } = job
  const read = readPayload(job.payload, limits)
  const holder = holderOf(jobId, job, workers, null)
  const problems = problemsOf(job, read, null)
  if (holder?.alive === false) problems.push(`the worker ${holder.workerId} that holds it is gone`)
  return {
    jobId,
    queueName,
    status: waitingState({ ...job, score: score! }, nowMs),
    score,
    due: new Date(score!),
    hold: null,
    jobTry: triesOf(job.tries),
    finishTime: null,
    error: null,
    holder: holder && (holder.workerId ?? holder.language),
    info: read.kind === 'record' ? toJobInfo(read.record, jobId, score) : null,
    problems,
  }
}

/** @internal Adds what other keys say of waiting jobs: the last error of those that were tried, the holds of those that are not due. */
export async function withRecords(link: RedisContext, jobs: ListedJob[], nowMs: number): Promise<ListedJob[]> {
  const tried = jobs.filter((job) => job.jobTry > 0)
  const later = jobs.flatMap((job) =>
    job.status !== 'running' && job.score !== null && job.score > nowMs
      ? [{ job, jobId: job.jobId, score: job.score }]
      : [],
  )
  const [errors, holds] = await Promise.all([
    tried.length > 0 ? link.jobs.lastErrors(tried.map(({ jobId }) => jobId)) : [],
    link.limitRecords.holdsOf(later),
  ])
  for (const [i, job] of tried.entries()) job.error = errors[i]!
  for (const [i, { job }] of later.entries()) {
    const hold = holds[i]
    if (!hold) continue
    job.due = null
    job.hold = { by: hold.by, about: hold.by === 'flow' ? flowOf(hold.about) : hold.about }
  }
  return jobs
}

/** @internal */
export function toEnded(
  stored: {
    jobId: string
    result: Buffer | null
    damaged: readonly Parameters<typeof damageText>[0][]
  },
  limits: PayloadLimits,
): ListedJob | null {
  const { jobId, result } = stored
  const problems = stored.damaged.map(damageText)
  const ended = { ...IN_NO_QUEUE, jobId, problems }
  const info = result && readable(() => toJobResult(decodeResult(result, limits).record, jobId, null))
  if (info) {
    const status = endedState(info)
    const error = info.success ? null : describeError(info.result)
    const { queueName, finishTime } = info
    return { ...ended, queueName, status, jobTry: info.jobTry ?? 0, finishTime, error, info }
  }
  if (problems.length === 0) problems.push('no codec reads its result')
  return { ...ended, queueName: null, status: 'complete', jobTry: 0, finishTime: null, error: null, info: null }
}
