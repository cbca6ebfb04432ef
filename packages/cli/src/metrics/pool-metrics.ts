import { Client } from '@arq-ts/core'
import type { ClientOptions } from '@arq-ts/core'
import { AggregatorRegistry, Gauge, Registry } from 'prom-client'
import type { Supervisor } from '../worker/supervisor.ts'
import { queueMetrics } from './queue-metrics.ts'
import type { MetricsSource } from './server.ts'

const REDIS_WAIT_MS = 2_000

/** The metrics and probes of a whole pool: its processes added up, its queues, and itself. */
export class PoolMetrics implements MetricsSource {
  readonly #pool: Supervisor
  readonly #client: Client
  readonly #own = new Registry()
  readonly #queues: Registry

  constructor(pool: Supervisor, options: ClientOptions, queueNames: readonly string[]) {
    this.#pool = pool
    this.#client = new Client({ ...options, commandTimeoutMs: REDIS_WAIT_MS })
    this.#queues = queueMetrics(this.#client, queueNames)
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
    const texts = await Promise.all([workers.metrics(), this.#queues.metrics(), this.#own.metrics()])
    return { text: texts.join('\n'), contentType: this.#own.contentType }
  }

  /** Alive while the supervisor answers: it brings processes back by itself. */
  whyNotAlive = (): string | null => null

  whyNotReady = (): string | null => {
    const { stopping, ready, connected, places } = this.#pool.state
    if (stopping) return 'draining'
    if (ready === 0) return `none of ${places} worker processes is up`
    return connected === 0 ? 'no worker process has its Redis' : null
  }

  close(): Promise<void> {
    return this.#client.close()
  }
}
