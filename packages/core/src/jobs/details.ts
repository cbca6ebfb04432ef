import { decodeJob, decodeResult, DEFAULT_QUEUE_NAME, readable } from '@arq-ts/protocol/jobs'
import type { CodecName } from '@arq-ts/protocol/jobs'
import { liveWorkers } from '../fleet/live-workers.ts'
import type { WorkerInfo } from '../fleet/worker-info.ts'
import type { FunctionDefinition } from '../recorder/function-definitions.ts'
import { readDefinition } from '../recorder/records.ts'
import { describeError } from '../logging/log-lines.ts'
import { waitOf } from '../flows/waiting.ts'
import type { HoldRecord } from '../redis/limits.ts'
import type { JobDossier } from '../redis/jobs.ts'
import type { RedisContext } from '../redis/context.ts'
import { damageText, holderOf, isDate, problemsOf, readPayload, triesOf, waitingState } from './condition.ts'
import type { JobHolder, JobState } from './condition.ts'
import { toDeadLetter } from './dead-letters.ts'
import { dueTimeOf } from './due-time.ts'
import { endedState, toJobInfo, toJobResult } from './job.ts'
import { marksIn } from './marks.ts'
import type { JobResult } from './job.ts'

/** A capability's hold of a waiting job: its far score is no due time. */
export interface JobHold {
  /** The capability: `limit`, `flow`, `unique`, `sandbox`. */
  by: string
  /** Part that holds the job: the name of a limit, and the key it counts by; a flow; a unique key, which the job before it has. */
  about: string
  /** Time since which it is held. */
  since: Date
  /** Names of the members that a member of a flow waits for; empty for others. */
  waitsFor: string[]
}

/** The function of a job, as its workers declare it. */
export type JobTask = Pick<FunctionDefinition, 'isCron' | 'timeoutMs' | 'maxTries' | 'sandbox' | 'chunk'> & {
  /** Names of the limits that bound the starts of its jobs. */
  limits: readonly string[]
}

/** All that is known of one job. */
export interface JobDetails {
  /** Its id. */
  jobId: string
  /** The state in one word; `not_found` where nothing is known of it. */
  status: JobState
  /** Queue that holds it, or where it ran; null when nobody knows. */
  queueName: string | null
  /** The function's name on the wire. */
  functionName: string | null
  /** Positional arguments, as they were sent. */
  args: readonly unknown[]
  /** Keyword arguments, as they were sent. */
  kwargs: Readonly<Record<string, unknown>>
  /** The codec it was written in; null where nobody reads it. */
  codec: CodecName | null
  /** Time of the enqueue, by its producer's clock. */
  enqueueTime: Date | null
  /** Due time; null once it runs or has ended. */
  dueTime: Date | null
  /** Its place in the queue as Redis has it: unix ms, or infinite; null when it is not queued. */
  score: number | null
  /** Start of a running job, known only where an arq-ts worker runs it. */
  startTime: Date | null
  /** Time at which it ended, or became a dead letter. */
  finishTime: Date | null
  /** The try that runs or ended it; of a waiting job the number of its tries so far. */
  jobTry: number
  /** The tries of a waiting or running job that ended with the death of their worker, as far as arq-ts workers ran them. */
  deaths: number
  /** Null until it has ended. */
  success: boolean | null
  /** Return value of the handler; undefined unless it ended well. */
  result: unknown
  /** Reason why it failed, or why its last try did where that was recorded, in one line; null where nothing is known. */
  error: string | null
  /** True when it is kept as a dead letter. */
  dead: boolean
  /** Reason for its far score, where a capability holds it; null otherwise. */
  hold: JobHold | null
  /** The schedule that enqueued it; null where none did, or where nobody knows any more. */
  schedule: string | null
  /** Metadata of middleware that travels with the job; null if there is none, or if it is no longer known. */
  metadata: Readonly<Record<string, unknown>> | null
  /** The flow of which it is a member; null if it is in none, or if that is no longer known. */
  flow: { flowId: string; member: string } | null
  /** Its unique key, and whether it holds that key now; null if it has none, or if that is no longer known. */
  unique: { key: string; isOwner: boolean } | null
  /** Ids of the limits in which a running job has a place, as its worker last reported: `name`, or `name:key`. */
  limits: readonly string[]
  /** Its function as arq-ts workers declared it within the last day; null where none did. */
  task: JobTask | null
  /** The arq-ts worker that runs it. */
  workerId: string | null
  /** The worker of either language that holds it; null when none does. */
  holder: JobHolder | null
  /** Time at which its abort was asked for; null when it was not, or it has ended. */
  abortAsked: Date | null
  /** Time until its payload expires, in ms; null where it stays, or there is none. */
  payloadExpiresInMs: number | null
  /** Everything that is wrong with it, a sentence each; empty when nothing is. */
  problems: string[]
}

/**
 * @internal Everything about one job. `queueName`: where it is queued; undefined when it is in no queue. `live`: the live
 * workers, where they are known.
 */
export async function describeJob(
  link: RedisContext,
  jobId: string,
  queueName: string | undefined,
  live?: readonly WorkerInfo[],
): Promise<JobDetails> {
  await link.syncClock()
  const [stored, letter, workers] = await Promise.all([
    link.jobs.dossier(jobId, queueName ?? DEFAULT_QUEUE_NAME),
    link.deadLetters.read(jobId),
    live ?? liveWorkers(link),
  ])
  const result = stored.result && readable(() => decodeResult(stored.result!, link.limits).record)
  const ended = result && toJobResult(result, jobId, null)
  const read = readPayload(stored.payload, link.limits)
  const info = read.kind === 'record' ? toJobInfo(read.record, jobId, stored.score) : null
  const dead = letter && toDeadLetter(letter, link.limits)
  const known = ended ?? info ?? dead?.job ?? null
  const functionName = known?.functionName ?? letter?.functionName ?? null
  const lastRecord = letter?.payload && readable(() => decodeJob(letter.payload!, link.limits).record)
  const { uniqueKey, ...marks } = marksIn((read.kind === 'record' ? read.record : (result ?? lastRecord)) ?? {})
  const records = await recordsOf(link, jobId, functionName, uniqueKey)
  const place = stored.score === null ? [] : [{ jobId, score: stored.score }]
  const [hold = null] = await link.limitRecords.holdsOf(place)
  const holder = holderOf(jobId, stored, workers, stored.holderTtlMs)
  const status = stateOf(stored, { ended, isDead: letter !== null, isHeld: holder !== null, nowMs: link.clock.now() })
  const isWaiting = status === 'queued' || status === 'deferred' || status === 'retrying'
  const runs = status === 'running' ? holder : null
  const problems = isWaiting || runs ? problemsOf(stored, read, runs) : stored.damaged.map(damageText)
  if (stored.result && !ended) problems.push('no codec reads its result')
  if (runs && stored.score === null) {
    problems.push('it is in no queue, but its in-progress key exists: until that is gone, no job can have its id')
  }
  return {
    jobId,
    status,
    queueName: ended?.queueName ?? (queueName || letter?.queueName) ?? null,
    functionName,
    args: known?.args ?? [],
    kwargs: known?.kwargs ?? {},
    codec: read.kind === 'record' ? read.codec : null,
    enqueueTime: known?.enqueueTime ?? null,
    dueTime:
      isWaiting && !hold && stored.score !== null && isDate(stored.score)
        ? new Date(read.kind === 'record' ? dueTimeOf(stored.score, read.record) : stored.score)
        : null,
    score: stored.score,
    startTime: ended?.startTime ?? (runs?.sinceMs ? new Date(runs.sinceMs) : null),
    finishTime: ended?.finishTime ?? (letter ? new Date(letter.failedAtMs) : null),
    jobTry: ended?.jobTry ?? (status === 'dead' ? (dead?.jobTry ?? 0) : triesOf(stored.tries)),
    deaths: stored.deaths,
    success: ended ? ended.success : status === 'dead' ? false : null,
    result: ended?.success ? ended.result : undefined,
    error: ended
      ? ended.success
        ? null
        : (letter?.error ?? describeError(ended.result))
      : (letter?.error ?? stored.lastError),
    dead: letter !== null,
    hold: isWaiting && hold ? await holdIn(link, hold) : null,
    ...marks,
    ...records,
    limits: runs ? limitsOf(jobId, runs, workers) : [],
    workerId: runs?.workerId ?? null,
    holder: runs,
    abortAsked: !ended && stored.abortAskedMs !== null ? new Date(stored.abortAskedMs) : null,
    payloadExpiresInMs: stored.payloadTtlMs,
    problems: [...problems, ...(dead?.problems ?? [])],
  }
}

/** A hold in words; that of a flow names what the member waits for. */
async function holdIn(link: RedisContext, { about, by, sinceMs }: HoldRecord): Promise<JobHold> {
  const hold = { by, about, since: new Date(sinceMs), waitsFor: [] }
  return by === 'flow' ? { ...hold, ...(await waitOf(link, about)) } : hold
}

/** The records about a job: its function's definition, and who has its unique key. */
async function recordsOf(
  link: RedisContext,
  jobId: string,
  functionName: string | null,
  uniqueKey: string | null,
): Promise<Pick<JobDetails, 'task' | 'unique'>> {
  const [[definition = null], owner] = await Promise.all([
    functionName === null ? [null] : link.recordings.strings([link.keys.obsFunction(functionName)]),
    uniqueKey === null ? null : link.uniqueJobs.ownerOf(uniqueKey),
  ])
  const task = readDefinition(definition)
  const { isCron, timeoutMs, maxTries, limits, sandbox, chunk } = task ?? ({} as FunctionDefinition)
  return {
    task: task && { isCron, timeoutMs, maxTries, limits: limits.map(({ name }) => name), sandbox, chunk },
    unique: uniqueKey === null ? null : { key: uniqueKey, isOwner: owner === jobId },
  }
}

/** Limits in which its worker has a place for the job; ids that begin with `@` are of unique keys. */
function limitsOf(jobId: string, { workerId }: JobHolder, workers: readonly WorkerInfo[]): string[] {
  const run = workers.find(({ id }) => id === workerId)?.running.find((each) => each.jobId === jobId)
  return (run?.limits ?? []).filter((id) => !id.startsWith('@'))
}

/** A result counts before a run, as arq has it: an in-progress key may outlive its job. */
function stateOf(
  stored: JobDossier,
  known: { ended: JobResult | null; isDead: boolean; isHeld: boolean; nowMs: number },
): JobState {
  const { ended, isDead, isHeld, nowMs } = known
  if (ended && !isDead) return endedState(ended)
  if (ended) return 'dead'
  if (stored.score !== null) return waitingState({ ...stored, score: stored.score }, nowMs)
  if (isHeld) return 'running'
  if (isDead) return 'dead'
  // A result that nobody can read is one all the same: for arq, whose key exists is complete.
  const hasResult = stored.result !== null || stored.damaged.some(({ key }) => key.includes('arq:result:'))
  return hasResult ? 'complete' : 'not_found'
}
