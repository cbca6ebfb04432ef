import { checkOptions, KEY_KINDS } from '@arq-ts/core'
import type { Client, QueueStats } from '@arq-ts/core'
import { Gauge, Registry } from 'prom-client'
import { z } from 'zod'
import { Labels } from './labels.ts'

/** Queues that get series of their own; all further ones share one label. */
const MAX_QUEUES = 100

/** Queues to measure, and whether they are all there are. */
export type QueueNames = () => Promise<{ names: readonly string[]; complete: boolean }>

const schema = z.strictObject({
  client: z.custom<Client>(
    (value) => typeof (value as { queues?: unknown } | null)?.queues === 'object',
    'Expected a Client of @arq-ts/core',
  ),
  queueNames: z.custom<QueueNames>((value) => typeof value === 'function', 'Expected a function'),
})

/**
 * Prometheus metrics of queues, asked of Redis when they are scraped. One process of a fleet should serve them: they are
 * the same from each.
 *
 * @throws OptionsError
 */
export function queueMetrics(client: Client, queueNames: QueueNames): Registry {
  checkOptions('queueMetrics', schema, { client, queueNames })
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
  const python = gauge('arq_queue_python_alive', '1 while a Python worker of the queue writes its health line.', [
    'queue',
  ])
  const oldest = gauge(
    'arq_queue_oldest_due_seconds',
    'Seconds since the oldest queued job became due; 0 when none is.',
    ['queue'],
  )
  const damaged = gauge('arq_queue_damaged_keys', 'Keys of a queue that hold another type of value than they should.', [
    'queue',
  ])
  const damagedKeys = gauge(
    'arq_redis_damaged_keys',
    'Keys of a wrong type that this scrape met, by the kind of key.',
    ['key'],
  )
  const ended = gauge('arq_queue_jobs_ended', 'Jobs that ended on arq-ts workers since the queue was first used.', [
    'queue',
    'outcome',
  ])
  const unreadable = gauge('arq_workers_unreadable', 'Registered workers whose entries cannot be read.', [])
  const complete = gauge('arq_queues_complete', '0 where the database was too large to look for all queues.', [])
  const up = gauge('arq_redis_up', '1 when Redis answered this scrape.', [])
  const ofQueues = [jobs, paused, workers, python, oldest, damaged, ended]

  function set(queue: string, stats: QueueStats, nowMs: number): void {
    jobs.set({ queue, state: 'queued' }, stats.pending)
    for (const state of ['deferred', 'running', 'dead'] as const) jobs.set({ queue, state }, stats[state])
    for (const outcome of ['complete', 'failed', 'aborted'] as const) ended.set({ queue, outcome }, stats[outcome])
    paused.set({ queue }, stats.paused ? 1 : 0)
    workers.set({ queue }, stats.workers)
    python.set({ queue }, stats.python ? 1 : 0)
    damaged.set({ queue }, stats.problems.length)
    const waitedMs = stats.oldestDueMs === null ? 0 : nowMs - stats.oldestDueMs
    oldest.set({ queue }, Math.max(0, waitedMs) / 1_000)
  }

  async function look(): Promise<void> {
    try {
      const nowMs = await client.now()
      const found = await queueNames()
      const all = await client.queues.statsOf(found.names)
      const fleet = await client.workers.fleet([])
      // A queue that is gone has no series.
      for (const each of ofQueues) each.reset()
      const labels = new Labels([], MAX_QUEUES)
      for (const stats of all) set(labels.of(stats.queueName), stats, nowMs)
      damagedKeys.reset()
      for (const key of KEY_KINDS) damagedKeys.set({ key }, 0)
      for (const { kind } of client.doctor.takeDamagedKeys()) damagedKeys.inc({ key: kind })
      unreadable.set(fleet.unreadable.length)
      complete.set(found.complete ? 1 : 0)
      up.set(1)
    } catch {
      for (const each of [...ofQueues, damagedKeys, unreadable, complete]) each.reset()
      up.set(0)
    }
  }
  return registry
}
