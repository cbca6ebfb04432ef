import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Client, Worker } from '@arq-ts/core'
import type { WorkerOptions } from '@arq-ts/core'
import type { Deletions, Deployments, TaskSources, WriteBehindCache } from '@arq-ts/dashboard'
import { eventually } from '@arq-ts/test-support'

/** The packages as an application has them that has installed them. */
const installed = join(import.meta.dirname, '../../../../examples/node_modules/@arq-ts')
const load = async <T>(name: string): Promise<T> =>
  (await import(/* @vite-ignore */ pathToFileURL(join(installed, name, 'dist/index.js')).href)) as T

interface Canary {
  CanaryDeployments: new (options: object) => Deployments & {
    startCanary(alias: string, collection: string, options: object): Promise<string>
    status(id: string): Promise<{ status: string } | null>
    close(): Promise<void>
  }
  CanaryRouter: new (options: object) => { record(request: object): Promise<void>; close(): Promise<void> }
  canaryTasks: (options: object) => Pick<WorkerOptions, 'tasks'>
}
interface WriteBehind {
  WriteBehind: new (options: object) => WriteBehindCache & {
    writeBehind(key: string, value: unknown, options: object): Promise<unknown>
    close(): Promise<void>
  }
}
interface Qdrant {
  ScheduledDeletions: new (options: object) => Deletions
}

const QUEUE = 'operations'

/** The three tasks at work: a deployment in its first stage with measured requests, dirty keys, a scheduled deletion. */
export interface TasksAtWork {
  sources: TaskSources
  deploymentId: string
  close(): Promise<void>
}

/** Fills Redis by the packages themselves, with aliases in memory instead of a Qdrant, in a queue of its own. */
export async function startTasks(redis: string): Promise<TasksAtWork> {
  const [canary, writeBehind, qdrant] = await Promise.all([
    load<Canary>('canary'),
    load<WriteBehind>('write-behind'),
    load<Qdrant>('qdrant'),
  ])
  // Another queue's jobs are none of its business: a worker of theirs would fail what it does not know.
  const client = new Client({ redis, queueName: QUEUE })
  const names = new Map([['products', 'products-v1']])
  const aliases = {
    getCollectionForAlias: (alias: string) => Promise.resolve(names.get(alias) ?? null),
    collectionExists: () => Promise.resolve(true),
    switchAlias: (alias: string, collection: string) => Promise.resolve(void names.set(alias, collection)),
  }
  const deployments = new canary.CanaryDeployments({ client, redis, aliases })
  const router = new canary.CanaryRouter({ redis, timeoutMs: 10_000 })
  const cache = new writeBehind.WriteBehind({ client, redis })
  const { tasks } = canary.canaryTasks({ redis, aliases })
  const worker = new Worker({ redis, name: 'canary-1', queueName: QUEUE, handleSignals: false, tasks: tasks! })
  const stop = new AbortController()
  const running = worker.run(stop.signal)

  const deploymentId = await deployments.startCanary('products', 'products-v2', {
    stages: [
      { percentage: 10, durationMinutes: 30, approval: true },
      { percentage: 50, durationMinutes: 60 },
      { percentage: 100, durationMinutes: 60 },
    ],
    guards: [{ metric: 'ctr', min: 0.1 }],
  })
  await eventually(async () => (await deployments.status(deploymentId))?.status === 'running', { timeoutMs: 30_000 })
  const requests = Array.from({ length: 400 }, (_, i) => ({
    deploymentId,
    collection: i % 5 === 0 ? 'products-v2' : 'products-v1',
    latencyMs: 20 + ((i * 37) % 60),
    isError: i % 50 === 0,
    values: { ctr: 0.2 + (i % 7) / 100 },
  }))
  await Promise.all(requests.map((request) => router.record(request)))
  for (const [key, value] of Object.entries({ 'user:7': { name: 'ada' }, 'user:8': { name: 'grace' }, cart: [1, 2] }))
    await cache.writeBehind(key, value, { persister: 'app.db:save', delayMs: 600_000 })
  await client.enqueue('delete_collection', ['products-v0', 90], { jobId: 'old', deferByMs: 5_400_000 })
  const deletions = new qdrant.ScheduledDeletions({ client })
  return {
    sources: { deployments, cache, deletions },
    deploymentId,
    async close() {
      stop.abort()
      await running
      await Promise.all([deployments.close(), router.close(), cache.close()])
      await client.close()
    },
  }
}
