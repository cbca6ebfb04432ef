import { Client, createLogger, Worker } from '@arq-ts/core'
import type { WorkerOptions } from '@arq-ts/core'
import { takeDatabase } from '@arq-ts/testkit'
import type { Database } from '@arq-ts/testkit'
import { afterEach, beforeEach } from 'vitest'
import { persistCache, WriteBehind } from '../../src/index.ts'
import type { PersistCacheOptions, WriteBehindOptions } from '../../src/index.ts'

export const logger = createLogger({ level: 'silent' })

/** A database, and caches and workers on it that end with the test. */
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
  const bench = {
    database: () => database,
    client(): Client {
      const client = new Client({ redis: database.url, logger })
      closing.push(() => client.close())
      return client
    },
    cache(options: Partial<WriteBehindOptions> = {}): WriteBehind {
      const cache = new WriteBehind({ client: bench.client(), redis: database.url, ...options })
      closing.push(() => cache.close())
      return cache
    },
    worker(tasks: Omit<PersistCacheOptions, 'redis'>, options: WorkerOptions = {}): Worker {
      const made = persistCache({ redis: database.url, retryDelayMs: 20, ...tasks })
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
