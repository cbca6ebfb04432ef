import { Client, createLogger } from '@arq-ts/core'
import type { CodecName, WorkerOptions } from '@arq-ts/core'
import { takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import type { Redis } from 'ioredis'
import { pythonProducer } from './producers.ts'
import type { Producer } from './producers.ts'
import { pythonWorker, typescriptWorker, typescriptWorkerProcess } from './workers.ts'
import type { RunningWorker, WorkerSettings } from './workers.ts'

type Settings = Partial<WorkerSettings>

/** Workers and producers of both languages on one database. They use pickle by default, and end with it. */
export class Fleet {
  readonly url: string
  readonly redis: Redis
  /** The interpreter that has arq. */
  readonly python: string
  readonly #database: Database
  readonly #ends: (() => Promise<unknown>)[] = []

  private constructor(database: Database, python: string) {
    this.#database = database
    this.url = database.url
    this.redis = database.redis
    this.python = python
  }

  /** Runs `work` with a fleet on an empty database, and disbands it. */
  static async gather(python: string, work: (fleet: Fleet) => Promise<void>): Promise<void> {
    const fleet = new Fleet(await takeDatabase(), python)
    try {
      await work(fleet)
    } finally {
      for (const end of fleet.#ends.reverse()) await end()
      await fleet.#database.release()
    }
  }

  client(codec: CodecName = 'pickle'): Client {
    const client = new Client({ redis: this.url, codec, logger: createLogger({ level: 'error' }) })
    this.endWith(() => client.close())
    return client
  }

  async pythonProducer(codec: CodecName): Promise<Producer> {
    const producer = await pythonProducer(this.python, this.url, codec)
    this.endWith(() => producer.close())
    return producer
  }

  /** A worker process that calls itself `python`. */
  async pythonWorker(settings: Settings = {}, overrides?: object): ReturnType<typeof pythonWorker> {
    return this.#add(await pythonWorker(this.python, this.#settings('python', settings), overrides))
  }

  /** A worker within the test that calls itself `typescript`. */
  async typescriptWorker(settings: Settings = {}, overrides?: WorkerOptions): Promise<RunningWorker> {
    return this.#add(await typescriptWorker(this.#settings('typescript', settings), overrides))
  }

  /** The same as a process, on the built library. */
  async typescriptWorkerProcess(
    settings: Settings = {},
    overrides?: WorkerOptions,
  ): ReturnType<typeof typescriptWorkerProcess> {
    return this.#add(await typescriptWorkerProcess(this.#settings('typescript', settings), overrides))
  }

  /** Something else to end, before what was there before it. */
  endWith(end: () => Promise<unknown>): void {
    this.#ends.push(end)
  }

  #settings(name: string, settings: Settings): WorkerSettings {
    return { url: this.url, codec: 'pickle', name, ...settings }
  }

  #add<W extends RunningWorker>(worker: W): W {
    this.endWith(() => worker.stop())
    return worker
  }
}
