import { RedisUnavailableError } from '../errors.ts'
import type { Logger } from '../logging/logger.ts'
import type { Link } from '../redis/link.ts'
import { readDefinition } from './definition.ts'
import type { FlowDriver } from './driver.ts'

/** The lease of the conductor, in ms. Another worker takes over within it and a look. */
const LEASE_MS = 5_000
/** Time between two looks while flows are under way, and while there are none, in ms. */
const LOOK_MS = 500
const REST_MS = 2_000
/** Part of its time that a conductor may spend on looks: one in five. */
const MAX_SHARE = 4
/** Time between two looks for flows in the list whose time is over, in ms. */
const SWEEP_MS = 60_000
/** Distance of two log lines about one flow, in ms. */
const REPEAT_MS = 60_000
/** Flows whose last log line is remembered. */
const MAX_LOGGED = 1_000

export interface ConductorOptions {
  link: Link
  driver: FlowDriver
  workerId: string
  log: Logger
}

/**
 * Looks after the flows of a namespace: a role that one worker has at a time. Workers move on the flows of members that they
 * run; the conductor does so for members that Python runs, and for what a worker left when it died.
 *
 * waiting (another worker has the lease) → looking (each flow, then a rest) → waiting, when the lease is lost; → stopped
 */
export class FlowConductor {
  readonly #options: ConductorOptions
  #isStopped = false
  #timer: NodeJS.Timeout | undefined
  #turning: Promise<void> = Promise.resolve()
  #leads = false
  /** Wakes at what flows publish; undefined until there is one. */
  #ears: Promise<(() => void)[]> | undefined
  /** Queues that it listens to, and what ends that. */
  readonly #queues = new Map<string, () => void>()
  readonly #loggedMs = new Map<string, number>()
  #sweptMs = -Infinity
  #isWoken = false

  constructor(options: ConductorOptions) {
    this.#options = options
  }

  start(): void {
    this.#ears = this.#listen()
    this.#next(REST_MS * Math.random())
  }

  /** Ends the look under way and gives the lease back. Never rejects. */
  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    await this.#turning
    for (const stop of [...((await this.#ears) ?? []), ...this.#queues.values()]) stop()
    if (this.#leads) await this.#options.link.flowRecords.resign(this.#options.workerId).catch(() => {})
    this.#leads = false
  }

  #next(delayMs: number): void {
    if (this.#isStopped) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#isWoken = false
      this.#turning = this.#turn().then((pauseMs) => this.#next(this.#isWoken ? 0 : pauseMs))
    }, delayMs)
  }

  /** Looks at once, or when the look under way is over. */
  readonly #wake = (): void => {
    this.#isWoken = true
    if (this.#timer !== undefined && this.#leads) this.#next(0)
  }

  /** One look at all flows; returns the pause until the next, in ms. */
  async #turn(): Promise<number> {
    const { link, log, workerId } = this.#options
    const begun = performance.now()
    try {
      this.#leads = await link.flowRecords.lead(workerId, LEASE_MS)
      const used = new Set<string>()
      const flows = this.#leads ? await link.flowRecords.watched() : []
      for (const flowId of flows) {
        if (this.#isStopped) return 0
        await this.#look(flowId, used)
        await link.flowRecords.lead(workerId, LEASE_MS)
      }
      this.#leave(used)
      if (this.#leads) await this.#sweep()
      return flows.length === 0 ? REST_MS : Math.max(LOOK_MS, MAX_SHARE * (performance.now() - begun))
    } catch (error) {
      this.#report('', () => log.error({ err: error }, `looking after flows failed, trying again in ${REST_MS} ms`))
      return REST_MS
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

  /** Flows expire by themselves; the list of flows does not hear of that. */
  async #sweep(): Promise<void> {
    const nowMs = performance.now()
    if (nowMs - this.#sweptMs < SWEEP_MS) return
    this.#sweptMs = nowMs
    await this.#options.link.flowRecords.sweep()
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
      return [await subscriber.listen(keys.flowsChannel, this.#wake)]
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
