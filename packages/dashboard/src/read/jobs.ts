import { containsText } from '@arq-ts/core'
import type { JobState, PagedJob } from '@arq-ts/core'
import type { JobExplanation, JobPage, JobView, ParsedQuery } from '../api/types.ts'
import type { Board } from '../board.ts'
import { Refusal } from '../http/refusal.ts'
import type { Sight } from '../users/sight.ts'
import { fingerprintOf } from './errors.ts'
import { parseQuery } from './query.ts'
import { argumentsOf, callText, jobRow, shown, timeOf } from './show.ts'
import type { Redaction } from './show.ts'

/** Jobs looked at for one page at most. */
const BUDGET = 5_000
const MAX_LIMIT = 200

/** A page of jobs, of queues that the user may see. */
export async function jobPage(
  board: Board,
  request: { q: string; cursor: string | null; limit: number },
  sight: Sight,
): Promise<Omit<JobPage, 'cost'>> {
  const filter = parseQuery(request.q)
  const { names } = await board.names.known()
  const wanted = filter.queueNames.length > 0 ? filter.queueNames : names
  const queueNames = wanted.filter(await sight.over(wanted))
  const nowMs = await board.client.now()
  const [before, cursor] = cursorOf(request.cursor)
  const limit = Math.min(MAX_LIMIT, Math.max(1, request.limit))
  const page = await board.client.jobs.page({
    queueNames,
    everyQueue: filter.queueNames.length === 0,
    ...(filter.statuses.length > 0 ? { statuses: filter.statuses as JobState[] } : {}),
    fits: fitting(filter, board.redaction, nowMs),
    cursor,
    limit,
    budget: BUDGET,
  })
  const total = before + page.scanned
  const hasEnded = filter.statuses.some((status) => ['complete', 'failed', 'aborted'].includes(status))
  const of = hasEnded ? null : await sizeOf(board, queueNames, filter)
  return {
    nowMs,
    jobs: (await sight.jobs(page.jobs)).map((job) => jobRow(job, board.redaction)),
    scanned: page.scanned,
    scannedTotal: total,
    of,
    exhausted: page.cursor === null,
    cursor: page.cursor === null ? null : `${total}.${page.cursor}`,
    filter,
  }
}

function sizeOf(board: Board, queueNames: readonly string[], { statuses }: ParsedQuery): Promise<number> {
  const isDead = statuses.includes('dead')
  const isWaiting = statuses.length === 0 || statuses.some((status) => status !== 'dead')
  return board.client.jobs.count(isWaiting ? queueNames : [], { dead: isDead })
}

function cursorOf(cursor: string | null): [number, string | null] {
  if (cursor === null || cursor === '') return [0, null]
  const [, total, rest] = /^(\d{1,12})\.(.+)$/.exec(cursor) ?? []
  if (rest === undefined)
    throw new Refusal('invalid_request', 'the cursor is none of this API; begin again without one')
  return [Number(total), rest]
}

/** The filter of a query. Arguments are searched as they are shown, so that a search reveals nothing that is redacted. */
export function fitting(filter: ParsedQuery, redaction: Redaction, nowMs: number): (job: PagedJob) => boolean {
  const { functionName, jobId, text, error, olderThanMs } = filter
  return (job) => {
    const { info, queueName } = job
    const about = { jobId: job.jobId, functionName: info?.functionName ?? null, queueName }
    if (functionName !== null && info?.functionName !== functionName) return false
    if (jobId !== null && !job.jobId.startsWith(jobId)) return false
    if (error !== null && !redaction.error(about, job.error)?.includes(error)) return false
    if (olderThanMs !== null) {
      const at = timeOf(job.finishTime ?? info?.enqueueTime ?? null)
      if (at === null || nowMs - at < olderThanMs) return false
    }
    if (text === null) return true
    if (!info) return false
    const call = argumentsOf(redaction, about, info)
    return containsText([call.args, call.kwargs], text)
  }
}

/** The queue of a job, among the queues that are known; undefined when it is in none of them. */
export async function queueOf(
  board: Board,
  jobId: string,
  given: string | null | undefined,
): Promise<string | undefined> {
  if (given) return given
  const { names } = await board.names.known()
  return (await board.client.jobs.queuesOf([jobId], { among: names })).get(jobId)
}

/** Everything about one job. @throws Refusal when nothing is known of it */
export async function jobView(
  board: Board,
  jobId: string,
  given: string | null,
): Promise<Omit<JobView, 'cost' | 'actions'>> {
  const { client } = board
  const job = await client.jobs.details(jobId, { queueName: (await queueOf(board, jobId, given)) ?? '' })
  if (job.status === 'not_found') {
    throw new Refusal(
      'not_found',
      `nothing is known of the job "${jobId.slice(0, 200)}": it never was, or its result has expired`,
    )
  }
  const { status, functionName, codec, jobTry, deaths, success, dead, holder, problems, payloadExpiresInMs } = job
  const queueName = job.queueName === '' ? null : job.queueName
  const about = { jobId, functionName, queueName }
  const call = argumentsOf(board.redaction, about, job)
  const result = job.success === true ? board.redaction.apply({ ...about, kind: 'result', value: job.result }) : null
  return {
    nowMs: await client.now(),
    jobId,
    status,
    queueName,
    functionName,
    codec,
    jobTry,
    deaths,
    success,
    dead,
    holder,
    problems,
    payloadExpiresInMs,
    call: callText(functionName, call),
    args: shown(call.args, codec, call.redacted.args),
    kwargs: shown(call.kwargs, codec, call.redacted.kwargs),
    result: result && shown(result.value, codec, result.redacted),
    enqueuedMs: timeOf(job.enqueueTime),
    dueMs: timeOf(job.dueTime),
    startedMs: timeOf(job.startTime),
    finishedMs: timeOf(job.finishTime),
    error: board.redaction.error(about, job.error),
    fingerprint: job.error === null ? null : fingerprintOf(job.error, jobId),
    abortAskedMs: timeOf(job.abortAsked),
  }
}

/** The acts that make sense for a job in its state. */
export function sensibleActs(status: JobView['status'], hasCall: boolean): JobView['actions'] {
  const acts: JobView['actions'] = []
  if (status === 'dead' || status === 'failed' || status === 'aborted') acts.push('retry')
  if (['queued', 'deferred', 'retrying', 'running'].includes(status)) acts.push('abort')
  if (status === 'deferred' || status === 'retrying') acts.push('run-now')
  if (hasCall) acts.push('clone')
  if (status !== 'running' && status !== 'not_found') acts.push('remove')
  return acts
}

/** Explains why a job runs, or does not. */
export async function jobExplanation(
  board: Board,
  jobId: string,
  given: string | null,
): Promise<Omit<JobExplanation, 'cost'>> {
  const queueName = (await queueOf(board, jobId, given)) ?? ''
  const { job, reasons } = await board.client.jobs.explain(jobId, { queueName })
  const about = { jobId, functionName: job.functionName, queueName }
  const hidden = board.redaction.error(about, job.error)
  // The reason of a waiting try quotes its error.
  const safe = reasons.map((reason) =>
    job.error !== null && hidden !== job.error
      ? { ...reason, detail: reason.detail.replaceAll(job.error, hidden ?? '') }
      : reason,
  )
  const decides = safe.find(({ ok }) => ok === false) ?? safe.find(({ ok }) => ok === null) ?? safe.at(-1)
  const headline = decides?.detail ?? 'nothing is known of it'
  return {
    nowMs: await board.client.now(),
    jobId,
    status: job.status,
    headline: headline.charAt(0).toUpperCase() + headline.slice(1),
    reasons: safe,
  }
}
