import { OptionsError } from '../errors.ts'
import type { JobState } from './condition.ts'
import { toDeadLetter } from './dead-letters.ts'
import { examineMembers, IN_NO_QUEUE, rangeOf, toEnded, toListed, WAITING, withRecords } from './listing.ts'
import type { ListedJob } from './listing.ts'
import { waitingState } from './condition.ts'
import type { WorkerInfo } from '../fleet/worker-info.ts'
import type { Place } from '../redis/job-pages.ts'
import type { RedisContext } from '../redis/context.ts'

/** Request of a page of jobs. */
export interface JobPageRequest {
  /** Queues that are looked at. */
  queueNames: readonly string[]
  /** True to have the jobs that have ended whatever their queue, those too of which nobody knows it. Default false. */
  everyQueue?: boolean
  /** Jobs in one of these states. Default: those of a job that has not ended. */
  statuses?: readonly JobState[]
  /** True for the jobs that are wanted; default: all. */
  fits?: (job: PagedJob) => boolean
  /** The cursor of the page before; null or absent for the first. */
  cursor?: string | null
  /** Jobs of a page at most. Default 50. A step of the search for kept results may exceed it by a few hundred. */
  limit?: number
  /** Jobs that are looked at for one page at most. Default 2,000. */
  budget?: number
}

/** A job of a page. */
export interface PagedJob extends ListedJob {
  /** The score of a waiting, running or dead job as Redis writes it; null for a kept result. */
  place: string | null
}

/** A page of jobs. */
export interface PageOfJobs {
  jobs: PagedJob[]
  /** The number of jobs that were looked at. */
  scanned: number
  /** Goes into the next request; null when nothing is left to look at. A page may be empty and not the last one. */
  cursor: string | null
}

const STEP = 500

/** Position of a search: in a queue, among the dead letters, or among kept results. */
type Position =
  | { in: 'queue'; name: string; after: Place | null }
  | { in: 'dead'; after: Place | null }
  | { in: 'ended'; scan: string | null }

interface Step {
  jobs: PagedJob[]
  scanned: number
  /** The position behind a job; undefined where the step cannot be left in its middle. */
  behind?: (job: PagedJob) => Position
  next: Position | null
}

/** @internal One page of jobs; the cost of a page does not grow with the number of pages before it. */
export async function pageOfJobs(
  link: RedisContext,
  workers: readonly WorkerInfo[],
  request: JobPageRequest,
): Promise<PageOfJobs> {
  await link.syncClock()
  const statuses = new Set(request.statuses ?? WAITING)
  const queueNames = [...request.queueNames].sort()
  const everyQueue = request.everyQueue === true
  const search = new Search(link, { workers, statuses, queueNames, everyQueue, nowMs: link.clock.now() })
  const { limit = 50, budget = 2_000, fits = () => true } = request
  let position = request.cursor ? readCursor(request.cursor) : search.first()
  const jobs: PagedJob[] = []
  let scanned = 0
  for (let size = limit; position && jobs.length < limit && scanned < budget; size = STEP) {
    const step: Step = await search.step(position, Math.min(size, budget - scanned, STEP))
    scanned += step.scanned
    position = step.next
    for (const [i, job] of step.jobs.entries()) {
      if (!fits(job)) continue
      jobs.push(job)
      if (jobs.length < limit || !step.behind || i === step.jobs.length - 1) continue
      position = step.behind(job)
      break
    }
  }
  return { jobs, scanned, cursor: position && writeCursor(position) }
}

class Search {
  readonly #link: RedisContext
  readonly #workers: readonly WorkerInfo[]
  readonly #statuses: ReadonlySet<JobState>
  readonly #queueNames: readonly string[]
  readonly #everyQueue: boolean
  readonly #nowMs: number

  constructor(
    link: RedisContext,
    options: {
      workers: readonly WorkerInfo[]
      statuses: ReadonlySet<JobState>
      queueNames: readonly string[]
      everyQueue: boolean
      nowMs: number
    },
  ) {
    this.#link = link
    this.#workers = options.workers
    this.#statuses = options.statuses
    this.#queueNames = options.queueNames
    this.#everyQueue = options.everyQueue
    this.#nowMs = options.nowMs
  }

  first(): Position | null {
    return this.#queueAfter(null)
  }

  step(position: Position, size: number): Promise<Step> {
    if (position.in === 'queue') return this.#inQueue(position.name, position.after, size)
    return position.in === 'dead' ? this.#amongDead(position.after, size) : this.#amongEnded(position.scan)
  }

  #queueAfter(name: string | null): Position | null {
    const isAsked = WAITING.some((status) => this.#statuses.has(status))
    const next = isAsked ? this.#queueNames.find((each) => name === null || each > name) : undefined
    if (next !== undefined) return { in: 'queue', name: next, after: null }
    return this.#statuses.has('dead') ? { in: 'dead', after: null } : this.#ended()
  }

  #ended(): Position | null {
    const isAsked = (['complete', 'failed', 'aborted'] as const).some((status) => this.#statuses.has(status))
    return isAsked ? { in: 'ended', scan: null } : null
  }

  async #inQueue(name: string, after: Place | null, size: number): Promise<Step> {
    const link = this.#link
    const [workers, nowMs] = [this.#workers, this.#nowMs]
    const members = await link.jobPages.members(name, rangeOf(this.#statuses, workers, nowMs), after, size)
    const places = new Map(members.map(({ jobId, place }) => [jobId, place]))
    const examined = await examineMembers(link, name, members, (job) => this.#statuses.has(waitingState(job, nowMs)))
    const listed = examined.map((job) => toListed(job, name, { workers, nowMs, limits: link.limits }))
    const jobs = (await withRecords(link, listed, nowMs)).map((job) => ({ ...job, place: places.get(job.jobId)! }))
    const last = members.at(-1)
    return {
      jobs,
      scanned: members.length,
      behind: (job) => ({ in: 'queue', name, after: { score: job.place!, jobId: job.jobId } }),
      next:
        last === undefined || members.length < size
          ? this.#queueAfter(name)
          : { in: 'queue', name, after: { score: last.place, jobId: last.jobId } },
    }
  }

  async #amongDead(after: Place | null, size: number): Promise<Step> {
    const link = this.#link
    const { letters: stored } = await link.deadLetters.page(after ? await link.jobPages.deadOffset(after) : 0, size)
    const behind = (failedAtMs: number, jobId: string): Position => ({
      in: 'dead',
      after: { score: String(failedAtMs), jobId },
    })
    const jobs = stored.flatMap((each): PagedJob[] => {
      const { jobId, queueName, jobTry, failedAt, error, job, problems } = toDeadLetter(each, link.limits)
      if (!this.#isMeant(queueName)) return []
      const ended = { ...IN_NO_QUEUE, finishTime: failedAt, place: String(each.failedAtMs) }
      return [{ jobId, queueName, status: 'dead', jobTry, error, info: job, problems, ...ended }]
    })
    const last = stored.at(-1)
    const next = last === undefined || stored.length < size ? this.#ended() : behind(last.failedAtMs, last.jobId)
    return {
      jobs,
      scanned: stored.length,
      behind: (job) => behind(job.finishTime!.getTime(), job.jobId),
      next,
    }
  }

  #isMeant(queueName: string | null): boolean {
    return this.#everyQueue || (queueName !== null && this.#queueNames.includes(queueName))
  }

  async #amongEnded(scan: string | null): Promise<Step> {
    const { entries, cursor } = await this.#link.jobPages.results(scan)
    const jobs = entries.flatMap((entry): PagedJob[] => {
      const job = toEnded(entry, this.#link.limits)
      return job && this.#isMeant(job.queueName) && this.#statuses.has(job.status) ? [{ ...job, place: null }] : []
    })
    // A step that finds nothing has cost a look at the database all the same.
    return { jobs, scanned: Math.max(entries.length, 50), next: cursor === null ? null : { in: 'ended', scan: cursor } }
  }
}

function writeCursor(position: Position): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url')
}

function readCursor(cursor: string): Position {
  const isPlace = (value: unknown) => {
    if (value === null) return true
    const { score, jobId } = value as Partial<Place>
    return (
      typeof score === 'string' && !Number.isNaN(Number(score.replace('inf', 'Infinity'))) && typeof jobId === 'string'
    )
  }
  try {
    const position = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as Partial<Record<string, unknown>>
    const isValid =
      (position.in === 'queue' && typeof position.name === 'string' && isPlace(position.after)) ||
      (position.in === 'dead' && isPlace(position.after)) ||
      (position.in === 'ended' && (position.scan === null || /^\d+\/\d+$/.test(String(position.scan))))
    if (isValid) return position as Position
  } catch {
    // Said below.
  }
  throw new OptionsError('the cursor is none that a page of jobs has given; begin again without one')
}
