import { OptionsError } from '../errors.ts'
import { RedisContext } from '../redis/context.ts'
import type { RedisContextOptions } from '../redis/context.ts'
import { spanBroker } from './broker.ts'
import type { Place } from './broker.ts'
import { Ends } from './ends.ts'
import { spanFrozenJobs, spanHolds, spanJobPages, spanJobs, spanUniqueJobs } from './jobs.ts'
import { PartitionedKeys, PartitionKeys } from './keys.ts'
import { Placement } from './placement.ts'
import { roughSize, spanDamagedKeys, spanDeadLetters, spanQueues, spanSurvey } from './queues.ts'
import { spanCronPauses, spanFlows, spanFlowWatch, spanLimits, spanSchedules, spanTicks } from './services.ts'
import { Spread } from './spread.ts'

/** Members of a link that represent the whole namespace. Those that need Redis use the first partition. */
type OfNamespace =
  | 'calls'
  | 'clock'
  | 'close'
  | 'connection'
  | 'describeServer'
  | 'events'
  | 'expiresExtraMs'
  | 'foreignResults'
  | 'hasKeyspaceEvents'
  | 'jobLogs'
  | 'keyspaceChannel'
  | 'limits'
  | 'metDamage'
  | 'orders'
  | 'place'
  | 'queueNotes'
  | 'recordings'
  | 'registry'
  | 'server'
  | 'shelf'
  | 'subscriber'
  | 'syncClock'
  | 'timeoutMs'

/** Opens a namespace for a client or a worker, with or without partitions. @throws OptionsError */
export function openLinkTo(options: RedisContextOptions & { partitions: number }): RedisContext {
  return options.partitions === 1 ? new RedisContext(options) : new PartitionedContext(options)
}

/** One partition, over the connection of its namespace. */
class PartitionContext extends RedisContext {
  readonly #places: Map<string, Place>
  readonly #partition: number

  constructor(
    options: RedisContextOptions & { over: PartitionedContext; partition: number; places: Map<string, Place> },
  ) {
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
 * one connection. The records of this link span them, so that users of a link need not know. Data that belongs to no job
 * (workers, recordings, orders) is in the first partition.
 */
export class PartitionedContext extends RedisContext {
  /** Opens the partitions. @throws OptionsError if the prefix has no hash tag. */
  constructor(options: RedisContextOptions & { partitions: number }) {
    const placement = new Placement(options.keyPrefix, options.partitions)
    const [home = ''] = placement.prefixes
    super({ ...options, keyPrefix: home })
    const { database } = this.connection
    const keys = new PartitionedKeys(placement, database)
    const places = new Map<string, Place>()
    const parts = placement.prefixes.map((keyPrefix, partition) => {
      const own = new PartitionKeys(keyPrefix, database, keys)
      return new PartitionContext({ ...options, keyPrefix, keys: own, over: this, partition, places })
    })
    Object.assign(this, this.#spanned({ placement, keys, places, parts }))
  }

  /** Makes every member of a link except those that represent the whole namespace. */
  #spanned(made: {
    placement: Placement
    keys: PartitionedKeys
    places: ReadonlyMap<string, Place>
    parts: readonly RedisContext[]
  }): Omit<RedisContext, OfNamespace> {
    const { keys, parts, places, placement } = made
    const spread = <P>(of: (part: RedisContext) => P) => new Spread(parts.map(of), placement)
    const partOf = (jobId: string) => parts[placement.of(jobId)]!
    const queues = spread((part) => part.queues)
    const ends = spread((part) => new Ends(this.subscriber, part.keys.endsChannel))
    return {
      parts,
      keys,
      partOf,
      broker: spanBroker(
        spread((part) => part.broker),
        (name) => places.get(name)!,
      ),
      jobs: spanJobs(spread((part) => part.jobs)),
      jobPages: spanJobPages(spread((part) => part.jobPages)),
      frozenJobs: spanFrozenJobs(spread((part) => part.frozenJobs)),
      holds: spanHolds(spread((part) => part.holds)),
      uniqueJobs: spanUniqueJobs(spread((part) => part.uniqueJobs)),
      queues: spanQueues(queues),
      roughSize: roughSize(queues),
      deadLetters: spanDeadLetters(spread((part) => part.deadLetters)),
      survey: spanSurvey(spread((part) => part.survey)),
      damaged: spanDamagedKeys(spread((part) => ({ prefix: part.keys.prefix, damaged: part.damaged }))),
      flowRecords: spanFlows(spread((part) => part.flowRecords)),
      flowWatch: spanFlowWatch(spread((part) => part.flowWatch)),
      schedules: spanSchedules(spread((part) => part.schedules)),
      ticks: spanTicks(spread((part) => part.ticks)),
      cronPauses: spanCronPauses(spread((part) => part.cronPauses)),
      limitRecords: spanLimits(spread((part) => part.limitRecords)),
      /** Batches of one partition wait for no other. */
      newBatcher: () => {
        const batchers = new Map(parts.map((part) => [part, part.newBatcher()]))
        return { add: (call) => batchers.get(partOf(call.jobId))!.add(call) }
      },
      onEnd: (jobId, onEnd) => ends.of(jobId).listen(jobId, onEnd),
      newId: (draw, key) => (key === undefined ? draw() : placement.drawWith(key, draw)),
      flowId: (given, draw) => {
        const id = given ?? `{${draw()}}`
        if (/^\{[^{}]+\}$/.test(id)) return id
        const what = `client.start: the id '${id}' of a flow lets its members lie in different partitions`
        throw new OptionsError(`${what}: give it as a hash tag, '{${id.replaceAll(/[{}]/g, '')}}'`)
      },
    }
  }
}
