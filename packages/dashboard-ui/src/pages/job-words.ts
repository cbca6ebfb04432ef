/** The sentences of a job. Pure. */

import type { JobHistory, JobView } from '@arq-ts/dashboard/api'
import { count } from '../format/number.ts'
import { duration } from '../format/duration.ts'
import { clockSeconds, moment } from '../format/time.ts'
import { shown } from '../format/names.ts'

/** Outcome of the job, after its function's name. */
export function became(job: JobView, failures: number): string {
  const now = job.nowMs
  const failed =
    failures > 0 ? ` failed ${failures === 1 ? 'once' : failures === 2 ? 'twice' : count(failures, 'time')}. It` : ''
  const due = job.dueMs === null ? '' : job.dueMs > now ? ` at ${near(job.dueMs, now)}` : ''
  switch (job.status) {
    case 'running':
      return job.startedMs === null
        ? `${failed} is running.`
        : `${failed} has been running since ${near(job.startedMs, now)}.`
    case 'retrying':
      return failed ? `${failed} runs again${due || ' as soon as a worker is free'}.` : ` waits to retry${due}.`
    case 'deferred':
      return `${failed} starts${due || ' later'}.`
    case 'queued':
      return `${failed} waits for a worker.`
    case 'complete':
      return job.startedMs !== null && job.finishedMs !== null
        ? ` ended well after ${duration(job.finishedMs - job.startedMs)}.`
        : ' ended well.'
    case 'dead':
      return ' failed for good and is a dead letter.'
    case 'failed':
      return job.finishedMs === null ? ' failed for good.' : ` failed for good at ${near(job.finishedMs, now)}.`
    case 'aborted':
      return ' was aborted.'
    default:
      return ' is not known any more.'
  }
}

const near = (ms: number, now: number): string =>
  Math.abs(ms - now) < 20 * 3_600_000 ? clockSeconds(ms) : moment(ms, now)

/** The line below. */
export function more(job: JobView): string {
  if (job.abortAskedMs !== null && job.status !== 'aborted')
    return `Somebody asked to abort it at ${near(job.abortAskedMs, job.nowMs)}; its worker has not done so yet.`
  if (job.status === 'dead') return 'Its payload is kept until it is retried or purged.'
  if (job.status === 'failed') return 'Its result is kept for a while; a retry enqueues the same arguments again.'
  if (job.status === 'running' && job.holder)
    return `${job.holder.workerId ? shown(job.holder.workerId) : job.holder.language === 'python' ? 'A Python worker' : 'A worker'} has it${job.holder.alive === false ? ', but does not report any more' : ''}.`
  if (
    job.payloadExpiresInMs !== null &&
    job.payloadExpiresInMs > 0 &&
    ['queued', 'deferred', 'retrying'].includes(job.status)
  )
    return `Its payload is kept for ${duration(job.payloadExpiresInMs)} more.`
  return ''
}

/** Tries that failed, as far as they were recorded; else by the number of the try. */
export function failures(job: JobView, history: JobHistory | undefined): number {
  const recorded =
    history?.tries.filter(({ outcome }) => outcome === 'failed' || outcome === 'retried' || outcome === 'lost')
      .length ?? 0
  return Math.max(recorded, job.status === 'retrying' ? job.jobTry : 0)
}
