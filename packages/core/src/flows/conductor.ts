import { RedisReplyError } from '../errors.ts'
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
  readonly #queues = new Map<string, () => void>()
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
      if (!this.#leads) return REST_MS
      const flows = await link.flowRecords.watched()
      for (const flowId of flows) {
        if (this.#isStopped) return 0
        await this.#look(flowId)
        await link.flowRecords.lead(workerId, LEASE_MS)
      }
      return flows.length === 0 ? REST_MS : Math.max(LOOK_MS, MAX_SHARE * (performance.now() - begun))
    } catch (error) {
      log.error({ err: error }, `looking after flows failed, trying again in ${REST_MS} ms`)
      return REST_MS
    }
  }

  /** One that is damaged stops no other. */
  async #look(flowId: string): Promise<void> {
    const { driver, log } = this.#options
    try {
      await driver.look(flowId)
      await this.#hear(flowId)
    } catch (error) {
      if (!(error instanceof RedisReplyError)) throw error
      log.error({ err: error, flowId }, `looking after the flow '${flowId}' failed, trying again in ${LOOK_MS} ms`)
    }
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
  async #hear(flowId: string): Promise<void> {
    const { link } = this.#options
    const out = await link.flowRecords.out(flowId)
    const names = out.slice(0, 100).map((key) => `m:${key}`)
    const texts = await link.flowRecords.fields(flowId, names)
    for (const text of texts) {
      if (!text) continue
      const { isPython, queueName } = readDefinition(text)
      if (!isPython || this.#queues.has(queueName)) continue
      this.#queues.set(queueName, () => {})
      const channel = link.keyspaceChannel(link.keys.queue(queueName))
      const stop = await link.subscriber
        .listen(channel, (event) => event === 'zrem' && this.#wake())
        .catch(() => () => {})
      this.#queues.set(queueName, stop)
    }
  }
}
