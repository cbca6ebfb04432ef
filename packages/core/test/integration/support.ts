import { takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { afterEach, beforeEach } from 'vitest'
import { Client, createLogger, Worker } from '../../src/index.ts'
import type { ClientOptions, WorkerOptions } from '../../src/index.ts'

/** A database for each test, and clients and workers on it that end with the test. */
export interface Bench {
  database(): Database
  client(options?: ClientOptions): Client
  /** Started, and awaited until it polls. */
  worker(options: WorkerOptions): Promise<Worker>
}

export const silent = createLogger({ level: 'silent' })

export function useHarness(): Bench {
  let database: Database
  const closing: (() => Promise<unknown>)[] = []

  beforeEach(async () => {
    database = await takeDatabase()
  })
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close()
    await database.release()
  })

  return {
    database: () => database,
    client(options = {}) {
      const client = new Client({ redis: database.url, logger: silent, ...options })
      closing.push(() => client.close())
      return client
    },
    async worker(options) {
      const worker = new Worker({
        redis: database.url,
        logger: silent,
        handleSignals: false,
        pollDelayMs: 100,
        abortGraceMs: 100,
        ...options,
      })
      const started = new Promise<void>((resolve) => worker.once('started', () => resolve()))
      const running = worker.run()
      closing.push(() => worker.stop().catch(() => {}))
      await Promise.race([started, running])
      return worker
    },
  }
}

/** Resolves with the worker's next report of an event. */
export function next<T>(worker: Worker, event: string): Promise<T> {
  return new Promise((resolve) => worker.once(event as 'jobFinished', (about) => resolve(about as T)))
}
