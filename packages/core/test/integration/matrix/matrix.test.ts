import { readdirSync } from 'node:fs'
import { Keys } from '@arq-ts/protocol/jobs'
import { eventually, takeDatabase } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { Client, defineTask, Retry, Worker } from '../../../src/index.ts'
import { RedisContext } from '../../../src/redis/context.ts'
import { luaShas } from '../../../src/redis/scripts.generated.ts'
import { silent } from '../support.ts'
import { faultyValues, keyTable } from '../../support/faulty-keys.ts'
import type { Victim } from '../../support/faulty-keys.ts'
import { collectStrayErrors } from '../../support/stray-errors.ts'
import { allowed, operations } from './operations.ts'
import type { Scene } from './operations.ts'

const QUEUE = 'q'
/** Served by the same worker: where the fault is the queue itself, these are the neighbours. */
const OTHER_QUEUE = 'other'
/** Generous, for machines that are busy: a job that a neighbour stops never ends. */
const HEALTHY_MS = 20_000

/**
 * Each key meets each operation and each value, and each operation meets each value, but a third of the triples is tried:
 * a different third for each neighbor. `ARQ_TEST_MATRIX=all` tries all.
 */
const isTried = (key: number, value: number, operation: number) =>
  process.env.ARQ_TEST_MATRIX === 'all' || (key + value + operation) % 3 === 0

type Ending = 'return' | 'throw' | 'retry'

const faultyKeys = Object.entries(keyTable).flatMap(([name, keyOf]) => (keyOf ? [[name, keyOf] as const] : []))

/** Errors that nobody caught, in any test of this file. */
const stray = collectStrayErrors()

/** A worker on two queues of a database of its own, with a healthy job that runs from the start to the end. */
class Stage {
  readonly redis: Redis
  readonly client: Client
  readonly link: RedisContext
  readonly worker: Worker
  hasEnded = false
  readonly #held = new Map<string, { started: () => void; ending: Promise<Ending> }>()
  readonly #ended = new Set<string>()
  readonly #run: Promise<void>
  readonly #release: () => Promise<void>

  private constructor(url: string, release: () => Promise<void>) {
    const hold = defineTask({ name: 'hold', handler: (ctx) => this.#hold(ctx.jobId, ctx.signal) })
    const echo = defineTask({ name: 'echo', handler: (_ctx, value: unknown) => value })
    const limits = [{ name: 'echo', concurrency: 1 }]
    const limited = defineTask({ name: 'limited', limits, handler: (_ctx, value: unknown) => value })
    this.redis = new Redis(url)
    this.client = new Client({ redis: url, queueName: QUEUE, logger: silent, commandTimeoutMs: 5_000 })
    this.link = new RedisContext({ redis: url, keyPrefix: '', expiresExtraMs: 86_400_000, log: silent })
    this.worker = new Worker({
      redis: url,
      tasks: [hold, echo, limited],
      queues: [QUEUE, OTHER_QUEUE],
      logger: silent,
      handleSignals: false,
      pollDelayMs: 50,
      leaseMs: 1_000,
      abortGraceMs: 50,
      recorder: { intervalMs: 100 },
      handOff: true,
      allowAbortJobs: true,
    })
    this.#release = release
    this.#run = this.worker.run().finally(() => (this.hasEnded = true))
  }

  static async open(): Promise<Stage> {
    const database = await takeDatabase()
    const stage = new Stage(database.url, () => database.release())
    await stage.running('companion', OTHER_QUEUE)
    return stage
  }

  async close(): Promise<void> {
    await this.worker.stop()
    await this.#run
    await Promise.all([this.client.close(), this.link.close()])
    this.redis.disconnect()
    await this.#release()
  }

  async running(jobId: string, queueName: string): Promise<{ end(how: Ending): void }> {
    let end: (how: Ending) => void = () => {}
    const ending = new Promise<Ending>((resolve) => (end = resolve))
    const started = new Promise<void>((resolve) => this.#held.set(jobId, { started: resolve, ending }))
    await this.client.enqueue('hold', [], { jobId, queueName })
    await started
    return { end }
  }

  sceneOf(victim: Victim, plant: () => Promise<void>): Scene {
    const { client, link, redis } = this
    const running = () => this.running(victim.jobId, QUEUE)
    return { ...victim, client, link, redis, plant, running, renewed: () => this.renewed() }
  }

  async renewed(): Promise<void> {
    const score = async () => Number(await this.redis.zscore(OTHER_QUEUE, 'companion'))
    const before = await score()
    await eventually(async () => (await score()) > before, { timeoutMs: HEALTHY_MS })
  }

  /** Healthy jobs that are queued with the faulty one run to their end, and so does what ran before. */
  async expectHealth(queueNames: readonly string[]): Promise<void> {
    const jobs = queueNames.flatMap((queueName) => [1, 2].map((value) => [value, queueName] as const))
    const results = jobs.map(async ([value, queueName]) => {
      const job = await this.client.enqueue('echo', [value], { queueName })
      expect(await job!.result({ timeoutMs: HEALTHY_MS })).toBe(value)
    })
    await Promise.all(results)
    expect(this.#ended.has('companion')).toBe(false)
    expect(this.hasEnded).toBe(false)
  }

  async #hold(jobId: string, signal: AbortSignal): Promise<string | undefined> {
    const held = this.#held.get(jobId)
    this.#held.delete(jobId)
    if (!held) return undefined
    held.started()
    const aborted = new Promise<Ending>((resolve) => signal.addEventListener('abort', () => resolve('return')))
    const how = await Promise.race([held.ending, aborted])
    this.#ended.add(jobId)
    if (how === 'throw') throw new Error('the handler failed')
    if (how === 'retry') throw new Retry({ deferMs: 3_600_000 })
    return how
  }
}

test('every member of Keys stands in the table of keys', () => {
  const members = [...Object.keys(new Keys()), ...Object.getOwnPropertyNames(Keys.prototype)]
  expect(members.filter((name) => name !== 'constructor').sort()).toEqual(Object.keys(keyTable).sort())
})

/** Scripts that no operation of the matrix runs, and the test that damages their keys. */
const damagedElsewhere: Readonly<Record<string, string>> = {
  // Asked for once hundreds of jobs at the head of the queue cannot be claimed.
  page: 'starvation.test.ts',
}

test('every script is run by an operation of the matrix, or is listed with the test that damages its keys', async () => {
  const used = new Set<string>()
  const shas: Record<string, string> = luaShas
  const all = { ...shas }
  for (const [name, sha] of Object.entries(all))
    Object.defineProperty(shas, name, { configurable: true, enumerable: true, get: () => (used.add(name), sha) })
  const stage = await Stage.open()
  try {
    for (const [operation, operate] of Object.entries(operations)) {
      const victim: Victim = { queueName: QUEUE, jobId: operation, cronName: 'cron:matrix', workerId: 'gone' }
      await allowed(operate(stage.sceneOf(victim, async () => {})))
    }
    const isKnown = (name: string) => used.has(name) || name in damagedElsewhere
    await eventually(() => Object.keys(all).every(isKnown)).catch(() => {}) // named below
  } finally {
    await stage.close()
    for (const [name, value] of Object.entries(all))
      Object.defineProperty(shas, name, { configurable: true, enumerable: true, writable: true, value })
  }
  const tests = readdirSync(new URL('..', import.meta.url), { recursive: true }).map(String)
  expect(Object.keys(all).filter((name) => !used.has(name))).toEqual(Object.keys(damagedElsewhere))
  expect(tests).toEqual(expect.arrayContaining(Object.values(damagedElsewhere)))
})

describe('a fault at one key leaves all other jobs alone, whatever is done', () => {
  test.concurrent.each(faultyKeys)(
    '%s',
    async (name, keyOf) => {
      const place = faultyKeys.findIndex(([each]) => each === name)
      const stage = await Stage.open()
      try {
        for (const [valueAt, [value, plant]] of Object.entries(faultyValues).entries()) {
          for (const [operationAt, [operation, operate]] of Object.entries(operations).entries()) {
            if (!isTried(place, valueAt, operationAt)) continue
            const jobId = `${operation}, ${value}`
            const victim: Victim = { queueName: QUEUE, jobId, cronName: 'cron:matrix', workerId: stage.worker.id }
            const key = keyOf(stage.link.keys, victim)
            const scene = stage.sceneOf(victim, async () => void (await plant(stage.redis, key, victim)))
            try {
              await allowed(operate(scene))
              await stage.expectHealth(key === QUEUE ? [OTHER_QUEUE] : [QUEUE, OTHER_QUEUE])
              expect(stray).toEqual([])
            } catch (error) {
              throw new Error(`${operation} with ${value} at ${key}: ${(error as Error).message}`, { cause: error })
            }
            await stage.redis.del(key)
          }
        }
      } finally {
        await stage.close()
      }
    },
    600_000,
  )
})
