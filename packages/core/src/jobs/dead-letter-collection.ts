import { ArqError, OptionsError } from '../errors.ts'
import { deadLetters, deadSummaries, toDeadLetter } from './dead-letters.ts'
import type { DeadFilter, DeadLetter, DeadLetterSummary } from './dead-letters.ts'
import type { Jobs } from './jobs.ts'
import { checkMethodOptions, checkName, methodSchemas } from '../options/arguments.ts'
import type { RedisContext } from '../redis/context.ts'

/** Dead letters that an act is for: those that fit a filter, or all of them, which must be said. */
export type DeadLetterChoice = (DeadFilter & { all?: never }) | { all: true }

/** The outcome of retrying dead letters. */
export interface RetriedDeadLetters {
  /** The number of jobs that are queued again. */
  retried: number
  /** Letters that are not, and the reason of each. */
  refused: { jobId: string; error: string }[]
}

const PAGE = 500

/**
 * Jobs that failed for good and are kept. Use `client.deadLetters`. Every method rejects with OptionsError for wrong
 * arguments, RedisUnavailableError when Redis does not answer within the client's `commandTimeoutMs`, and
 * RedisReplyError when it refuses.
 */
export class DeadLetters {
  readonly #link: RedisContext
  readonly #jobs: Jobs

  /** @internal */
  constructor(link: RedisContext, jobs: Jobs) {
    this.#link = link
    this.#jobs = jobs
  }

  /** Dead letters that fit all that is given, newest first. `offset` defaults to 0, `limit` to 100; `Infinity` lists all. */
  async list(options: DeadFilter & { offset?: number; limit?: number } = {}): Promise<DeadLetter[]> {
    checkMethodOptions('deadLetters.list', methodSchemas.deadLetters, options)
    const { offset = 0, limit = 100, ...filter } = options
    if (Object.values(filter).every((value) => value === undefined) && limit !== Infinity) {
      return this.#page(offset, limit)
    }
    const found: DeadLetter[] = []
    let skipped = 0
    if (limit === 0) return found
    for await (const letter of deadLetters(this.#link, filter)) {
      if (skipped++ < offset) continue
      found.push(letter)
      if (found.length === limit) break
    }
    return found
  }

  async #page(offset: number, limit: number): Promise<DeadLetter[]> {
    const found: DeadLetter[] = []
    for (let at = offset; found.length < limit;) {
      const size = Math.min(PAGE, limit - found.length)
      const { letters, looked } = await this.#link.deadLetters.page(at, size)
      found.push(...letters.map((letter) => toDeadLetter(letter, this.#link.limits)))
      at += looked
      if (looked < size) break
    }
    return found
  }

  /**
   * Summaries of all dead letters that fit, newest first, by default of every one. Payloads, which may be large, are not
   * read.
   */
  async summaries(filter: DeadFilter = {}): Promise<DeadLetterSummary[]> {
    checkMethodOptions('deadLetters.summaries', methodSchemas.deadLetterFilter, filter)
    const found: DeadLetterSummary[] = []
    for await (const letter of deadSummaries(this.#link, filter)) found.push(letter)
    return found
  }

  /** One dead letter, or null. */
  async get(jobId: string): Promise<DeadLetter | null> {
    checkName('deadLetters.get', 'jobId', jobId)
    const stored = await this.#link.deadLetters.read(jobId)
    return stored && toDeadLetter(stored, this.#link.limits)
  }

  /** The number of dead letters, of all queues. */
  async count(): Promise<number> {
    return this.#link.deadLetters.count()
  }

  /**
   * Retries the dead letters that fit the filter, or with `{ all: true }` all of them: each goes back into its queue
   * with its tries counted anew. `delayMs` defaults to 0.
   *
   * @throws OptionsError when neither a filter nor `{ all: true }` is given.
   */
  async retry(choice: DeadLetterChoice, options: { delayMs?: number } = {}): Promise<RetriedDeadLetters> {
    checkMethodOptions('deadLetters.retry', methodSchemas.delay, options)
    const refused: RetriedDeadLetters['refused'] = []
    let retried = 0
    for (const jobId of await this.#chosen('deadLetters.retry', choice)) {
      try {
        if (await this.#jobs.retry(jobId, options)) retried++
        else refused.push({ jobId, error: 'the job is queued or running already' })
      } catch (error) {
        if (!(error instanceof ArqError)) throw error
        refused.push({ jobId, error: error.message })
      }
    }
    return { retried, refused }
  }

  /**
   * Removes the dead letters that fit the filter, or with `{ all: true }` all of them, for good; returns their number.
   * Their results stay as long as they are kept.
   *
   * @throws OptionsError when neither a filter nor `{ all: true }` is given.
   */
  async purge(choice: DeadLetterChoice): Promise<number> {
    const { deadLetters: letters } = this.#link
    const jobIds = await this.#chosen('deadLetters.purge', choice)
    let purged = 0
    for (let i = 0; i < jobIds.length; i += PAGE) purged += await letters.purge(jobIds.slice(i, i + PAGE))
    return purged
  }

  async #chosen(where: string, choice: DeadLetterChoice): Promise<readonly string[]> {
    checkMethodOptions(where, methodSchemas.deadLetterChoice, choice)
    const { all, ...filter } = (choice ?? {}) as DeadFilter & { all?: true }
    const fields = Object.values(filter).filter((value) => value !== undefined)
    if (all && fields.length > 0) throw new OptionsError(`${where}: give a filter or \`{ all: true }\`, not both`)
    if (!all && fields.length === 0) {
      throw new OptionsError(
        `${where}: give a filter, such as \`{ jobIds }\`, or \`{ all: true }\` for every dead letter`,
      )
    }
    const { jobIds } = filter
    if (jobIds && fields.length === 1) return [...new Set(jobIds)]
    const found: string[] = []
    for await (const { jobId } of deadSummaries(this.#link, filter)) found.push(jobId)
    return found
  }
}
