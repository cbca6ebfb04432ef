import { fileURLToPath } from 'node:url'
import { Client } from '@arq-ts/core'
import type { Job, WorkerOptions } from '@arq-ts/core'
import { Child, eventually, RedisServer } from '@arq-ts/test-support'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { AliasManager } from '../../src/index.ts'
import type { DeletionResult } from '../../src/index.ts'
import { noQdrant, silent, useHarness } from '../support/harness.ts'

const script = fileURLToPath(new URL('fixtures/worker.mjs', import.meta.url))
const MINUTE = 60_000

/** With processes that are killed, and a Redis of its own that is restarted. */
describe.skipIf(noQdrant !== undefined)('delete_collection outlives what goes wrong', () => {
  const bench = useHarness()
  let server: RedisServer
  let client: Client
  let aliases: AliasManager
  const children: Child[] = []

  beforeEach(async () => {
    server = await RedisServer.start({ persistent: true })
    client = new Client({ redis: server.url, logger: silent, commandTimeoutMs: 20_000 })
    aliases = new AliasManager({ qdrant: bench.qdrant().client, client })
  })
  afterEach(async () => {
    for (const child of children.splice(0)) {
      child.kill('SIGKILL')
      await child.exited
    }
    await client.close()
    await server.stop()
  })

  async function startWorker(options: WorkerOptions = {}): Promise<Child> {
    const settings = { redis: server.url, qdrant: bench.qdrant().url, options }
    const child = new Child(process.execPath, [script, JSON.stringify(settings)])
    children.push(child)
    await child.line(/^event started/)
    return child
  }
  const ended = async (job: Job<DeletionResult> | null) => job?.result({ timeoutMs: 30_000 })
  const tries = async (job: Job | null) => (await job?.resultInfo())?.jobTry

  describe('a worker killed between the look at the aliases and the deletion', () => {
    async function killedAfterLooking(): Promise<[collection: string, job: Job<DeletionResult> | null]> {
      const collection = await bench.collection('old')
      const answer = bench.qdrant().faults.add({ kind: 'hang', call: /^GET \/aliases$/, when: 'after' })
      const doomed = await startWorker()
      const job = await aliases.safeDeleteCollection(collection, 0)
      await eventually(() => answer.hits === 1)
      doomed.kill('SIGKILL')
      await doomed.exited
      answer.remove()
      expect(await bench.exists(collection)).toBe(true)
      return [collection, job]
    }

    test('leaves the deletion to the next', async () => {
      const [collection, job] = await killedAfterLooking()
      await startWorker()
      expect(await ended(job)).toMatchObject({ status: 'success', collection })
      expect(await tries(job)).toBe(2)
      expect(await bench.exists(collection)).toBe(false)
    })

    test('the next attempt looks again: an alias that came back meanwhile saves the collection', async () => {
      const [collection, job] = await killedAfterLooking()
      await bench.alias('live', collection)
      await startWorker()
      expect(await ended(job)).toMatchObject({ status: 'skipped', reason: 'collection_has_aliases' })
      expect(await bench.exists(collection)).toBe(true)
    })
  })

  test('a worker killed after the deletion, before its answer: the next finds it gone, a success', async () => {
    const collection = await bench.collection('old')
    const answer = bench.qdrant().faults.add({ kind: 'hang', call: /^DELETE/, when: 'after' })
    const doomed = await startWorker()
    const job = await aliases.safeDeleteCollection(collection, 0)
    await eventually(async () => answer.hits === 1 && !(await bench.exists(collection)))
    doomed.kill('SIGKILL')
    await doomed.exited
    answer.remove()
    await startWorker()
    expect(await ended(job)).toMatchObject({ status: 'success', reason: 'already_gone' })
  })

  test('a worker killed while the grace period runs: the job waits in Redis, and ends in time', async () => {
    const collection = await bench.collection('old')
    const doomed = await startWorker()
    const kwargs = { collection_name: collection, grace_period_minutes: 3_000 / MINUTE }
    const job = await client.enqueue<DeletionResult>('delete_collection', [], { kwargs })
    await doomed.line(/^event jobRetried/)
    doomed.kill('SIGKILL')
    await doomed.exited
    await startWorker()
    expect(await ended(job)).toMatchObject({ status: 'success' })
    expect(await bench.exists(collection)).toBe(false)
  })

  test('a worker stopped while Qdrant hangs hands the job back, uncounted', async () => {
    const collection = await bench.collection('old')
    const answer = bench.qdrant().faults.add({ kind: 'hang', call: /^GET \/aliases$/ })
    const worker = await startWorker()
    const job = await aliases.safeDeleteCollection(collection, 0)
    await eventually(() => answer.hits === 1)
    worker.kill('SIGTERM')
    await worker.line(/^event jobReleased/)
    expect(await worker.exited).toBe(0)
    answer.remove()
    await startWorker()
    expect(await ended(job)).toMatchObject({ status: 'success' })
    expect(await tries(job)).toBe(1)
  })

  test('Redis restarted between the look and the deletion, and while jobs wait', async () => {
    const [running, waiting] = [await bench.collection('running'), await bench.collection('waiting')]
    const answer = bench.qdrant().faults.add({ kind: 'hang', call: /^GET \/aliases$/, when: 'after', times: 1 })
    const worker = await startWorker()
    const jobs = [
      await client.enqueue<DeletionResult>('delete_collection', [running, 0]),
      await client.enqueue<DeletionResult>('delete_collection', [waiting, 3_000 / MINUTE]),
    ]
    await eventually(() => answer.hits === 1)
    await worker.line(/^event jobRetried/)
    await server.restart()
    await worker.line(/^event redisUp/)
    answer.remove()
    for (const job of jobs) expect(await ended(job)).toMatchObject({ status: 'success' })
    expect(await bench.exists(running)).toBe(false)
    expect(await bench.exists(waiting)).toBe(false)
    expect(worker.hasEnded).toBe(false)
  })

  test('Qdrant failing one call in three, in every way, while workers die: each collection ends as it should', async () => {
    const { faults } = bench.qdrant()
    const collections = await Promise.all(Array.from({ length: 30 }, (_, i) => bench.collection(`old${i}`)))
    const jobs = await Promise.all(collections.map((collection) => aliases.safeDeleteCollection(collection, 0)))
    const kept = collections.filter((_, i) => i % 5 === 0)
    for (const collection of kept) await bench.alias(`alias-of-${collection}`, collection)
    // Together they strike one call in three.
    faults.add({ kind: 'error', every: 9 })
    faults.add({ kind: 'close', every: 8 })
    faults.add({ kind: 'close', when: 'after', every: 7 })
    const doomed = await startWorker()
    await startWorker()
    await doomed.line(/^event jobFinished/)
    doomed.kill('SIGKILL')
    await startWorker()
    const results = await Promise.all(jobs.map(ended))
    expect(results.map((result) => result?.status)).toEqual(
      collections.map((collection) => (kept.includes(collection) ? 'skipped' : 'success')),
    )
    faults.clear()
    const there = await Promise.all(collections.map(bench.exists))
    expect(collections.filter((_, i) => there[i])).toEqual(kept)
    expect(await client.deadLetters.count()).toBe(0)
  })
})
