import type { FrozenOutcome, JobRemains } from '../redis/frozen-jobs.ts'
import {
  checkMethodOptions,
  checkName,
  checkNames,
  checkObject,
  checkObjects,
  methodSchemas,
} from '../options/arguments.ts'
import type { RedisContext } from '../redis/context.ts'
import type { ShelfKind } from '../redis/shelf.ts'

export type { FrozenOutcome, JobRemains, ShelfKind }

/** A job where it was seen. */
export interface SeenJob {
  jobId: string
  /** Score of a waiting or dead job as Redis writes it (`PagedJob.place`); null for a kept result. */
  place: string | null
  /** True for a dead letter. */
  isDead: boolean
}

/**
 * Acts that touch a job only while it is as it was seen, and can be undone. Use `client.reversals`. Each job is acted on at
 * one moment: one that a worker has taken meanwhile is left alone.
 */
export class Reversals {
  readonly #link: RedisContext

  /** @internal */
  constructor(link: RedisContext) {
    this.#link = link
  }

  /** Places of jobs: their scores in a queue, or among the dead letters (`queueName` null); null for one that is not there. */
  async places(queueName: string | null, jobIds: readonly string[]): Promise<(string | null)[]> {
    if (queueName !== null) checkName('reversals.places', 'queueName', queueName)
    checkNames('reversals.places', 'jobIds', jobIds)
    return this.#link.jobPages.places(queueName, jobIds)
  }

  /** Removes jobs of a queue with all that is kept of them. `keep` false: nothing is kept to put them back. */
  async takeOut(
    queueName: string,
    jobs: readonly SeenJob[],
    options: { keep: boolean },
  ): Promise<{ outcome: FrozenOutcome; remains: JobRemains | null }[]> {
    checkName('reversals.takeOut', 'queueName', queueName)
    checkObjects('reversals.takeOut', 'jobs', jobs)
    checkMethodOptions('reversals.takeOut', methodSchemas.keep, options ?? null)
    return this.#link.frozenJobs.take(queueName, jobs.map(seenOf), options.keep ? 'take' : 'drop')
  }

  /** Reads all that is kept of jobs, and changes nothing. */
  async peek(
    queueName: string,
    jobs: readonly SeenJob[],
  ): Promise<{ outcome: FrozenOutcome; remains: JobRemains | null }[]> {
    checkName('reversals.peek', 'queueName', queueName)
    checkObjects('reversals.peek', 'jobs', jobs)
    return this.#link.frozenJobs.take(queueName, jobs.map(seenOf), 'peek')
  }

  /** Puts a job back; false when its id is in use again. */
  async putBack(queueName: string, remains: JobRemains): Promise<boolean> {
    checkName('reversals.putBack', 'queueName', queueName)
    checkObject('reversals.putBack', remains ?? null)
    return this.#link.frozenJobs.putBack(queueName, remains)
  }

  /** Gives waiting jobs of a queue another score. */
  async reschedule(
    queueName: string,
    jobs: readonly { jobId: string; from: string; to: string }[],
  ): Promise<FrozenOutcome[]> {
    checkName('reversals.reschedule', 'queueName', queueName)
    checkObjects('reversals.reschedule', 'jobs', jobs)
    return this.#link.frozenJobs.reschedule(queueName, jobs)
  }

  /** Keeps a string under a token for `ttlMs`; false when all that is kept would exceed `limitBytes`. */
  async keep(
    kind: ShelfKind,
    token: string,
    text: string,
    limits: { ttlMs: number; limitBytes: number },
  ): Promise<boolean> {
    checkName('reversals.keep', 'kind', kind)
    checkName('reversals.keep', 'token', token)
    checkObject('reversals.keep', limits ?? null)
    await this.#link.syncClock()
    return this.#link.shelf.keep(kind, token, text, limits)
  }

  /** Reads what is kept under a token; null when it was taken or has gone. */
  async read(kind: ShelfKind, token: string): Promise<string | null> {
    checkName('reversals.read', 'kind', kind)
    checkName('reversals.read', 'token', token)
    return this.#link.shelf.read(kind, token)
  }

  /** Takes what is kept under a token: of several who ask at once, one gets it. */
  async take(kind: ShelfKind, token: string): Promise<string | null> {
    checkName('reversals.take', 'kind', kind)
    checkName('reversals.take', 'token', token)
    return this.#link.shelf.take(kind, token)
  }
}

function seenOf({ jobId, place, isDead }: SeenJob): { jobId: string; seen: string } {
  return { jobId, seen: place === null ? 'r' : `${isDead ? 'd' : 'q'}${place}` }
}
