import { randomUUID } from 'node:crypto'
import { RedisReplyError } from '../../errors.ts'
import type { ServiceLog } from '../../logging/sparing-log.ts'
import type { Claim, Broker } from '../../redis/broker.ts'
import type { InFlightJob } from '../in-flight-job.ts'
import type { Slots } from '../slots.ts'
import { decide, readHandOff } from './hand-off.ts'
import type { HandOff } from './hand-off.ts'

/** Jobs that one hand-off brings at most. */
const MAX_JOBS = 16
/** Time after which an unused entry is written again, in ms: Redis may have lost it. */
const ANEW_AFTER_MS = 250

export interface HandOffOptions {
  broker: Broker
  /** Listens on a channel for binary messages. */
  listen: (channel: string, listener: (message: Buffer) => void) => Promise<() => void>
  log: ServiceLog
  workerId: string
  queueNames: readonly string[]
  slots: Slots
  leaseMs: number
  pollDelayMs: number
  /** Number of jobs that the worker would start now. */
  room: () => number
  /** True while the last look for jobs has found none that is due. */
  isIdle: () => boolean
  /** False for a job whose task allows only one try. */
  mayRunTwice: (payload: Buffer) => boolean
  start: (job: InFlightJob) => unknown
  /** Releases a job that has not started, without counting a try. */
  release: (job: InFlightJob) => void
  /** Ends the run of a job that another worker may have taken. */
  lose: (job: InFlightJob) => void
}

/** The wait of the worker on one queue. */
interface Place {
  readonly queueName: string
  /** The entry that should be in the list; '' while there is none. */
  entry: string
  /** Tokens that a hand-off may still name: that of the entry, and the one before, whose hand-off may be on its way. */
  tokens: string[]
  enteredMs: number
  /** Token of the next entry, drawn while nothing waits for it. */
  nextToken: string | undefined
}

/**
 * Lets an idle worker wait for jobs that producers hand to it within the enqueue, see `hand-off.lua`: one hop instead of a
 * wake-up, a claim and its reply.
 *
 * For each queue: away → waiting (its entry is in the list) → away (a hand-off came, or another job was due, which ended
 * the entry) → waiting …
 * any → stopped: jobs that are handed over from now on are released
 */
export class HandOffService {
  readonly #options: HandOffOptions
  #places: readonly Place[]
  readonly #stopping = new AbortController()
  #isListening = false

  constructor(options: HandOffOptions) {
    this.#options = options
    this.#places = options.queueNames.map((queueName) => ({
      queueName,
      entry: '',
      tokens: [],
      enteredMs: 0,
      nextToken: undefined,
    }))
  }

  /** Listens for hand-offs. The worker waits for them from its next `wait` on. */
  async start(): Promise<void> {
    const { broker, listen, log, workerId } = this.#options
    try {
      await listen(broker.keys.handOffChannel(workerId), (message) => this.#receive(message))
      this.#isListening = true
    } catch (error) {
      if (!(error instanceof RedisReplyError) || error.prefix !== 'NOPERM') throw error
      log.warn(`this Redis user may not subscribe to hand-offs: the worker claims its jobs instead (${error.message})`)
    }
  }

  /** Adds missing entries of the worker. Call it when the worker has nothing to do and when a slot comes free. */
  wait(): void {
    if (!this.#canWait()) return
    for (const place of this.#places) {
      if (place.entry === '' || performance.now() - place.enteredMs >= ANEW_AFTER_MS) void this.#enter(place)
    }
  }

  /** Notes that a job of a queue (default: any queue) was not handed over, so the entry there may be gone. */
  missed(queueName?: string): void {
    for (const place of this.#places) if (queueName === undefined || place.queueName === queueName) place.enteredMs = 0
  }

  /** Leaves the lists; resolves once no new hand-off can begin. Idempotent. */
  async leave(): Promise<void> {
    const entered = this.#places.filter(({ entry }) => entry !== '')
    await Promise.all(entered.map((place) => this.#exchange(place, '')))
  }

  /** Leaves for good. */
  async stop(): Promise<void> {
    this.#isListening = false
    await this.leave()
    this.#stopping.abort()
  }

  #canWait(): boolean {
    return this.#isListening && this.#options.isIdle() && this.#options.room() > 0
  }

  async #enter(place: Place): Promise<void> {
    await this.#exchange(place, this.#newEntry(place))
  }

  /** An entry for the slots that are free now; '' if the worker should not wait. */
  #newEntry(place: Place): string {
    if (!this.#canWait()) return ''
    const { broker, room, workerId } = this.#options
    const token = place.nextToken ?? this.#newToken()
    place.nextToken = undefined
    place.tokens = [token, ...place.tokens.slice(0, 1)]
    return broker.waiting.entry(workerId, token, Math.min(room(), MAX_JOBS))
  }

  #newToken(): string {
    return `${this.#options.workerId}/${randomUUID()}`
  }

  /** Replaces the last entry and takes the jobs of a hand-off in the same call; undefined on failure. */
  async #exchange(place: Place, add: string, handOff?: HandOff, jobIds: string[] = []): Promise<boolean[] | undefined> {
    const { broker, leaseMs, log, pollDelayMs } = this.#options
    const remove = place.entry
    place.entry = add
    place.enteredMs = performance.now()
    const held = handOff && { token: handOff.token, untilMs: handOff.untilMs, jobIds }
    const { signal } = this.#stopping
    const options = { leaseMs, pauseMs: pollDelayMs, signal }
    try {
      const taken = await broker.waiting.take(place.queueName, held, { remove, add }, options)
      place.nextToken ??= this.#newToken()
      return taken
    } catch (error) {
      if (error instanceof RedisReplyError && error.prefix === 'NOPERM') this.#giveUp(place, error)
      else if (!signal.aborted)
        log.error({ err: error }, `waiting for jobs of ${place.queueName} failed, they are polled for`)
      return undefined
    }
  }

  /** Waits on a queue no more whose list this user may not use: it would be refused each time the worker falls asleep. */
  #giveUp(place: Place, { message }: RedisReplyError): void {
    if (!this.#places.includes(place)) return
    this.#places = this.#places.filter((each) => each !== place)
    const { broker, log } = this.#options
    const key = broker.keys.waiting(place.queueName)
    log.warn(
      `this Redis user may not wait for hand-offs in '${key}': jobs of '${place.queueName}' are claimed (${message})`,
    )
  }

  /** The place whose entry a hand-off has used; each token serves once. */
  #placeOf(token: string): Place | undefined {
    const place = this.#places.find(({ tokens }) => tokens.includes(token))
    if (place) {
      place.tokens = place.tokens.filter((each) => each !== token)
      // An older entry leaves the newer one in the list.
      if (place.entry.includes(token)) place.entry = ''
    }
    return place
  }

  #receive(message: Buffer): void {
    const { broker, log, mayRunTwice, release, room, slots, start } = this.#options
    const handOff = readHandOff(message)
    const place = handOff && this.#placeOf(handOff.token)
    if (!place) {
      log.debug({ bytes: message.length }, 'ignored a message that is no hand-off')
      return
    }
    const nowMs = broker.clock.now()
    const receivedMs = performance.now()
    const heldUntilMs = receivedMs + handOff.untilMs - nowMs
    const { isReady: isConnected } = broker.connection
    const decisions = decide(handOff, { nowMs, room: this.#isListening ? room() : 0, isConnected, mayRunTwice })
    const jobs = handOff.jobs.map(({ jobId, payload }, i) => {
      const claim = claimOf(handOff, place.queueName, jobId, payload)
      return slots.add(claim, heldUntilMs, decisions[i] !== 'release')
    })
    const taken = jobs.filter((_, i) => decisions[i] !== 'release')
    if (taken.length > 0)
      this.#take(place, handOff, taken, receivedMs, (job) => decisions[jobs.indexOf(job)] === 'start')
    for (const [i, job] of jobs.entries()) {
      if (decisions[i] === 'start') start(job)
      else if (decisions[i] === 'release') release(job)
    }
  }

  /** Sends the call before any handler starts, so that the try of a handler that ends its process is counted. */
  #take(
    place: Place,
    handOff: HandOff,
    jobs: InFlightJob[],
    sentMs: number,
    hasStarted: (job: InFlightJob) => boolean,
  ): void {
    const { leaseMs, lose, release, slots, start } = this.#options
    const jobIds = jobs.map((job) => job.claim.jobId)
    const taken = this.#exchange(place, this.#newEntry(place), handOff, jobIds).then((held) => {
      for (const [i, job] of jobs.entries()) {
        job.taking = undefined
        // It was lost before it was taken, in an outage: nobody would keep this lease.
        if (held?.[i] && !slots.has(job)) release(slots.add(job.claim, sentMs + leaseMs, false))
        else if (held?.[i]) job.leasedUntilMs = sentMs + leaseMs
        else if (held && hasStarted(job)) lose(job)
        else job.leasedUntilMs = -Infinity // the lease is renewed before the start
        if (!hasStarted(job)) start(job)
      }
      return held
    })
    for (const [i, job] of jobs.entries()) job.taking = taken.then((held) => held?.[i] === true)
  }
}

function claimOf({ dueMs, token }: HandOff, queueName: string, jobId: string, payload: Buffer): Claim {
  return { jobId, queueName, token, payload, jobTry: 1, abortAskedMs: null, score: dueMs, deaths: 0 }
}
