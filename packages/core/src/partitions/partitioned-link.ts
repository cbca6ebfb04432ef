import { OptionsError } from '../errors.ts'
import type { EnqueueBatcher } from '../redis/enqueue-batcher.ts'
import { Link } from '../redis/link.ts'
import type { LinkOptions } from '../redis/link.ts'
import { spanBroker } from './broker.ts'
import type { Place } from './broker.ts'
import { spanFrozenJobs, spanHolds, spanJobPages, spanJobs, spanUniqueJobs } from './jobs.ts'
import { PartitionedKeys, PartitionKeys } from './keys.ts'
import { Placement } from './placement.ts'
import { roughSize, spanDamagedKeys, spanDeadLetters, spanQueues, spanSurvey } from './queues.ts'
import { spanFlows, spanLimits, spanSchedules, spanTicks } from './services.ts'
import { Spread } from './spread.ts'

/** Opens what a client or a worker needs of Redis: a namespace in one piece, or one of several partitions. @throws OptionsError */
export function openLinkTo(options: LinkOptions & { partitions: number }): Link {
  return options.partitions === 1 ? new Link(options) : new PartitionedLink(options)
}

/** One partition, over the connection of its namespace. */
class PartitionLink extends Link {
  readonly #places: Map<string, Place>
  readonly #partition: number

  constructor(options: LinkOptions & { over: PartitionedLink; partition: number; places: Map<string, Place> }) {
    super(options)
    this.#places = options.places
    this.#partition = options.partition
  }

  override place(queueName: string): string {
    const name = `${queueName} (partition ${this.#partition})`
    if (!this.#places.has(name)) this.#places.set(name, { partition: this.#partition, queueName })
    return name
  }
}

/**
 * A namespace of several partitions. Each is a namespace of its own, with the keys and the scripts of any other; all go over
 * one connection. The records of this link span them, so that whoever stands on a link need not know. What belongs to
 * no job (workers, recordings, orders) is in the first partition.
 */
export class PartitionedLink extends Link {
  override readonly parts: readonly Link[]
  override readonly keys: Link['keys']
  override readonly broker: Link['broker']
  override readonly jobs: Link['jobs']
  override readonly jobPages: Link['jobPages']
  override readonly frozenJobs: Link['frozenJobs']
  override readonly holds: Link['holds']
  override readonly uniqueJobs: Link['uniqueJobs']
  override readonly queues: Link['queues']
  override readonly deadLetters: Link['deadLetters']
  override readonly survey: Link['survey']
  override readonly damaged: Link['damaged']
  override readonly flowRecords: Link['flowRecords']
  override readonly schedules: Link['schedules']
  override readonly ticks: Link['ticks']
  override readonly limitRecords: Link['limitRecords']
  override readonly roughSize: Link['roughSize']
  readonly #placement: Placement

  /** @throws OptionsError where the prefix has no hash tag. */
  constructor(options: LinkOptions & { partitions: number }) {
    const placement = new Placement(options.keyPrefix, options.partitions)
    const [home = ''] = placement.prefixes
    super({ ...options, keyPrefix: home })
    this.#placement = placement
    const { database } = this.connection
    const namespace = new PartitionedKeys(placement, database)
    const places = new Map<string, Place>()
    const parts = placement.prefixes.map((keyPrefix, partition) => {
      const keys = new PartitionKeys(keyPrefix, database, namespace)
      return new PartitionLink({ ...options, keyPrefix, keys, over: this, partition, places })
    })
    const spread = <P>(of: (part: Link) => P) => new Spread(parts.map(of), placement)
    this.parts = parts
    this.keys = namespace
    this.broker = spanBroker(
      spread((part) => part.broker),
      (name) => places.get(name)!,
    )
    this.jobs = spanJobs(spread((part) => part.jobs))
    this.jobPages = spanJobPages(spread((part) => part.jobPages))
    this.frozenJobs = spanFrozenJobs(spread((part) => part.frozenJobs))
    this.holds = spanHolds(spread((part) => part.holds))
    this.uniqueJobs = spanUniqueJobs(spread((part) => part.uniqueJobs))
    this.queues = spanQueues(spread((part) => part.queues))
    this.roughSize = roughSize(spread((part) => part.queues))
    this.deadLetters = spanDeadLetters(spread((part) => part.deadLetters))
    this.survey = spanSurvey(spread((part) => part.survey))
    this.damaged = spanDamagedKeys(spread((part) => ({ prefix: part.keys.prefix, damaged: part.damaged })))
    this.flowRecords = spanFlows(spread((part) => part.flowRecords))
    this.schedules = spanSchedules(spread((part) => part.schedules))
    this.ticks = spanTicks(spread((part) => part.ticks))
    this.limitRecords = spanLimits(spread((part) => part.limitRecords))
  }

  override partOf(jobId: string): Link {
    return this.parts[this.#placement.of(jobId)]!
  }

  /** Batches of one partition wait for no other. */
  override newBatcher(): Pick<EnqueueBatcher, 'add'> {
    const batchers = this.parts.map((part) => part.newBatcher())
    return { add: (call) => batchers[this.#placement.of(call.jobId)]!.add(call) }
  }

  override newId(draw: () => string, key?: string): string {
    return key === undefined ? draw() : this.#placement.drawWith(key, draw)
  }

  override flowId(given: string | undefined, draw: () => string): string {
    const id = given ?? `{${draw()}}`
    if (/^\{[^{}]+\}$/.test(id)) return id
    const what = `client.start: the id '${id}' of a flow lets its members lie in different partitions`
    throw new OptionsError(`${what}: give it as a hash tag, '{${id.replaceAll(/[{}]/g, '')}}'`)
  }
}
