import type { CodecName } from '@arq-ts/protocol/jobs'
import type { Job } from '../jobs/job.ts'
import type { RedisContext } from '../redis/context.ts'
import type { AnyContract } from '../tasks/contract.ts'
import type { Schedule, ScheduleOptions } from './schedule.ts'
import type { ScheduleActs } from './schedule-acts.ts'

/**
 * Schedules at run time: `client.schedules`. They lie in Redis; every arq-ts worker of the database enqueues their ticks,
 * and a fleet enqueues each once. When a method has returned, no worker enqueues a tick of what was before.
 */
export class Schedules {
  readonly #link: RedisContext
  readonly #defaults: { codec: CodecName; queueName: string }
  #loaded: Promise<ScheduleActs> | undefined

  /** @internal */
  constructor(link: RedisContext, defaults: { codec: CodecName; queueName: string }) {
    this.#link = link
    this.#defaults = defaults
  }

  /**
   * Makes a schedule, or changes the one of that name. Where its rule stays the same, ticks that were missed until now
   * are still made up for; another rule begins anew. A schedule that is paused stays paused.
   *
   * @throws OptionsError, ArgumentsError when the input does not fit the task's schema, EncodeError,
   *   RedisUnavailableError.
   */
  async put<T extends AnyContract | string>(name: string, options: ScheduleOptions<T>): Promise<Schedule> {
    return (await this.#acts()).put(name, options)
  }

  /** A schedule as it stands; null where there is none of that name. */
  async get(name: string): Promise<Schedule | null> {
    return (await this.#acts()).get(name)
  }

  /**
   * Schedules by name: the first `limit` of those behind the name `after`. `limit` defaults to 1,000; `Infinity` lists all.
   * A page that is full may have others behind it.
   *
   * @throws OptionsError
   */
  async list(options: { after?: string; limit?: number } = {}): Promise<Schedule[]> {
    return (await this.#acts()).list(options)
  }

  /** Removes a schedule; jobs that it has enqueued stay. False where there is none of that name. */
  async remove(name: string): Promise<boolean> {
    return (await this.#acts()).remove(name)
  }

  /** Ends the ticks of a schedule until `resume`. Null where there is none of that name. */
  async pause(name: string): Promise<Schedule | null> {
    return (await this.#acts()).pause(name)
  }

  /** Lets a paused schedule tick from now on; what it left out is not made up for. Null where there is none of that name. */
  async resume(name: string): Promise<Schedule | null> {
    return (await this.#acts()).resume(name)
  }

  /**
   * Enqueues the job of a schedule now, in addition to its ticks, paused or not, and whatever `overlap` says. Null where there is
   * no schedule of that name, or where its job of this very millisecond exists.
   */
  async runNow<Result = unknown>(name: string): Promise<Job<Result> | null> {
    return (await this.#acts()).runNow<Result>(name)
  }

  #acts(): Promise<ScheduleActs> {
    this.#loaded ??= import('./schedule-acts.ts').then((module) => new module.ScheduleActs(this.#link, this.#defaults))
    return this.#loaded
  }
}
