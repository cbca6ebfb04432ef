import type { ServiceLog } from '../logging/sparing-log.ts'
import { healthLine } from '@arq-ts/protocol/jobs'
import type { WorkerRegistry } from '../redis/worker-registry.ts'
import type { WorkerInfo } from '../fleet/worker-info.ts'
import { MAX_TIMER_MS } from '../time/timer.ts'

/** Interval at which the registry entry is written anew, and its lifetime. */
const REGISTRY_INTERVAL_MS = 2_000
const REGISTRY_TTL_MS = 15_000

/**
 * Shows that the worker is alive: arq's health line each `healthCheckIntervalMs`, and the registry entry.
 * A turn that Redis refuses is logged, and the next one tries again; while one waits for Redis there is no second.
 *
 * stopped → started → stopped (keys removed)
 */
export class Heartbeat {
  readonly #registry: WorkerRegistry
  readonly #countQueued: (queueNames: readonly string[]) => Promise<number>
  readonly #log: ServiceLog
  readonly #queues: readonly string[]
  readonly #healthCheckKeys: readonly string[]
  readonly #intervalMs: number
  readonly #describe: () => WorkerInfo
  readonly #maintain: () => Promise<void>
  #timers: NodeJS.Timeout[] = []
  #beating: Promise<void> | undefined
  #isHealthDue = true
  #hasWritten = false
  #stopped = false
  #lastCounts: string | undefined
  #lastLine: string | null = null

  constructor(options: {
    registry: WorkerRegistry
    countQueued: (queueNames: readonly string[]) => Promise<number>
    log: ServiceLog
    queues: readonly string[]
    healthCheckKeys: readonly string[]
    healthCheckIntervalMs: number
    describe: () => WorkerInfo
    /** Housekeeping that goes along with each registry turn. */
    maintain: () => Promise<void>
  }) {
    this.#registry = options.registry
    this.#countQueued = options.countQueued
    this.#log = options.log
    this.#queues = options.queues
    this.#healthCheckKeys = options.healthCheckKeys
    this.#intervalMs = options.healthCheckIntervalMs
    this.#describe = options.describe
    this.#maintain = options.maintain
  }

  /** Last content of the health keys. */
  get healthLine(): string | null {
    return this.#lastLine
  }

  /** Writes both once, so that a started worker is seen, and continues in the background. */
  async start(): Promise<void> {
    await this.#beat()
    if (this.#stopped) return
    const healthIsDue = () => {
      this.#isHealthDue = true
      void this.#beat()
    }
    this.#timers = [
      setInterval(healthIsDue, Math.min(this.#intervalMs, MAX_TIMER_MS)),
      setInterval(() => void this.#beat(), REGISTRY_INTERVAL_MS),
    ]
  }

  /** Writes the registry entry anew once the turn under way has ended. */
  beatSoon(): void {
    void (this.#beating ?? Promise.resolve()).then(() => {
      if (!this.#stopped) void this.#beat()
    })
  }

  /** Begins no more turns. */
  pause(): void {
    this.#stopped = true
    for (const timer of this.#timers) clearInterval(timer)
    this.#timers = []
  }

  /** Removes what was written, once the turn under way has ended: it must not write it again. Idempotent. */
  async stop(): Promise<void> {
    this.pause()
    await this.#beating
    if (!this.#hasWritten) return
    this.#hasWritten = false
    await this.#registry.unregister(this.#describe().id)
    await this.#registry.removeHealth(await this.#keysOfNobodyElse())
  }

  /** Workers of a queue share its health key: it stays while another one of ours is registered for the queue. */
  async #keysOfNobodyElse(): Promise<string[]> {
    const served = new Set(
      (await this.#registry.entries()).flatMap(({ entry }) => (entry === null ? [] : queuesOf(entry))),
    )
    if (this.#healthCheckKeys.length !== this.#queues.length)
      return this.#queues.some((queue) => served.has(queue)) ? [] : [...this.#healthCheckKeys]
    return this.#healthCheckKeys.filter((_, i) => !served.has(this.#queues[i]!))
  }

  #beat(): Promise<void> {
    this.#beating ??= this.#write().finally(() => {
      this.#beating = undefined
    })
    return this.#beating
  }

  async #write(): Promise<void> {
    this.#hasWritten = true
    try {
      // Any worker that stops, a Python one too, removes the key that all workers of the queue share.
      if (this.#isHealthDue || !(await this.#registry.hasHealth(this.#healthCheckKeys))) await this.#recordHealth()
      if (this.#stopped) return
      const entry = this.#describe()
      await this.#registry.register(entry.id, JSON.stringify(entry), REGISTRY_TTL_MS)
      if (!this.#stopped) await this.#maintain()
    } catch (error) {
      if (!this.#stopped) this.#log.warn({ err: error }, 'writing the registry entry failed')
    }
  }

  async #recordHealth(): Promise<void> {
    try {
      const { counters } = this.#describe()
      const queued = await this.#countQueued(this.#queues)
      const line = healthLine(new Date(), { ...counters, queued })
      const ttlMs = this.#intervalMs + 1_000
      await Promise.all(this.#healthCheckKeys.map((key) => this.#registry.writeHealth(key, line, ttlMs)))
      this.#isHealthDue = false
      this.#lastLine = line
      // arq logs it only when the counts have changed.
      const counts = line.slice(line.indexOf('j_complete='))
      if (this.#lastCounts !== undefined && this.#lastCounts !== counts) this.#log.info(`recording health: ${line}`)
      this.#lastCounts = counts
    } catch (error) {
      if (!this.#stopped) this.#log.warn({ err: error }, 'recording health failed')
    }
  }
}

/** The queues that a registry entry names; none where it cannot be read. */
function queuesOf(entry: string): string[] {
  try {
    const { queues } = JSON.parse(entry) as { queues?: unknown }
    return Array.isArray(queues) ? queues.filter((queue): queue is string => typeof queue === 'string') : []
  } catch {
    return []
  }
}
