import { Client, createLogger, Worker } from '@arq-ts/core'
import type { ClientOptions, WorkerOptions } from '@arq-ts/core'
import { takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import { startQdrant, whyNoQdrant } from './index.ts'
import type { TestQdrant } from './index.ts'

/** Reason why tests against Qdrant are left out here; undefined where they run. */
export const noQdrant: string | undefined = await whyNoQdrant()
if (noQdrant !== undefined) console.log(`tests against Qdrant are left out: ${noQdrant}`)

export const silent = createLogger({ level: 'silent' })
export const vectors = { size: 2, distance: 'Cosine' } as const

/** A Qdrant for the file and a Redis database for each test; collections, clients and workers end with the test. */
export interface Bench {
  qdrant(): TestQdrant
  database(): Database
  client(options?: ClientOptions): Client
  /** Started, and awaited until it polls. */
  worker(options: WorkerOptions): Promise<Worker>
  /** Makes a collection past the faults, empty, and gives its name. */
  collection(base: string): Promise<string>
  /** Points an alias past the faults, and gives its name. */
  alias(base: string, collection: string): Promise<string>
  /** True for a collection that exists, asked past the faults. */
  exists(name: string): Promise<boolean>
}

export function useHarness(): Bench {
  let qdrant: TestQdrant
  let database: Database
  const closing: (() => Promise<unknown>)[] = []

  beforeAll(async () => {
    qdrant = await startQdrant()
  })
  afterAll(() => qdrant.stop())
  beforeEach(async () => {
    database = await takeDatabase()
  })
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close()
    await qdrant.reset()
    await database.release()
  })

  return {
    qdrant: () => qdrant,
    database: () => database,
    client(options = {}) {
      const client = new Client({ redis: database.url, logger: silent, ...options })
      closing.push(() => client.close())
      return client
    },
    async worker(options) {
      const settings = { redis: database.url, logger: silent, handleSignals: false, pollDelayMs: 50, abortGraceMs: 500 }
      const worker = new Worker({ ...settings, ...options })
      const started = new Promise<void>((resolve) => worker.once('started', () => resolve()))
      const running = worker.run()
      closing.push(() => worker.stop().catch(() => {}))
      await Promise.race([started, running])
      return worker
    },
    async collection(base) {
      const name = qdrant.name(base)
      await qdrant.client.createCollection(name, { vectors })
      return name
    },
    async alias(base, collection) {
      const name = qdrant.name(base)
      const create_alias = { alias_name: name, collection_name: collection }
      await qdrant.client.updateCollectionAliases({ actions: [{ create_alias }] })
      return name
    },
    exists: async (name) => (await qdrant.client.collectionExists(name)).exists,
  }
}
