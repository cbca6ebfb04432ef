import type { Client } from '@arq-ts/core'
import { Gauge, Registry } from 'prom-client'

/**
 * Prometheus metrics of queues, asked of Redis when they are scraped. One process of a fleet should serve them: they are
 * the same from each.
 */
export function queueMetrics(client: Client, queueNames: readonly string[]): Registry {
  const registry = new Registry()
  const gauge = <const L extends readonly string[]>(name: string, help: string, labelNames: L) =>
    new Gauge<L[number]>({ name, help, labelNames, registers: [registry], collect: refresh })
  // All gauges of a scrape are collected together, and share one look.
  let looking: Promise<void> | undefined
  function refresh(): Promise<void> {
    looking ??= look().finally(() => (looking = undefined))
    return looking
  }

  const jobs = gauge('arq_queue_jobs', 'Jobs of a queue by state, of every language.', ['queue', 'state'])
  const paused = gauge('arq_queue_paused', '1 while a queue is paused.', ['queue'])
  const workers = gauge('arq_queue_workers', 'Live arq-ts workers of a queue.', ['queue'])
  const oldest = gauge('arq_queue_oldest_due_seconds', 'For how long the oldest pending job is due; 0 when none is.', [
    'queue',
  ])
  const up = gauge('arq_redis_up', '1 when Redis answered this scrape.', [])

  async function look(): Promise<void> {
    try {
      const nowMs = await client.inspector.now()
      for (const queue of queueNames) {
        const stats = await client.queues.stats(queue)
        for (const state of ['pending', 'deferred', 'running', 'dead'] as const)
          jobs.set({ queue, state }, stats[state])
        paused.set({ queue }, stats.paused ? 1 : 0)
        workers.set({ queue }, stats.workers)
        const waitedMs = stats.oldestDue === null ? 0 : nowMs - stats.oldestDue.getTime()
        oldest.set({ queue }, Math.max(0, waitedMs) / 1_000)
      }
      up.set(1)
    } catch {
      for (const each of [jobs, paused, workers, oldest]) each.reset()
      up.set(0)
    }
  }
  return registry
}
