import type { PayloadLimits } from '@arq-ts/protocol'
import { decodeJob, readable } from '@arq-ts/protocol/jobs'
import { damageText } from './condition.ts'
import { toJobInfo } from './job.ts'
import type { JobInfo } from './job.ts'
import type { StoredDeadLetter } from '../redis/dead-letters.ts'
import type { RedisContext } from '../redis/context.ts'

/** A job that failed for good, kept until it is retried, purged, or out of bounds (age, count). */
export interface DeadLetter {
  /** The id it had, and has again when it is retried. */
  jobId: string
  /** Time of the final failure, by Redis's clock. */
  failedAt: Date
  /** The queue it goes back to. */
  queueName: string
  /** The function's name on the wire; `<unknown>` where nothing names it. */
  functionName: string
  /** The error in one line: type and message. */
  error: string
  /** The try that was its last. */
  jobTry: number
  /** The job itself; null when its payload had expired or no codec reads it. */
  job: JobInfo | null
  /** Everything that is wrong with the letter itself, a sentence each. */
  problems: string[]
}

/** A dead letter without its payload: all that a list or a count needs. */
export type DeadLetterSummary = Omit<DeadLetter, 'job' | 'problems'>

/** Filter of dead letters: a letter fits if it fits all that is given. */
export interface DeadFilter {
  /** One of these. */
  jobIds?: readonly string[]
  /** Name of the function. */
  functionName?: string
  /** Name of the queue. */
  queueName?: string
  /** A part of the error's line. */
  error?: string
  /** Failed at least this many ms ago. */
  olderThanMs?: number
}

/** Dead letters that have something in common. */
export interface DeadGroup {
  /** The function, the error or the queue that they share. */
  key: string
  count: number
  /** Times at which the first and the last of them failed. */
  firstAt: Date
  lastAt: Date
  /** The function names among them, at most ten. */
  functionNames: string[]
  /** One of them, the newest. */
  example: string
}

const PAGE = 500
const MAX_GROUP_FUNCTIONS = 10

/** @internal Dead letters that fit, newest first, a page at a time. */
export async function* deadLetters(link: RedisContext, filter: DeadFilter = {}): AsyncGenerator<DeadLetter> {
  const { jobIds, functionName, queueName, error, olderThanMs } = filter
  const fits = await fitting(link, filter)
  if (jobIds) {
    for (const jobId of new Set(jobIds)) {
      const letter = await link.deadLetters.read(jobId)
      if (letter && fits(letter)) yield toDeadLetter(letter, link.limits)
    }
    return
  }
  const hasFilter = [functionName, queueName, error, olderThanMs].some((each) => each !== undefined)
  for (let offset = 0; ; offset += PAGE) {
    const { letters, looked } = await link.deadLetters.page(offset, PAGE, hasFilter ? fits : undefined)
    for (const letter of letters) yield toDeadLetter(letter, link.limits)
    if (looked < PAGE) return
  }
}

/** @internal Summaries of the dead letters that fit, newest first, a page at a time: no payload is read. */
export async function* deadSummaries(link: RedisContext, filter: DeadFilter = {}): AsyncGenerator<DeadLetterSummary> {
  const fits = await fitting(link, filter)
  if (filter.jobIds) {
    for (const jobId of new Set(filter.jobIds)) {
      const letter = await link.deadLetters.read(jobId)
      if (letter && fits(letter)) yield summaryOf(letter)
    }
    return
  }
  for (let offset = 0; ; offset += PAGE) {
    const letters = await link.deadLetters.headers(offset, PAGE)
    for (const letter of letters) if (fits(letter)) yield summaryOf(letter)
    if (letters.length < PAGE) return
  }
}

async function fitting(
  link: RedisContext,
  { functionName, queueName, error, olderThanMs }: DeadFilter,
): Promise<(letter: StoredDeadLetter) => boolean> {
  if (olderThanMs !== undefined) await link.syncClock()
  const before = olderThanMs === undefined ? Infinity : link.clock.now() - olderThanMs
  return (letter) =>
    (functionName === undefined || letter.functionName === functionName) &&
    (queueName === undefined || letter.queueName === queueName) &&
    (error === undefined || (letter.error ?? '').includes(error)) &&
    letter.failedAtMs <= before
}

/** Groups dead letters, the largest group first. */
export function groupDead(letters: readonly DeadLetterSummary[], by: 'function' | 'error' | 'queue'): DeadGroup[] {
  const groups = new Map<string, DeadGroup>()
  for (const letter of letters) {
    const { jobId, functionName, failedAt } = letter
    const key = by === 'function' ? functionName : by === 'queue' ? letter.queueName : fingerprintOf(letter.error)
    const group = groups.get(key)
    if (!group) {
      groups.set(key, {
        key,
        count: 1,
        firstAt: failedAt,
        lastAt: failedAt,
        functionNames: [functionName],
        example: jobId,
      })
      continue
    }
    group.count++
    if (failedAt < group.firstAt) group.firstAt = failedAt
    if (failedAt > group.lastAt) [group.lastAt, group.example] = [failedAt, jobId]
    const { functionNames } = group
    if (functionNames.length < MAX_GROUP_FUNCTIONS && !functionNames.includes(functionName))
      functionNames.push(functionName)
  }
  return [...groups.values()].sort((a, b) => b.count - a.count)
}

/** An error without what differs from job to job: numbers, ids, and quoted words. */
export function fingerprintOf(error: string): string {
  return error
    .slice(0, 500)
    .replace(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, '<id>')
    .replace(/\b(?=[0-9a-f]*\d)[0-9a-f]{12,}\b/gi, '<id>')
    .replace(/'[^']{0,200}'|"[^"]{0,200}"/g, '<…>')
    .replace(/\d+(\.\d+)?/g, '<n>')
}

/** @internal */
export function toDeadLetter(stored: StoredDeadLetter, limits: PayloadLimits): DeadLetter {
  const { payload, damaged } = stored
  const problems = damaged.map(damageText)
  const isEmpty = payload === null && stored.queueName === null && stored.error === null
  if (isEmpty && damaged.length === 0) problems.push('its entry is gone: neither its error nor its payload is known')
  return {
    ...summaryOf(stored),
    job: payload?.length ? readable(() => toJobInfo(decodeJob(payload, limits).record, stored.jobId, null)) : null,
    problems,
  }
}

function summaryOf(stored: StoredDeadLetter): DeadLetterSummary {
  return {
    jobId: stored.jobId,
    failedAt: new Date(stored.failedAtMs),
    queueName: stored.queueName ?? '',
    functionName: stored.functionName ?? '<unknown>',
    error: stored.error ?? '',
    jobTry: Number.isSafeInteger(stored.jobTry) ? stored.jobTry! : 0,
  }
}
