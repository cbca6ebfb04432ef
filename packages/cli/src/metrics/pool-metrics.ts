import { isDeepStrictEqual } from 'node:util'
import { Client } from '@arq-ts/core'
import type { Logger } from '@arq-ts/core'
import { AggregatorRegistry, Gauge, Registry } from 'prom-client'
import type { ServedQueues } from '../worker/served.ts'
import type { Supervisor } from '../worker/supervisor.ts'
import type { PackageMetrics } from './package-metrics.ts'
import { queueMetrics } from './queue-metrics.ts'
import type { MetricsSource } from './server.ts'

const REDIS_WAIT_MS = 2_000

/** The metrics and probes of a whole pool: its processes added up, its queues, and itself. */
export class PoolMetrics implements MetricsSource {
  readonly #pool: Supervisor
  readonly #log: Logger
  readonly #packages: PackageMetrics
  readonly #own = new Registry()
  /** Address of the pool's Redis, once known: a settings module names it. */
  #queues: { served: ServedQueues; client: Client; registry: Registry } | undefined

  constructor(pool: Supervisor, log: Logger, packages: PackageMetrics) {
    this.#pool = pool
    this.#packages = packages
    this.#log = log
    const gauge = (name: string, help: string, read: () => number) =>
      new Gauge({
        name,
        help,
        registers: [this.#own],
        collect() {
          this.set(read())
        },
      })
    gauge('arq_pool_processes', 'Worker processes that are up and polling.', () => pool.state.ready)
    gauge('arq_pool_size', 'Worker processes that should be.', () => pool.state.places)
    gauge(
      'arq_pool_restarts',
      'Worker processes started anew after a crash, since the pool began.',
      () => pool.state.restarts,
    )
  }

  metrics = async (): Promise<{ text: string; contentType: string }> => {
    const workers = AggregatorRegistry.aggregate((await this.#pool.metrics()) as object[][])
    const queues = this.#queuesServed()?.metrics() ?? ''
    const texts = await Promise.all([workers.metrics(), queues, this.#own.metrics(), this.#packages.text()])
    return { text: texts.join('\n'), contentType: this.#own.contentType }
  }

  #queuesServed(): Registry | undefined {
    const { served } = this.#pool
    if (!served) return undefined
    if (!isDeepStrictEqual(this.#queues?.served, served)) {
      void this.#queues?.client.close()
      const client = new Client({ ...served.connection, logger: this.#log, commandTimeoutMs: REDIS_WAIT_MS })
      this.#queues = {
        served,
        client,
        registry: queueMetrics(client, async () => ({ names: served.queueNames, complete: true })),
      }
    }
    return this.#queues?.registry
  }

  /** Alive while the supervisor answers: it restarts processes, and ends those that do not answer. */
  whyNotAlive = (): string | null => null

  whyNotReady = (): string | null => {
    const { stopping, ready, connected, places } = this.#pool.state
    if (stopping) return 'draining'
    if (ready === 0) return `none of ${places} worker processes is up`
    return connected === 0 ? 'no worker process has its Redis' : null
  }

  async close(): Promise<void> {
    await this.#packages.close()
    await this.#queues?.client.close()
  }
}
