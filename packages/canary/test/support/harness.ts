import { Client, createLogger, Worker } from '@arq-ts/core'
import type { WorkerOptions } from '@arq-ts/core'
import { eventually, takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { afterEach, beforeEach } from 'vitest'
import { CanaryDeployments, CanaryRouter, canaryTasks } from '../../src/index.ts'
import type { Aliases, CanaryTasksOptions, DeploymentReport } from '../../src/index.ts'

export const logger = createLogger({ level: 'silent' })

/** Aliases in memory, where a test is not about Qdrant. `down` makes every call fail, `refuses` every switch. */
export class MemoryAliases implements Aliases {
  readonly aliases = new Map([['products', 'v1']])
  readonly collections = new Set(['v1', 'v2'])
  readonly switches: string[] = []
  down = false
  refuses = false

  async getCollectionForAlias(alias: string): Promise<string | null> {
    this.#answer()
    return this.aliases.get(alias) ?? null
  }
  async switchAlias(alias: string, collection: string): Promise<void> {
    this.#answer()
    if (this.refuses) throw new Error('Qdrant refuses')
    this.aliases.set(alias, collection)
    this.switches.push(collection)
  }
  async collectionExists(collection: string): Promise<boolean> {
    this.#answer()
    return this.collections.has(collection)
  }
  #answer(): void {
    if (this.down) throw new Error('Qdrant is away')
  }
}

/** A database, and what works on it; all ends with the test. */
export function useHarness() {
  let database: Database
  const closing: (() => unknown)[] = []
  beforeEach(async () => {
    database = await takeDatabase()
  })
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close()
    await database.release()
  })
  const later = <T extends { close: () => unknown }>(made: T): T => {
    closing.push(() => made.close())
    return made
  }
  const bench = {
    /** Entries of a stream so far, oldest first: Python's events, or `canary:events`, which has all. */
    async events(stream = 'deployment:events'): Promise<Record<string, string>[]> {
      const entries = await database.redis.xrange(stream, '-', '+')
      return entries.map(([, fields]) =>
        Object.fromEntries(Array.from({ length: fields.length / 2 }, (_, i) => [fields[2 * i]!, fields[2 * i + 1]!])),
      )
    },
    database: () => database,
    client: () => later(new Client({ redis: database.url, logger })),
    redis(): Redis {
      const redis = new Redis(database.url)
      closing.push(() => redis.disconnect())
      return redis
    },
    router: (now?: () => number) =>
      // On a busy machine Redis may be late: tests are not about that.
      later(new CanaryRouter({ redis: database.url, timeoutMs: 10_000, ...(now ? { now } : {}) })),
    deployments: (aliases: Aliases, now?: () => number) =>
      later(new CanaryDeployments({ client: bench.client(), redis: database.url, aliases, ...(now ? { now } : {}) })),
    /** Without its cron watch, unless `cron` is among the options: most tests are not about it. */
    worker(tasks: Omit<CanaryTasksOptions, 'redis'>, options: WorkerOptions = {}): Worker {
      const made = canaryTasks({ redis: database.url, ...tasks })
      const worker = new Worker({
        redis: database.url,
        logger,
        handleSignals: false,
        pollDelayMs: 50,
        abortGraceMs: 100,
        ...options,
        ...made,
        cron: options.cron ? made.cron : [],
      })
      void worker.run()
      closing.push(() => worker.stop())
      return worker
    },
  }
  return bench
}

/** Stages that end within seconds. */
export const quick = (...stages: [percentage: number, seconds: number][]) =>
  stages.map(([percentage, seconds]) => ({ percentage, durationMinutes: seconds / 60 }))

/** A deployment's configuration as Python writes it, without its stages. */
export const pythonConfig = { alias: 'products', old_collection: 'v1', new_collection: 'v2' }

/** Waits until a deployment has this status, and returns its report. */
export async function hasReached(
  deployments: CanaryDeployments,
  id: string,
  status: DeploymentReport['status'],
): Promise<DeploymentReport> {
  await eventually(async () => (await deployments.status(id))?.status === status, { timeoutMs: 20_000 })
  return (await deployments.status(id))!
}

/** Requests until the test ends or says so. */
export function traffic(
  router: CanaryRouter,
  behave: (collection: string) => { latencyMs: number; isError: boolean },
): () => Promise<void> {
  let going = true
  const run = (async () => {
    for (let i = 0; going; i++) {
      const { collection, deploymentId } = await router.route('products', { requestId: `r${i}` })
      if (deploymentId) await router.record({ deploymentId, collection, ...behave(collection) })
      else await new Promise((resolve) => setTimeout(resolve, 5))
    }
  })()
  return async () => {
    going = false
    await run
  }
}
