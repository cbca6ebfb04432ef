import type { ServiceLog } from '../../logging/sparing-log.ts'
import type { RedisContext } from '../../redis/context.ts'
import type { Broker, Finish, Reschedule } from '../../redis/broker.ts'

/** Jobs per call, so that no script holds the server for long. */
const MAX_BATCH = 500

type Settled = (held: boolean) => void

/**
 * Settles jobs in batches: what ends in one turn of the event loop, or while a call is under way, travels together.
 * Each promise resolves with false where the lease was lost and nothing was written. A job whose settling Redis
 * refuses for good (not an outage: those are waited out) is logged and left to its lease.
 */
export class SettleBatcher {
  readonly #broker: Broker
  readonly #log: ServiceLog
  #finishes: { call: Finish; done: Settled }[] = []
  #reschedules: { call: Reschedule; done: Settled }[] = []
  #scheduled = false

  constructor(broker: Broker, log: ServiceLog) {
    this.#broker = broker
    this.#log = log
  }

  finish(call: Finish): Promise<boolean> {
    return new Promise((done) => {
      this.#finishes.push({ call, done })
      this.#schedule()
    })
  }

  reschedule(call: Reschedule): Promise<boolean> {
    return new Promise((done) => {
      this.#reschedules.push({ call, done })
      this.#schedule()
    })
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    // One turn later than the claims that fill the slots of these jobs: what is claimed runs while these are settled.
    setImmediate(() => setImmediate(() => this.#flush()))
  }

  #flush(): void {
    this.#scheduled = false
    const finishes = this.#finishes
    const reschedules = this.#reschedules
    this.#finishes = []
    this.#reschedules = []
    for (const [queueName, ofQueue] of byQueue(finishes)) {
      for (const batch of chunks(ofQueue)) void this.#send(batch, (calls) => this.#broker.finish(queueName, calls))
    }
    for (const batch of chunks(reschedules)) void this.#send(batch, (calls) => this.#broker.reschedule(calls))
  }

  async #send<T extends Finish | Reschedule>(
    batch: { call: T; done: Settled }[],
    settle: (calls: T[]) => Promise<boolean[]>,
  ): Promise<void> {
    try {
      const held = await settle(batch.map((entry) => entry.call))
      batch.forEach((entry, i) => entry.done(held[i] === true))
    } catch (error) {
      // One bad entry (a result larger than Redis takes, say) must not cost the others theirs.
      if (batch.length > 1) await Promise.all(batch.map((entry) => this.#send([entry], settle)))
      else {
        const entry = batch[0]!
        this.#log.error({ err: error }, `settling job ${entry.call.jobId} failed, it runs again when its lease ends`)
        entry.done(false)
      }
    }
  }
}

/** Settles jobs in batches, one for each partition, so that a node which is away holds up no others. */
export function settlerOf(link: RedisContext, log: ServiceLog): Pick<SettleBatcher, 'finish' | 'reschedule'> {
  if (link.parts.length === 1) return new SettleBatcher(link.broker, log)
  const settlers = new Map(link.parts.map((part) => [part, new SettleBatcher(part.broker, log)]))
  return {
    finish: (call) => settlers.get(link.partOf(call.jobId))!.finish(call),
    reschedule: (call) => settlers.get(link.partOf(call.jobId))!.reschedule(call),
  }
}

function byQueue<T extends { call: Finish }>(items: T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const group = groups.get(item.call.queueName)
    if (group) group.push(item)
    else groups.set(item.call.queueName, [item])
  }
  return groups
}

function* chunks<T>(items: T[]): Generator<T[]> {
  for (let from = 0; from < items.length; from += MAX_BATCH) yield items.slice(from, from + MAX_BATCH)
}
