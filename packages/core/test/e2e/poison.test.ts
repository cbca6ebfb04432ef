import { fileURLToPath } from 'node:url'
import { Child, eventually, RedisServer } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Client, createLogger } from '../../src/index.ts'

const script = fileURLToPath(new URL('fixtures/poisoned.mjs', import.meta.url))

/** A supervised worker: as soon as its process has died, another one takes its place. */
class Supervised {
  readonly #argument: string
  #child: Child
  #isStopped = false
  deaths = 0

  constructor(argument: string) {
    this.#argument = argument
    this.#child = this.#start()
  }

  #start(): Child {
    const child = new Child(process.execPath, [script, this.#argument])
    void child.exited.then(() => {
      if (this.#isStopped) return
      this.deaths++
      this.#child = this.#start()
    })
    return child
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#child.kill('SIGKILL')
    await this.#child.exited
  }
}

describe('a job that kills its process', () => {
  let server: RedisServer
  let client: Client
  let redis: Redis
  let worker: Supervised | undefined

  beforeEach(async () => {
    server = await RedisServer.start()
    client = new Client({ redis: server.url, logger: createLogger({ level: 'silent' }) })
    redis = new Redis(server.url)
  })
  afterEach(async () => {
    await worker?.stop()
    await client.close()
    redis.disconnect()
    await server.stop()
  })

  test('dies alone from its second try on: the innocents that died with it once complete in their next try', async () => {
    const poison = await client.enqueue('poison', [], { jobId: 'pill' })
    const innocents = await Promise.all(
      Array.from({ length: 4 }, (_, i) => client.enqueue('innocent', [`job-${i}`], { jobId: `job-${i}` })),
    )
    worker = new Supervised(JSON.stringify({ url: server.url, options: { maxTries: 3 } }))
    for (const job of innocents) expect(await job?.result({ timeoutMs: 60_000 })).toBeLessThanOrEqual(2)
    await expect(poison?.result({ timeoutMs: 60_000 })).rejects.toThrow(
      'max 3 retries exceeded (3 tries ended with the death of the worker)',
    )
    expect(worker.deaths).toBe(3)
    const tries = await Promise.all(innocents.map((_, i) => redis.get(`tries:job-${i}`)))
    expect(Math.max(...tries.map(Number))).toBeLessThanOrEqual(2)
    expect(await redis.hget('arq:dead:pill', 'error')).toContain('3 tries ended with the death of the worker')
  })

  test('takes none of the jobs with it that come while it is a suspect', async () => {
    await client.enqueue('poison', [], { jobId: 'pill' })
    worker = new Supervised(JSON.stringify({ url: server.url, options: { maxTries: 4 } }))
    await eventually(() => worker!.deaths >= 1, { timeoutMs: 60_000 })
    const late = await Promise.all(
      Array.from({ length: 20 }, (_, i) => client.enqueue('innocent', [`late-${i}`], { jobId: `late-${i}` })),
    )
    for (const job of late) expect(await job?.result({ timeoutMs: 60_000 })).toBe(1)
  })
})
