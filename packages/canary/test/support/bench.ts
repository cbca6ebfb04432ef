import { Client, createLogger, Worker } from '@arq-ts/core'
import type { WorkerOptions } from '@arq-ts/core'
import { takeDatabase } from '@arq-ts/testkit'
import type { Database } from '@arq-ts/testkit'
import { Redis } from 'ioredis'
import { afterEach, beforeEach } from 'vitest'
import { CanaryDeployments, CanaryRouter, canaryTasks } from '../../src/index.ts'
import type { Aliases, CanaryTasksOptions } from '../../src/index.ts'

export const logger = createLogger({ level: 'silent' })

/** Aliases in memory, where a test is not about Qdrant. `down` makes every call fail. */
export class MemoryAliases implements Aliases {
  readonly aliases = new Map([['products', 'v1']])
  readonly collections = new Set(['v1', 'v2'])
  readonly switches: string[] = []
  down = false

  async getCollectionForAlias(alias: string): Promise<string | null> {
    this.#answer()
    return this.aliases.get(alias) ?? null
  }
  async switchAlias(alias: string, collection: string): Promise<void> {
    this.#answer()
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
export function useBench() {
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
    database: () => database,
    client: () => later(new Client({ redis: database.url, logger })),
    redis(): Redis {
      const redis = new Redis(database.url)
      closing.push(() => redis.disconnect())
      return redis
    },
    router: (now?: () => number) => later(new CanaryRouter({ redis: database.url, ...(now ? { now } : {}) })),
    deployments: (aliases: Aliases) =>
      later(new CanaryDeployments({ client: bench.client(), redis: database.url, aliases })),
    worker(tasks: Omit<CanaryTasksOptions, 'redis'>, options: WorkerOptions = {}): Worker {
      const made = canaryTasks({ redis: database.url, ...tasks })
      const worker = new Worker({
        redis: database.url,
        logger,
        handleSignals: false,
        pollDelayMs: 50,
        abortGraceMs: 100,
        ...made,
        ...options,
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
