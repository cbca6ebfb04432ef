import type { Job } from '@arq-ts/core'
import { eventually } from '@arq-ts/test-support'
import { describe, expect, test } from 'vitest'
import { createTasks, ScheduledDeletions } from '../../src/index.ts'
import type { DeletionResult, QdrantTasksOptions } from '../../src/index.ts'
import { noQdrant, silent, useHarness } from '../support/harness.ts'

describe.skipIf(noQdrant !== undefined)('a deletion', () => {
  const bench = useHarness()
  const work = async (options: Omit<QdrantTasksOptions, 'url'>) => {
    const given = { url: bench.qdrant().url, retry: { delayMs: 20, maxDelayMs: 100 }, ...options }
    const environment = {
      redis: bench.database().url,
      keyPrefix: '',
      folder: '.',
      queueName: 'arq:queue',
      logger: silent,
    }
    const { tasks } = await createTasks(given, environment)
    return bench.worker({ tasks })
  }
  const enqueue = (collection: string, minutes = 0) =>
    bench.client().enqueue<DeletionResult>('delete_collection', [collection, minutes])
  const ended = async (job: Job<DeletionResult> | null) => job?.result({ timeoutMs: 15_000 })
  const calls = () => bench.qdrant().faults.calls

  describe('of a collection that the rules', () => {
    test('name is carried out, and of all others skipped before Qdrant is asked', async () => {
      const [old, live] = [await bench.collection('old-1'), await bench.collection('live')]
      await work({ deletable: [`${old.slice(0, -1)}*`] })
      expect(await ended(await enqueue(live, 60))).toMatchObject({ status: 'skipped', reason: 'not_deletable' })
      expect(calls()).toEqual([])
      expect(await ended(await enqueue(old))).toMatchObject({ status: 'success' })
      expect(await bench.exists(old)).toBe(false)
      expect(await bench.exists(live)).toBe(true)
    })

    test('do not name is skipped though there is but one rule, as a string', async () => {
      const collection = await bench.collection('old')
      await work({ deletable: 'products-*' })
      expect(await ended(await enqueue(collection))).toMatchObject({ reason: 'not_deletable', collection })
      expect(await bench.exists(collection)).toBe(true)
    })
  })

  // Snapshots outlive their collection and are distinguished by the second, so each test has a name of its own.
  describe('with a snapshot', () => {
    test('is carried out once that is made, and after another look at the aliases', async () => {
      const collection = await bench.collection('old-1')
      await work({ snapshot: true })
      const result = await ended(await enqueue(collection))
      expect(result).toMatchObject({ status: 'success', snapshot: expect.stringContaining(collection) as string })
      expect(calls()).toEqual([
        'GET /aliases',
        'GET /collections',
        `GET /collections/${collection}/snapshots`,
        expect.stringContaining(`POST /collections/${collection}/snapshots`),
        'GET /aliases',
        `DELETE /collections/${collection}`,
      ])
    })

    test('is not carried out when an alias points to the collection meanwhile', async () => {
      const collection = await bench.collection('old-2')
      const making = bench.qdrant().faults.add({ kind: 'hang', call: /^POST .*snapshots/, when: 'after' })
      await work({ snapshot: true })
      const job = await enqueue(collection)
      await eventually(() => making.hits === 1)
      await bench.alias('live', collection)
      making.remove()
      expect(await ended(job)).toMatchObject({ status: 'skipped', reason: 'collection_has_aliases' })
      expect(await bench.exists(collection)).toBe(true)
    })

    test('that Qdrant refuses fails, and nothing is deleted', async () => {
      const collection = await bench.collection('old-3')
      bench.qdrant().faults.add({ kind: 'error', call: /^POST .*snapshots/, status: 403 })
      await work({ snapshot: true })
      expect(await ended(await enqueue(collection))).toMatchObject({
        status: 'failed',
        error: `delete_collection ${collection}: snapshot: Qdrant answered 403: a fault of this test`,
      })
      expect(await bench.exists(collection)).toBe(true)
    })

    test.each(['error', 'close'] as const)(
      'that fails (%s) is tried again, and nothing is deleted before',
      async (kind) => {
        const collection = await bench.collection(`old-${kind}`)
        const fault = bench.qdrant().faults.add({ kind, call: /^POST .*snapshots/, times: 2 })
        await work({ snapshot: true })
        const job = await enqueue(collection)
        expect(await ended(job)).toMatchObject({ status: 'success', snapshot: expect.any(String) as string })
        expect(fault.hits).toBe(2)
        expect(calls().filter((call) => call.startsWith('DELETE'))).toHaveLength(1)
        expect(calls().findIndex((call) => call.startsWith('DELETE'))).toBe(calls().length - 1)
      },
    )

    test('with a lost answer uses the snapshot that was made, and makes no second', async () => {
      const collection = await bench.collection('old-5')
      bench.qdrant().faults.add({ kind: 'close', call: /^POST .*snapshots/, when: 'after', times: 1 })
      await work({ snapshot: true })
      expect(await ended(await enqueue(collection))).toMatchObject({ status: 'success' })
      expect(calls().filter((call) => call.startsWith('POST'))).toHaveLength(1)
    })

    test('of a collection that is gone makes none', async () => {
      await work({ snapshot: true })
      const result = await ended(await enqueue(bench.qdrant().name('never-was')))
      expect(result).toMatchObject({ status: 'success', reason: 'already_gone' })
      expect(result).not.toHaveProperty('snapshot')
    })
  })

  test('that is a dry run says what would be deleted, and touches nothing', async () => {
    const [old, used] = [await bench.collection('old'), await bench.collection('used')]
    await bench.alias('live', used)
    await work({ dryRun: true, snapshot: true })
    expect(await ended(await enqueue(old))).toMatchObject({ status: 'skipped', reason: 'dry_run' })
    expect(await ended(await enqueue(used))).toMatchObject({ status: 'skipped', reason: 'collection_has_aliases' })
    expect(calls()).toEqual(['GET /aliases', 'GET /aliases'])
    expect(await bench.exists(old)).toBe(true)
  })

  test.each<[object, RegExp]>([
    [{ deletable: 'a/b' }, /`deletable`/],
    [{ deletable: [5] }, /`deletable`/],
    [{ snapshot: 'yes' }, /`snapshot` to be true or false/],
    [{ dryRun: 1 }, /`dryRun` to be true or false/],
    [{ snapshotTimeoutMs: 0 }, /`snapshotTimeoutMs`/],
    [{ snapshots: true }, /Unknown option `snapshots`/],
  ])('refuses the setting %j', async (given, message) => {
    await expect(work(given as never)).rejects.toThrow(message)
  })
})

describe.skipIf(noQdrant !== undefined)('deletions that are scheduled', () => {
  const bench = useHarness()

  test('are listed, the next first, in whatever form their arguments have', async () => {
    const client = bench.client()
    await client.enqueue('delete_collection', ['b', 120], { deferByMs: 120 * 60_000, jobId: 'of-b' })
    await client.enqueue('delete_collection', ['a'], { kwargs: { grace_period_minutes: 30 }, jobId: 'of-a' })
    await client.enqueue('delete_collection', [], { kwargs: { collection_name: 'c' }, jobId: 'of-c' })
    await client.enqueue('other', ['d'], { deferByMs: 60_000 })
    await client.enqueue('delete_collection', [5])
    const list = await new ScheduledDeletions({ client }).list()
    expect(list.map(({ collection, gracePeriodMinutes, jobId }) => [collection, gracePeriodMinutes, jobId])).toEqual([
      ['a', 30, 'of-a'],
      ['c', 60, 'of-c'],
      ['b', 120, 'of-b'],
    ])
    for (const { dueAt, enqueuedAt, gracePeriodMinutes } of list)
      expect(Math.abs(dueAt.getTime() - enqueuedAt.getTime() - gracePeriodMinutes * 60_000)).toBeLessThan(5_000)
  })

  test('are taken back, all of a collection and of no other', async () => {
    const client = bench.client()
    for (const collection of ['a', 'a', 'b'])
      await client.enqueue('delete_collection', [collection, 60], { deferByMs: 3_600_000 })
    const deletions = new ScheduledDeletions({ client })
    const { removed, running } = await deletions.keep('a')
    expect([removed.length, running.length]).toEqual([2, 0])
    expect((await deletions.list()).map(({ collection }) => collection)).toEqual(['b'])
    expect((await deletions.keep('a')).removed).toEqual([])
  })

  test('are read by pages that look at a bounded number of jobs, and cancelled one by one', async () => {
    const client = bench.client()
    for (let i = 0; i < 30; i++) {
      await client.enqueue('other', [i], { deferByMs: i * 60_000 })
      if (i % 10 === 5)
        await client.enqueue('delete_collection', [`c${i}`, 60], { deferByMs: 3_600_000 + i * 1_000, jobId: `of-${i}` })
    }
    const deletions = new ScheduledDeletions({ client })
    const all = await deletions.list()
    const found: typeof all = []
    let cursor: string | null = null
    do {
      const page = await deletions.page({ budget: 10, limit: 2, cursor })
      expect(page.scanned).toBeLessThanOrEqual(10)
      found.push(...page.deletions)
      cursor = page.cursor
    } while (cursor !== null)
    expect(found).toEqual(all)
    expect(await deletions.cancel('of-15')).toBe('removed')
    expect(await deletions.cancel('of-15')).toBe('absent')
    const other = (await client.queuedJobs()).find(({ functionName }) => functionName === 'other')!
    expect(await deletions.cancel(other.jobId)).toBe('absent')
    expect((await deletions.list()).map(({ collection }) => collection)).toEqual(['c5', 'c25'])
    expect(await client.queuedJobs()).toHaveLength(32)
    await expect(deletions.page({ limit: 0 })).rejects.toThrow('limit')
  })

  test('are carried out now, and once', async () => {
    const collection = await bench.collection('old')
    const client = bench.client()
    await client.enqueue('delete_collection', [collection, 60], { deferByMs: 3_600_000 })
    const deletions = new ScheduledDeletions({ client })
    const job = await deletions.deleteNow(collection)
    expect(await deletions.list()).toMatchObject([{ collection, jobId: job.jobId, gracePeriodMinutes: 0 }])
    const environment = {
      redis: bench.database().url,
      keyPrefix: '',
      folder: '.',
      queueName: 'arq:queue',
      logger: silent,
    }
    await bench.worker(await createTasks({ url: bench.qdrant().url }, environment))
    expect(await job.result({ timeoutMs: 10_000 })).toMatchObject({ status: 'success' })
    await expect(deletions.deleteNow(collection)).rejects.toThrow(`no deletion of '${collection}' is scheduled`)
  })

  test.each(['a/b', '', 5])('refuses the collection %j', async (collection) => {
    await expect(new ScheduledDeletions({ client: bench.client() }).keep(collection as never)).rejects.toThrow(
      '1 to 255 letters, digits, underscores or hyphens',
    )
  })
})
