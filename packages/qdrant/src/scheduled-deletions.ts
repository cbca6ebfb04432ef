import { ArgumentsError } from '@arq-ts/core'
import type { Client, Job, JobInfo, ListedJob } from '@arq-ts/core'
import { z } from 'zod'
import { checkOptions } from '@arq-ts/core/task-kit'
import { checkArguments, countSchema, nameSchema } from './check.ts'
import { DEFAULT_GRACE_MINUTES, DELETE_COLLECTION } from './delete-collection.ts'
import type { DeletionResult } from './delete-collection.ts'

/** A deletion that waits for the end of its grace period. */
export interface ScheduledDeletion {
  collection: string
  jobId: string
  queueName: string
  /** Time of the request, by its producer's clock. */
  enqueuedAt: Date
  /** Time at which the collection is deleted, unless an alias points to it then. */
  dueAt: Date
  gracePeriodMinutes: number
}

/** One page of scheduled deletions. */
export interface DeletionPageRequest {
  /** The cursor of the page before; null or absent for the first. */
  cursor?: string | null
  /** Deletions at most. Default 50, at most 500. */
  limit?: number
  /** Jobs that are looked at for one page at most. Default 2,000. */
  budget?: number
}

/** A page of scheduled deletions. */
export interface DeletionPage {
  deletions: ScheduledDeletion[]
  /** The number of jobs that were looked at. */
  scanned: number
  /** Goes into the next request; null when nothing is left to look at. */
  cursor: string | null
}

/** Options of `new ScheduledDeletions()`. */
export interface ScheduledDeletionsOptions {
  client: Client
  /** Queues to look at. Default: the client's. */
  queueNames?: readonly string[]
}

const optionsSchema = z.strictObject({
  client: z.custom<Client>((value) => typeof (value as Client | null)?.queuedJobs === 'function', 'Expected a Client'),
  queueNames: z.array(z.string().min(1)).min(1, 'Expected at least one queue').optional(),
})

const aName = z.string('Expected a string that is not empty').min(1, 'Expected a string that is not empty')
const pageSchema = z.strictObject({
  cursor: z.string().nullable().optional(),
  limit: countSchema.max(500, 'Expected an integer from 1 to 500').default(50),
  budget: countSchema.max(100_000, 'Expected an integer from 1 to 100,000').default(2_000),
})

/**
 * Deletions that are scheduled, whoever enqueued them: to see them, and to change one's mind. Asks Redis only.
 *
 * ```ts
 * const deletions = new ScheduledDeletions({ client })
 * await deletions.list()
 * await deletions.keep('products-v1')
 * ```
 */
export class ScheduledDeletions {
  readonly #client: Client
  readonly #queueNames: readonly string[]

  /** @throws OptionsError */
  constructor(options: ScheduledDeletionsOptions) {
    const { client, queueNames } = checkOptions('ScheduledDeletions', optionsSchema, options)
    this.#client = client
    this.#queueNames = queueNames ?? [client.queueName]
  }

  /** Deletions that wait or run, the next one first. Reads the queues as a whole. @throws RedisUnavailableError */
  async list(): Promise<ScheduledDeletion[]> {
    const queues = await Promise.all(
      this.#queueNames.map(async (queueName) =>
        (await this.#client.queuedJobs({ queueName })).flatMap((job) => toDeletion(job, queueName)),
      ),
    )
    return queues.flat().sort((a, b) => a.dueAt.getTime() - b.dueAt.getTime())
  }

  /**
   * One page of the deletions that wait or run, queue by queue, in the order in which their jobs are due. Looks at
   * `budget` jobs at most, so that a page may be empty and not the last one.
   *
   * @throws ArgumentsError; OptionsError for a cursor that no page has given; RedisUnavailableError.
   */
  async page(request: DeletionPageRequest = {}): Promise<DeletionPage> {
    const { budget, cursor, limit } = checkOptions('page', pageSchema, request)
    const page = await this.#client.jobs.page({
      queueNames: this.#queueNames,
      fits: (job) => deletionOf(job).length > 0,
      cursor: cursor ?? null,
      limit,
      budget,
    })
    return { deletions: page.jobs.flatMap(deletionOf), scanned: page.scanned, cursor: page.cursor }
  }

  /**
   * Takes one deletion back, by its job. One that runs already is asked to abort. `absent`: it has ended, or is not a
   * deletion.
   *
   * @throws ArgumentsError
   */
  async cancel(jobId: string, queueName = this.#client.queueName): Promise<'removed' | 'running' | 'absent'> {
    checkArguments('cancel', z.object({ jobId: aName, queueName: aName }), { jobId, queueName })
    const info = await this.#client.job(jobId, { queueName }).info()
    if (info?.functionName !== DELETE_COLLECTION) return 'absent'
    const removal = await this.#client.jobs.remove(jobId, { queueName })
    if (removal === 'running') await this.#client.jobs.requestAbort(jobId, { queueName })
    return removal
  }

  /**
   * Takes a collection's deletions back, and gives those that were. One that runs already is asked to abort: `running`
   * names it, and whether the collection is still there has to be looked at.
   *
   * @throws ArgumentsError for a name that is none.
   */
  async keep(collection: string): Promise<{ removed: ScheduledDeletion[]; running: ScheduledDeletion[] }> {
    const outcome = { removed: [] as ScheduledDeletion[], running: [] as ScheduledDeletion[] }
    for (const deletion of await this.#of('keep', collection)) {
      const { jobId, queueName } = deletion
      const removal = await this.#client.jobs.remove(jobId, { queueName })
      if (removal === 'removed') outcome.removed.push(deletion)
      if (removal !== 'running') continue
      await this.#client.jobs.requestAbort(jobId, { queueName })
      outcome.running.push(deletion)
    }
    return outcome
  }

  /**
   * Ends the grace period of a collection whose deletion is scheduled: a job without one takes the place of those that
   * wait. The aliases are looked at before the deletion, as ever.
   *
   * @throws ArgumentsError when none is scheduled for the collection.
   */
  async deleteNow(collection: string): Promise<Job<DeletionResult>> {
    const [first, ...others] = await this.#of('deleteNow', collection)
    if (!first) throw new ArgumentsError(`deleteNow: no deletion of '${collection}' is scheduled`)
    const { queueName } = first
    const job = await this.#client.enqueue<DeletionResult>(DELETE_COLLECTION, [], {
      kwargs: { collection_name: collection, grace_period_minutes: 0 },
      queueName,
    })
    // After the enqueue: should this process die in between, the collection is deleted twice, not never.
    for (const each of [first, ...others]) await this.#client.jobs.remove(each.jobId, { queueName: each.queueName })
    return job! // its id is new
  }

  async #of(method: string, collection: string): Promise<ScheduledDeletion[]> {
    checkArguments(method, z.object({ collection: nameSchema }), { collection })
    return (await this.list()).filter((deletion) => deletion.collection === collection)
  }
}

function deletionOf({ info, queueName }: ListedJob): ScheduledDeletion[] {
  return info && queueName !== null ? toDeletion(info, queueName) : []
}

/** A job by whatever form its arguments have: by position, by keyword, or mixed. One that does not fit will fail. */
function toDeletion(job: JobInfo, queueName: string): ScheduledDeletion[] {
  if (job.functionName !== DELETE_COLLECTION) return []
  const [collection = job.kwargs.collection_name, given = job.kwargs.grace_period_minutes] = job.args
  if (typeof collection !== 'string') return []
  const gracePeriodMinutes = typeof given === 'number' ? given : DEFAULT_GRACE_MINUTES
  const endsAt = job.enqueueTime.getTime() + gracePeriodMinutes * 60_000
  // One that was enqueued without a deferral goes back to the queue until its grace period is over.
  const dueAt = new Date(Math.max(endsAt, job.score ?? 0))
  return [{ collection, jobId: job.jobId, queueName, enqueuedAt: job.enqueueTime, dueAt, gracePeriodMinutes }]
}
