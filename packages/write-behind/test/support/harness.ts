import { Client, createLogger, Worker } from '@arq-ts/core'
import type { ClientOptions, WorkerOptions } from '@arq-ts/core'
import { takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { afterEach, beforeEach } from 'vitest'
import { persistCache, WriteBehind } from '../../src/index.ts'
import type { PersistCacheOptions, Persister, WriteBehindOptions } from '../../src/index.ts'

export const logger = createLogger({ level: 'silent' })

/** A persister that remembers what it was given, in order. */
export function recorder(behave: (value: unknown, call: number) => unknown = () => {}) {
  const saved: { key: string; value: unknown; version: number }[] = []
  const save: Persister = async (key, value, { version }) => {
    const call = saved.push({ key, value, version })
    await behave(value, call)
  }
  return { saved, persisters: { 'app.db': { save } } }
}

/** A database, and caches and workers on it that end with the test. */
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
  const bench = {
    database: () => database,
    client(options: ClientOptions = {}): Client {
      const client = new Client({ redis: database.url, logger, ...options })
      closing.push(() => client.close())
      return client
    },
    cache(options: Partial<WriteBehindOptions> = {}): WriteBehind {
      const cache = new WriteBehind({ client: bench.client(), redis: database.url, ...options })
      closing.push(() => cache.close())
      return cache
    },
    /** Leaves out the cron sweep unless the options name `cron`: most tests do not need it. */
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
        cron: options.cron ? made.cron : [],
      })
      void worker.run()
      closing.push(() => worker.stop())
      return worker
    },
  }
  return bench
}
