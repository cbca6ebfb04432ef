import type { FrozenOutcome, JobRemains } from '../redis/frozen-jobs.ts'
import type { Link } from '../redis/link.ts'
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
  readonly #link: Link

  /** @internal */
  constructor(link: Link) {
    this.#link = link
  }

  /** Places of jobs: their scores in a queue, or among the dead letters (`queueName` null); null for one that is not there. */
  places(queueName: string | null, jobIds: readonly string[]): Promise<(string | null)[]> {
    return this.#link.jobPages.places(queueName, jobIds)
  }

  /** Removes jobs of a queue with all that is kept of them. `keep` false: nothing is kept to put them back. */
  takeOut(
    queueName: string,
    jobs: readonly SeenJob[],
    options: { keep: boolean },
  ): Promise<{ outcome: FrozenOutcome; remains: JobRemains | null }[]> {
    return this.#link.frozenJobs.take(queueName, jobs.map(seenOf), options.keep ? 'take' : 'drop')
  }

  /** Reads all that is kept of jobs, and changes nothing. */
  peek(queueName: string, jobs: readonly SeenJob[]): Promise<{ outcome: FrozenOutcome; remains: JobRemains | null }[]> {
    return this.#link.frozenJobs.take(queueName, jobs.map(seenOf), 'peek')
  }

  /** Puts a job back; false when its id is in use again. */
  putBack(queueName: string, remains: JobRemains): Promise<boolean> {
    return this.#link.frozenJobs.putBack(queueName, remains)
  }

  /** Gives waiting jobs of a queue another score. */
  reschedule(
    queueName: string,
    jobs: readonly { jobId: string; from: string; to: string }[],
  ): Promise<FrozenOutcome[]> {
    return this.#link.frozenJobs.reschedule(queueName, jobs)
  }

  /** Keeps a string under a token for `ttlMs`; false when all that is kept would exceed `limitBytes`. */
  async keep(
    kind: ShelfKind,
    token: string,
    text: string,
    limits: { ttlMs: number; limitBytes: number },
  ): Promise<boolean> {
    await this.#link.syncClock()
    return this.#link.shelf.keep(kind, token, text, limits)
  }

  /** Reads what is kept under a token; null when it was taken or has gone. */
  read(kind: ShelfKind, token: string): Promise<string | null> {
    return this.#link.shelf.read(kind, token)
  }

  /** Takes what is kept under a token: of several who ask at once, one gets it. */
  take(kind: ShelfKind, token: string): Promise<string | null> {
    return this.#link.shelf.take(kind, token)
  }
}

function seenOf({ jobId, place, isDead }: SeenJob): { jobId: string; seen: string } {
  return { jobId, seen: place === null ? 'r' : `${isDead ? 'd' : 'q'}${place}` }
}
