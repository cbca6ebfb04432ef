import { RedisUnavailableError } from '../errors.ts'
import type { Logger } from '../logging/logger.ts'
import { BoundedCalls } from '../partitions/bounded-calls.ts'
import type { RedisContext } from '../redis/context.ts'
import { readDefinition } from './definition.ts'
import type { FlowDriver } from './driver.ts'

/** The lease of the conductor, in ms. Another worker takes over within it and a look. */
const LEASE_MS = 5_000
/** Time between two looks of the conductor, and of a worker that waits for its lease, in ms. */
const LOOK_MS = 500
const WAIT_MS = 2_000
/**
 * Part of its time that a conductor may spend on looks: one in five. Where it is woken, the pause after a look that took
 * long ends after LOOK_MS.
 */
const MAX_SHARE = 4
/** Distance of two log lines about one flow, in ms. */
const REPEAT_MS = 60_000
/** Flows whose last log line is remembered. */
const MAX_LOGGED = 1_000

export interface ConductorOptions {
  link: RedisContext
  driver: FlowDriver
  workerId: string
  log: Logger
}

/**
 * Looks after the flows of a namespace: a role that one worker has at a time, while there are flows. Workers advance the
 * flows of members that they run; the conductor does so for members that Python runs, and for work that a dead worker left
 * undone.
 *
 * resting (no flow is in progress: it sends nothing until one begins) ⇄ waiting (another worker has the lease)
 * ⇄ looking (each flow, then a pause); → stopped
 */
export class FlowConductor {
  readonly #options: ConductorOptions
  readonly #calls = new BoundedCalls<RedisContext>()
  #isStopped = false
  #timer: NodeJS.Timeout | undefined
  #turning: Promise<void> = Promise.resolve()
  #state: 'resting' | 'waiting' | 'looking' = 'waiting'
  /** True if it was the last to look: it is then the first to look at the next flow. */
  #wasLast = false
  /** True while it listens for flows that begin. */
  #isSubscribed = false
  #ears: Promise<(() => void)[]> | undefined
  /** Queues that it listens to, and what ends that. */
  readonly #queues = new Map<string, () => void>()
  readonly #loggedMs = new Map<string, number>()
  #isTurning = false
  /** End of the pause that the last turn costs, whatever it hears, by `performance.now()`. */
  #pausedUntilMs = 0
  /** Time until the next turn where one was asked for during this one, in ms. */
  #wokenMs = Infinity

  constructor(options: ConductorOptions) {
    this.#options = options
  }

  start(): void {
    this.#ears = this.#listen()
    this.#next(WAIT_MS * Math.random())
  }

  /** Ends the look under way and gives the lease back. Never rejects. */
  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    await this.#turning
    for (const stop of [...((await this.#ears) ?? []), ...this.#queues.values()]) stop()
    if (this.#state === 'looking') await this.#options.link.flowWatch.resign(this.#options.workerId).catch(() => {})
    this.#state = 'resting'
  }

  #next(delayMs: number): void {
    if (this.#isStopped) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#isTurning = true
      this.#wokenMs = Infinity
      const begun = performance.now()
      this.#turning = this.#turn().then((pauseMs) => {
        this.#isTurning = false
        const ended = performance.now()
        const leastMs = Math.min(LOOK_MS, MAX_SHARE * (ended - begun))
        this.#pausedUntilMs = ended + leastMs
        const delayMs = Math.min(Math.max(this.#wokenMs, leastMs), pauseMs)
        if (delayMs < Infinity) this.#next(delayMs)
      })
    }, delayMs)
  }

  /**
   * Looks at once, or when the last look is over and has had its pause: each job that leaves a busy queue wakes it. Who
   * waits for the lease asks by the clock: others may be many.
   */
  readonly #wake = (): void => {
    // The worker that looked last comes first among those that rest.
    const isFirst = this.#state === 'looking' || this.#wasLast
    const pauseMs = Math.max(0, this.#pausedUntilMs - performance.now())
    const delayMs = isFirst ? pauseMs : LOOK_MS + WAIT_MS * Math.random()
    if (this.#isTurning) this.#wokenMs = Math.min(this.#wokenMs, delayMs)
    else if (this.#timer === undefined || isFirst) this.#next(delayMs)
  }

  /** One look at all flows; returns the pause until the next in ms, infinite until it hears of a flow. */
  async #turn(): Promise<number> {
    const { link, log, workerId } = this.#options
    const begun = performance.now()
    try {
      if (!(await link.flowWatch.isNeeded())) return await this.#rest()
      this.#state = (await link.flowWatch.lead(workerId, LEASE_MS)) ? 'looking' : 'waiting'
      this.#wasLast = this.#state === 'looking'
      const used = new Set<string>()
      if (this.#wasLast) await this.#lookAtAll(await link.flowWatch.flows(), used)
      this.#leave(used)
      if (this.#state === 'waiting') return WAIT_MS
      return Math.max(LOOK_MS, MAX_SHARE * (performance.now() - begun))
    } catch (error) {
      this.#report('', () => log.error({ err: error }, `looking after flows failed, trying again in ${WAIT_MS} ms`))
      return WAIT_MS
    }
  }

  /** Releases the lease if it holds it; from now on it is notified of flows that begin. */
  async #rest(): Promise<number> {
    const { link, workerId } = this.#options
    this.#leave(new Set())
    if (this.#state === 'looking') await link.flowWatch.resign(workerId)
    this.#state = 'resting'
    return this.#isSubscribed ? Infinity : WAIT_MS
  }

  /** Looks at flows: in all partitions at once, as one whose node is away holds up no other. */
  async #lookAtAll(flowIds: readonly string[], used: Set<string>): Promise<void> {
    const { link } = this.#options
    const own = new Map<RedisContext, string[]>(link.parts.map((part) => [part, []]))
    for (const flowId of flowIds) own.get(link.partOf(flowId))!.push(flowId)
    await Promise.all([...own].map(([part, ids]) => this.#lookWithin(part, ids, used)))
  }

  /** Looks at the flows of a partition one by one, and ends with one that does not answer. */
  async #lookWithin(part: RedisContext, flowIds: readonly string[], used: Set<string>): Promise<void> {
    const { link, workerId } = this.#options
    // Where the look at one takes long, each other has its turn before it now and then.
    const from = link.parts.length === 1 ? 0 : Math.floor(Math.random() * flowIds.length)
    for (const flowId of [...flowIds.slice(from), ...flowIds.slice(0, from)]) {
      if (this.#isStopped) return
      const look = () => this.#look(flowId, used).then(() => true)
      const isAnswered = link.parts.length === 1 ? await look() : await this.#calls.ask(part, look, () => false)
      if (!isAnswered) return
      if (!this.#isStopped) await link.flowWatch.lead(workerId, LEASE_MS)
    }
  }

  /** One that is damaged, in whatever way, stops no other. */
  async #look(flowId: string, used: Set<string>): Promise<void> {
    const { driver, log } = this.#options
    try {
      await driver.look(flowId)
      await this.#hear(flowId, used)
    } catch (error) {
      if (error instanceof RedisUnavailableError) throw error
      const about = `looking after the flow '${flowId}' failed, trying again in ${LOOK_MS} ms`
      this.#report(flowId, () => log.error({ err: error, flowId }, about))
    }
  }

  #report(about: string, write: () => void): void {
    const nowMs = performance.now()
    if (nowMs - (this.#loggedMs.get(about) ?? -Infinity) < REPEAT_MS) return
    if (this.#loggedMs.size >= MAX_LOGGED) this.#loggedMs.clear()
    this.#loggedMs.set(about, nowMs)
    write()
  }

  /** Announcements of flows that begin; without them it looks by the clock. */
  async #listen(): Promise<(() => void)[]> {
    const { keys, subscriber } = this.#options.link
    try {
      const stop = await subscriber.listen(keys.flowsChannel, this.#wake)
      this.#isSubscribed = true
      // A flow may have begun before, and while the connection was down.
      this.#wake()
      return [stop, subscriber.whenUp(this.#wake)]
    } catch {
      return []
    }
  }

  /** Keyspace events of the queues of a flow's members, where the server has them: a job of Python's that ends leaves its queue. */
  async #hear(flowId: string, used: Set<string>): Promise<void> {
    const { link } = this.#options
    const out = await link.flowRecords.out(flowId)
    const names = out.slice(0, 100).map((key) => `m:${key}`)
    const texts = await link.flowRecords.fields(flowId, names)
    for (const text of texts) {
      if (!text) continue
      const { isPython, queueName } = readDefinition(text)
      if (!isPython) continue
      used.add(queueName)
      if (this.#queues.has(queueName)) continue
      this.#queues.set(queueName, () => {})
      const channel = link.keyspaceChannel(link.keys.queue(queueName))
      const stop = await link.subscriber
        .listen(channel, (event) => event === 'zrem' && this.#wake())
        .catch(() => () => {})
      this.#queues.set(queueName, stop)
    }
  }

  /** Listens no longer to queues that no flow uses: names of queues may be many. */
  #leave(used: ReadonlySet<string>): void {
    for (const [queueName, stop] of this.#queues) {
      if (used.has(queueName)) continue
      stop()
      this.#queues.delete(queueName)
    }
  }
}
