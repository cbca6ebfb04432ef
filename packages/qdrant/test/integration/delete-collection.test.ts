import type { Job } from '@arq-ts/core'
import { defineTask } from '@arq-ts/core'
import { encodeJob } from '@arq-ts/protocol'
import { eventually } from '@arq-ts/test-support'
import { QdrantClient } from '@qdrant/js-client-rest'
import { describe, expect, test } from 'vitest'
import { createTasks, deleteCollectionTask } from '../../src/index.ts'
import type { DeletionResult } from '../../src/index.ts'
import { noQdrant, silent, useHarness } from '../support/harness.ts'

const MINUTE = 60_000

describe.skipIf(noQdrant !== undefined)('delete_collection', () => {
  const bench = useHarness()
  const task = (timeoutMs = 5_000) =>
    deleteCollectionTask(new QdrantClient({ url: bench.qdrant().url, timeout: timeoutMs, checkCompatibility: false }), {
      retry: { delayMs: 20, maxDelayMs: 100 },
    })
  const enqueue = (collection_name: string, grace_period_minutes = 0) =>
    bench.client().enqueue(task(), { collection_name, grace_period_minutes })
  const ended = async (job: Job<DeletionResult> | null) => job?.result({ timeoutMs: 15_000 })
  const environment = () => ({
    redis: bench.database().url,
    keyPrefix: '',
    folder: '.',
    queueName: 'arq:queue',
    logger: silent,
  })
  const aSecondsNumber = expect.toSatisfy((value: unknown) => typeof value === 'number' && value >= 0 && value < 60)

  test('deletes a collection that no alias points to', async () => {
    const collection = await bench.collection('old')
    const other = await bench.collection('other')
    await bench.alias('live', other)
    await bench.worker({ tasks: [task()] })
    expect(await ended(await enqueue(collection))).toEqual({ status: 'success', collection, duration: aSecondsNumber })
    expect(await bench.exists(collection)).toBe(false)
    expect(await bench.exists(other)).toBe(true)
  })

  test('looks at the aliases immediately before it deletes', async () => {
    const collection = await bench.collection('old')
    await bench.worker({ tasks: [task()] })
    await ended(await enqueue(collection))
    expect(bench.qdrant().faults.calls).toEqual(['GET /aliases', `DELETE /collections/${collection}`])
  })

  test('skips one that is in use again', async () => {
    const collection = await bench.collection('old')
    await bench.alias('live', collection)
    await bench.worker({ tasks: [task()] })
    expect(await ended(await enqueue(collection))).toEqual({
      status: 'skipped',
      reason: 'collection_has_aliases',
      collection,
      duration: aSecondsNumber,
    })
    expect(await bench.exists(collection)).toBe(true)
  })

  test('skips a name that is an alias, and leaves its collection alone', async () => {
    const collection = await bench.collection('old')
    const alias = await bench.alias('live', collection)
    await bench.worker({ tasks: [task()] })
    expect(await ended(await enqueue(alias))).toMatchObject({ status: 'skipped', reason: 'name_is_an_alias' })
    expect(await bench.exists(collection)).toBe(true)
  })

  test('calls one that is gone a success, and says so', async () => {
    const collection = bench.qdrant().name('never-was')
    await bench.worker({ tasks: [task()] })
    expect(await ended(await enqueue(collection))).toEqual({
      status: 'success',
      reason: 'already_gone',
      collection,
      duration: aSecondsNumber,
    })
  })

  test('two jobs for one collection both succeed', async () => {
    const collection = await bench.collection('old')
    const jobs = await Promise.all([enqueue(collection), enqueue(collection)])
    await bench.worker({ tasks: [task()] })
    const results = await Promise.all(jobs.map(ended))
    expect(results.map((result) => result?.status)).toEqual(['success', 'success'])
  })

  describe('the grace period', () => {
    test('holds no slot: a job that comes early goes back until it is over', async () => {
      const collection = await bench.collection('old')
      const echo = defineTask({ name: 'echo', handler: (_ctx, value: string) => value })
      const worker = await bench.worker({ tasks: [task(), echo], maxJobs: 1 })
      const retried = new Promise<{ delayMs: number }>((resolve) => worker.once('jobRetried', resolve))
      const job = await enqueue(collection, 60)
      const { delayMs } = await retried
      expect(delayMs).toBeGreaterThan(59 * MINUTE)
      expect(delayMs).toBeLessThanOrEqual(60 * MINUTE)
      expect(await (await bench.client().enqueue(echo, ['next']))?.result({ timeoutMs: 10_000 })).toBe('next')
      expect(await job?.status()).toBe('deferred')
      const info = await job?.info()
      expect((info?.score ?? 0) - (info?.enqueueTime.getTime() ?? 0)).toBeGreaterThan(60 * MINUTE - 1_000)
      expect(bench.qdrant().faults.calls).toEqual([])
    })

    test('ends a job that came early, in time', async () => {
      const collection = await bench.collection('old')
      await bench.worker({ tasks: [task()] })
      const job = await enqueue(collection, 2_500 / MINUTE)
      expect(await ended(job)).toMatchObject({ status: 'success' })
      const info = await job?.resultInfo()
      const tookMs = (info?.finishTime.getTime() ?? 0) - (info?.enqueueTime.getTime() ?? 0)
      expect(info?.jobTry).toBe(2)
      expect(tookMs).toBeGreaterThanOrEqual(1_500)
    })

    test('counts once, from the enqueue time: an hour in the queue is the hour', async () => {
      const collection = await bench.collection('old')
      const enqueueTimeMs = Date.now() - 60 * MINUTE
      const kwargs = { collection_name: collection, grace_period_minutes: 60 }
      const record = { jobTry: null, functionName: 'delete_collection', args: [], kwargs, enqueueTimeMs }
      const { redis } = bench.database()
      await redis.set('arq:job:hour-old', encodeJob(record, 'pickle'))
      await redis.zadd('arq:queue', enqueueTimeMs + 60 * MINUTE, 'hour-old')
      await bench.worker({ tasks: [task()] })
      const job = bench.client().job<DeletionResult>('hour-old')
      expect(await ended(job)).toMatchObject({ status: 'success' })
      expect((await job.resultInfo())?.jobTry).toBe(1)
    })

    test('ends when a job may be aborted: the collection stays', async () => {
      const collection = await bench.collection('old')
      const job = await bench.client().enqueue(task(), { collection_name: collection }, { deferByMs: 60 * MINUTE })
      await bench.worker({ tasks: [task()] })
      expect(await job?.abort({ timeoutMs: 10_000 })).toBe(true)
      expect(await bench.exists(collection)).toBe(true)
    })
  })

  describe('while Qdrant', () => {
    test('is away, tries again until it is back', async () => {
      const collection = await bench.collection('old')
      await bench.qdrant().faults.down()
      const worker = await bench.worker({ tasks: [task()] })
      const errors: Error[] = []
      worker.on('jobRetried', ({ error }) => errors.push(error as Error))
      const job = await enqueue(collection)
      await eventually(() => errors.length >= 3)
      await bench.qdrant().faults.up()
      expect(await ended(job)).toMatchObject({ status: 'success' })
      expect(errors[0]?.message).toMatch(/^delete_collection .*: Qdrant did not answer: fetch failed \(.*ECONNREFUSED/)
    })

    test('is slow, gives the call up and tries again', async () => {
      const collection = await bench.collection('old')
      bench.qdrant().faults.add({ kind: 'hang', call: /aliases/, times: 1 })
      const worker = await bench.worker({ tasks: [task(100)] })
      const retried = new Promise<{ error: unknown }>((resolve) => worker.once('jobRetried', resolve))
      const job = await enqueue(collection)
      expect((await retried).error).toMatchObject({ code: 'ARQ_QDRANT', temporary: true })
      expect(await ended(job)).toMatchObject({ status: 'success' })
    })

    test('fails at the deletion, tries again, and looks at the aliases again', async () => {
      const collection = await bench.collection('old')
      const deletion = bench.qdrant().faults.add({ kind: 'error', call: /^DELETE/, times: 1 })
      const looking = bench.qdrant().faults.add({ kind: 'hang', call: /^GET \/aliases$/, every: 2 })
      await bench.worker({ tasks: [task()] })
      const job = await enqueue(collection)
      await eventually(() => deletion.hits === 1 && looking.hits === 1)
      await bench.alias('live', collection)
      looking.remove()
      expect(await ended(job)).toMatchObject({ status: 'skipped', reason: 'collection_has_aliases' })
      expect(await bench.exists(collection)).toBe(true)
    })

    test('loses the answer to a deletion that it did: a success', async () => {
      const collection = await bench.collection('old')
      bench.qdrant().faults.add({ kind: 'close', call: /^DELETE/, when: 'after', times: 1 })
      await bench.worker({ tasks: [task()] })
      expect(await ended(await enqueue(collection))).toMatchObject({ status: 'success', reason: 'already_gone' })
    })

    test('fails every time, the job ends as a dead letter that can be replayed', async () => {
      const collection = await bench.collection('old')
      const fault = bench.qdrant().faults.add({ kind: 'error' })
      const client = bench.client()
      const options = { url: bench.qdrant().url, maxTries: 3, retry: { delayMs: 10 } }
      const { tasks } = await createTasks(options, environment())
      await bench.worker({ tasks })
      const job = await enqueue(collection)
      await expect(job?.result({ timeoutMs: 10_000 })).rejects.toThrow('Qdrant answered 500')
      const [letter] = await client.deadLetters.list()
      expect(letter).toMatchObject({ functionName: 'delete_collection', jobTry: 3, jobId: job?.jobId })
      fault.remove()
      await client.jobs.retry(letter?.jobId ?? '')
      expect(await ended(job)).toMatchObject({ status: 'success' })
    })

    test.each([401, 403])('refuses for good (%d), fails at once and says why', async (status) => {
      const collection = await bench.collection('old')
      bench.qdrant().faults.add({ kind: 'error', status })
      await bench.worker({ tasks: [task()] })
      const job = await enqueue(collection)
      expect(await ended(job)).toEqual({
        status: 'failed',
        error: `delete_collection ${collection}: Qdrant answered ${status}: a fault of this test`,
        collection,
        duration: aSecondsNumber,
      })
      expect((await job?.resultInfo())?.jobTry).toBe(1)
    })

    test.each([408, 429, 502, 503])('asks for patience (%d), tries again', async (status) => {
      const collection = await bench.collection('old')
      bench.qdrant().faults.add({ kind: 'error', status, times: 1 })
      await bench.worker({ tasks: [task()] })
      const job = await enqueue(collection)
      expect(await ended(job)).toMatchObject({ status: 'success' })
      expect((await job?.resultInfo())?.jobTry).toBe(2)
    })

    test('is not where it is looked for, fails at once and says so', async () => {
      const collection = await bench.collection('old')
      const { tasks } = await createTasks({ url: `${bench.qdrant().url}/nowhere/` }, environment())
      await bench.worker({ tasks })
      expect(await ended(await enqueue(collection))).toMatchObject({
        status: 'failed',
        error: `delete_collection ${collection}: Qdrant answered 404: Not Found`,
      })
      expect(bench.qdrant().faults.calls).toEqual(['GET /nowhere/aliases'])
    })
  })

  test('is aborted while it waits for an answer: nothing is deleted', async () => {
    const collection = await bench.collection('old')
    const hang = bench.qdrant().faults.add({ kind: 'hang', call: /aliases/ })
    await bench.worker({ tasks: [task(60_000)] })
    const job = await enqueue(collection)
    await eventually(() => hang.hits === 1)
    expect(await job?.abort({ timeoutMs: 10_000 })).toBe(true)
    hang.remove()
    expect(await bench.exists(collection)).toBe(true)
    expect(bench.qdrant().faults.calls).toEqual(['GET /aliases'])
  })

  test('refuses arguments that do not fit, without a try at Qdrant', async () => {
    await bench.worker({ tasks: [task()] })
    const job = await bench.client().enqueue('delete_collection', ['../etc/passwd'])
    await expect(job?.result({ timeoutMs: 10_000 })).rejects.toMatchObject({ pythonType: 'builtins.TypeError' })
    expect(bench.qdrant().faults.calls).toEqual([])
  })
})
