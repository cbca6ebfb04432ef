import { parseHealthLine } from '@arq-ts/protocol/jobs'
import type { HealthCounts } from '@arq-ts/protocol/jobs'
import { readWorkerEvent } from './events.ts'
import type { WorkerEventMessage } from './events.ts'
import { fleetOf, liveWorkers, registeredWorkers } from './live-workers.ts'
import type { Fleet } from './live-workers.ts'
import type { WorkerInfo } from './worker-info.ts'
import { checkFunction, checkName, checkNames } from '../options/arguments.ts'
import type { RedisContext } from '../redis/context.ts'

/**
 * Live workers, their health and their events. Use `client.workers`. Every method rejects with OptionsError for wrong
 * arguments, RedisUnavailableError when Redis does not answer within the client's `commandTimeoutMs`, and
 * RedisReplyError when it refuses.
 */
export class Workers {
  readonly #link: RedisContext
  #ignoredMessages = 0

  /** @internal */
  constructor(link: RedisContext) {
    this.#link = link
  }

  /** Live arq-ts workers, as they last reported (every 2 s). Entries that nobody can read are left out. */
  async list(): Promise<WorkerInfo[]> {
    return liveWorkers(this.#link)
  }

  /**
   * Live workers of both languages: those of arq-ts, entries that nobody can read, and the Python workers of these
   * queues, by their health lines.
   */
  async fleet(queueNames: readonly string[]): Promise<Fleet> {
    checkNames('workers.fleet', 'queueNames', queueNames)
    return fleetOf(this.#link, queueNames)
  }

  /**
   * The health line of a queue's workers of either language, or null when none has written lately. The line of an arq-ts
   * worker that died is none, though its key stays until the worker's interval is over.
   */
  async health(queueName: string): Promise<(HealthCounts & { line: string }) | null> {
    checkName('workers.health', 'queueName', queueName)
    const [health] = await this.#link.registry.readHealth([queueName])
    const counts = health && parseHealthLine(health.line)
    if (!health || !counts) return null
    const isLeft = health.isOurs && (await this.#isUnserved(queueName))
    return isLeft ? null : { ...counts, line: health.line }
  }

  /** True where it is known that no live worker of ours serves a queue: not where the registry, or an entry, is damaged. */
  async #isUnserved(queueName: string): Promise<boolean> {
    const { keys, metDamage } = this.#link
    const { workers, unreadable } = await registeredWorkers(this.#link)
    const isKnown = unreadable.length === 0 && !metDamage.has(keys.workers)
    return isKnown && !workers.some(({ queues }) => queues.includes(queueName))
  }

  /**
   * Orders a live arq-ts worker to claim nothing more: it ends what it runs, and stays up. False when there is none of
   * that id. Python workers take no orders.
   */
  async quiet(workerId: string): Promise<boolean> {
    checkName('workers.quiet', 'workerId', workerId)
    return this.#order(workerId, 'quiet')
  }

  /** Ends the quiet of a worker. False when there is none of that id. */
  async resume(workerId: string): Promise<boolean> {
    checkName('workers.resume', 'workerId', workerId)
    return this.#order(workerId, 'resume')
  }

  async #order(workerId: string, order: 'quiet' | 'resume'): Promise<boolean> {
    if (!(await this.list()).some(({ id }) => id === workerId)) return false
    await this.#link.orders.give(workerId, order)
    return true
  }

  /**
   * Listens to what arq-ts workers do: starts, ends, retries, hand-backs, dead letters. They publish only while somebody
   * listens. As with all pub/sub, an event is sent once, and missed while Redis is away. The answer ends the listening.
   */
  async listen(listener: (event: WorkerEventMessage) => void): Promise<() => void> {
    checkFunction('workers.listen', 'listener', listener)
    const { keys, events, subscriber } = this.#link
    const stop = await subscriber.listen(keys.events, (message) => {
      const event = readWorkerEvent(message)
      if (event) listener(event)
      else this.#ignoredMessages++
    })
    try {
      await events.announceListener()
    } catch (error) {
      stop()
      throw error
    }
    return stop
  }

  /** Messages on the channel of worker events that were none, since this client was made. They are ignored. */
  get ignoredMessages(): number {
    return this.#ignoredMessages
  }
}
