import { describe, expect, test } from 'vitest'
import { AliasManager, deleteCollectionTask } from '../../src/index.ts'
import { noQdrant, useHarness, vectors } from '../support/harness.ts'

describe.skipIf(noQdrant !== undefined)('the alias manager', () => {
  const bench = useHarness()
  const managed = () => new AliasManager({ qdrant: { url: bench.qdrant().url }, client: bench.client() })
  const calls = () => bench.qdrant().faults.calls

  test('creates an alias, lists it, and deletes it', async () => {
    const aliases = managed()
    const [blue, alias] = [await bench.collection('blue'), bench.qdrant().name('live')]
    expect(await aliases.aliasExists(alias)).toBe(false)
    expect(await aliases.getCollectionForAlias(alias)).toBeNull()
    expect(await aliases.createAlias(alias, blue)).toBe(true)
    expect(await aliases.aliasExists(alias)).toBe(true)
    expect(await aliases.getCollectionForAlias(alias)).toBe(blue)
    expect((await aliases.listAliases()).get(alias)).toBe(blue)
    expect(await aliases.deleteAlias(alias)).toBe(true)
    expect(await aliases.deleteAlias(alias)).toBe(false)
    expect(await bench.exists(blue)).toBe(true)
  })

  test('takes a client of Qdrant as well as its address', async () => {
    const aliases = new AliasManager({ qdrant: bench.qdrant().client })
    expect(await aliases.aliasExists(bench.qdrant().name('live'))).toBe(false)
  })

  test('leaves an alias that exists alone, and moves it by force', async () => {
    const aliases = managed()
    const [blue, green] = [await bench.collection('blue'), await bench.collection('green')]
    const alias = await bench.alias('live', blue)
    expect(await aliases.createAlias(alias, green)).toBe(false)
    expect(await aliases.getCollectionForAlias(alias)).toBe(blue)
    expect(await aliases.createAlias(alias, green, { force: true })).toBe(true)
    expect(await aliases.getCollectionForAlias(alias)).toBe(green)
  })

  test('reports the status of a collection, and its number of points', async () => {
    const aliases = managed()
    const blue = await bench.collection('blue')
    expect(await aliases.collectionState(bench.qdrant().name('missing'))).toBeNull()
    const empty = await aliases.collectionState(blue)
    expect(empty).toEqual({ status: 'green', points: 0 })
    const { vectors } = (await bench.qdrant().client.getCollection(blue)).config.params
    const vector = Array<number>((vectors as { size: number }).size).fill(0.5)
    await bench.qdrant().client.upsert(blue, { wait: true, points: [{ id: 1, vector }] })
    expect(await aliases.collectionState(blue)).toEqual({ status: 'green', points: 1 })
  })

  test('switches an alias in one update', async () => {
    const aliases = managed()
    const [blue, green] = [await bench.collection('blue'), await bench.collection('green')]
    const alias = await bench.alias('live', blue)
    expect(await aliases.switchAlias(alias, green)).toEqual({ switched: true, oldCollection: blue, deletion: null })
    expect(calls().filter((call) => call.startsWith('POST'))).toEqual(['POST /collections/aliases'])
    expect(await aliases.getCollectionForAlias(alias)).toBe(green)
    expect(await bench.exists(blue)).toBe(true)
  })

  test('makes the alias on a first switch, and does nothing on a second', async () => {
    const aliases = managed()
    const [blue, alias] = [await bench.collection('blue'), bench.qdrant().name('live')]
    const options = { deleteOld: true }
    expect(await aliases.switchAlias(alias, blue, options)).toEqual({
      switched: true,
      oldCollection: null,
      deletion: null,
    })
    expect(await aliases.switchAlias(alias, blue, options)).toEqual({
      switched: false,
      oldCollection: blue,
      deletion: null,
    })
  })

  test('keeps the alias where it is when the new collection is missing', async () => {
    const aliases = managed()
    const [blue, missing] = [await bench.collection('blue'), bench.qdrant().name('missing')]
    const alias = await bench.alias('live', blue)
    await expect(aliases.switchAlias(alias, missing)).rejects.toMatchObject({
      code: 'ARQ_QDRANT',
      status: 404,
      temporary: false,
      message: `switchAlias: Qdrant answered 404: Not found: Collection \`${missing}\` doesn't exist!`,
    })
    expect(await aliases.getCollectionForAlias(alias)).toBe(blue)
  })

  test('schedules the deletion of the old collection, as Python would, and lets it be aborted', async () => {
    const aliases = managed()
    const [blue, green] = [await bench.collection('blue'), await bench.collection('green')]
    const alias = await bench.alias('live', blue)
    const { deletion } = await aliases.switchAlias(alias, green, { deleteOld: true })
    const info = await deletion?.info()
    expect(info).toMatchObject({
      functionName: 'delete_collection',
      args: [],
      kwargs: { collection_name: blue, grace_period_minutes: 60 },
      jobTry: null,
    })
    expect((info?.score ?? 0) - (info?.enqueueTime.getTime() ?? 0)).toBeGreaterThan(3_599_000)
    await bench.worker({ tasks: [deleteCollectionTask(bench.qdrant().client)] })
    expect(await deletion?.abort({ timeoutMs: 10_000 })).toBe(true)
    expect(await bench.exists(blue)).toBe(true)
  })

  test('schedules into the given queue', async () => {
    const client = bench.client()
    const aliases = new AliasManager({ qdrant: bench.qdrant().client, client, queueName: 'deletions' })
    const job = await aliases.safeDeleteCollection(await bench.collection('blue'), 5)
    expect(job?.queueName).toBe('deletions')
    expect((await client.queuedJobs({ queueName: 'deletions' })).map((queued) => queued.kwargs)).toEqual([
      { collection_name: bench.qdrant().name('blue'), grace_period_minutes: 5 },
    ])
  })

  test('schedules nothing while an alias points to the collection', async () => {
    const client = bench.client()
    const aliases = new AliasManager({ qdrant: bench.qdrant().client, client })
    const [blue, green] = [await bench.collection('blue'), await bench.collection('green')]
    const alias = await bench.alias('live', blue)
    await bench.alias('other', blue)
    expect(await aliases.safeDeleteCollection(blue)).toBeNull()
    expect(await aliases.switchAlias(alias, green, { deleteOld: true })).toMatchObject({ deletion: null })
    await expect(aliases.safeDeleteCollection(alias)).rejects.toThrow(
      `safeDeleteCollection: \`${alias}\` is an alias; name the collection it points to`,
    )
    expect(await client.queuedJobs()).toEqual([])
  })

  test('clones settings and payload indexes, not points', async () => {
    const aliases = managed()
    const { client, name } = bench.qdrant()
    const [source, target] = [name('source'), name('target')]
    await client.createCollection(source, {
      vectors: { text: { size: 2, distance: 'Dot' }, image: { size: 3, distance: 'Euclid' } },
      sparse_vectors: { words: { modifier: 'idf' } },
      hnsw_config: { m: 8, ef_construct: 64 },
      optimizers_config: { indexing_threshold: 5_000 },
      quantization_config: { scalar: { type: 'int8', always_ram: true } },
      on_disk_payload: false,
    })
    await client.createPayloadIndex(source, { field_name: 'colour', field_schema: 'keyword', wait: true })
    const text = { type: 'text', tokenizer: 'word', lowercase: true } as const
    await client.createPayloadIndex(source, { field_name: 'title', field_schema: text, wait: true })
    await aliases.cloneCollectionSchema(source, target)
    const [first, second] = [await client.getCollection(source), await client.getCollection(target)]
    expect(second.config).toEqual(first.config)
    expect(second.payload_schema).toEqual(first.payload_schema)
    expect(await aliases.validateCompatibility(source, target)).toEqual({ compatible: true, differences: [] })
    await expect(aliases.cloneCollectionSchema(source, target)).rejects.toMatchObject({ status: 409 })
    await expect(aliases.cloneCollectionSchema(name('missing'), name('other'))).rejects.toMatchObject({ status: 404 })
  })

  test('says how two collections differ', async () => {
    const { client, name } = bench.qdrant()
    const blue = await bench.collection('blue')
    await client.createCollection(name('green'), { vectors: { size: 3, distance: 'Cosine' }, hnsw_config: { m: 8 } })
    expect(await managed().validateCompatibility(blue, name('green'))).toEqual({
      compatible: false,
      differences: [
        'vectors: {"size":2,"distance":"Cosine","datatype":"float32"} and {"size":3,"distance":"Cosine","datatype":"float32"}',
        'hnsw_config `m`: 16 and 8',
      ],
    })
  })

  describe('copies points', () => {
    const POINTS = 25
    async function filled(): Promise<[source: string, target: string]> {
      const [source, target] = [await bench.collection('source'), await bench.collection('target')]
      const points = Array.from({ length: POINTS }, (_, i) => ({
        id: i + 1,
        vector: [Math.cos(i), Math.sin(i)],
        payload: { i, note: null, tags: ['a', { b: i }] },
      }))
      await bench.qdrant().client.upsert(source, { wait: true, points })
      return [source, target]
    }
    const all = (name: string) =>
      bench.qdrant().client.scroll(name, { limit: 100, with_vector: true, with_payload: true })

    test('in batches, with progress', async () => {
      const [source, target] = await filled()
      const progress: [number, number][] = []
      const onProgress = (copied: number, total: number) => progress.push([copied, total])
      expect(await managed().copyCollectionData(source, target, { batchSize: 10, onProgress })).toBe(POINTS)
      expect(progress).toEqual([
        [10, 25],
        [20, 25],
        [25, 25],
      ])
      const [from, to] = [await all(source), await all(target)]
      expect(to.points.map(({ id, payload }) => ({ id, payload }))).toEqual(
        from.points.map(({ id, payload }) => ({ id, payload })),
      )
      to.points.forEach(({ vector }, i) => {
        const wanted = from.points[i]?.vector as number[]
        ;(vector as number[]).forEach((x, k) => expect(x).toBeCloseTo(wanted[k] as number, 5))
      })
    })

    test('stops at a limit, whatever the size of a batch', async () => {
      const [source, target] = await filled()
      const progress: number[][] = []
      const options = { batchSize: 10, limit: 12, onProgress: (...counts: number[]) => progress.push(counts) }
      expect(await managed().copyCollectionData(source, target, options)).toBe(12)
      expect(progress).toEqual([
        [10, 12],
        [12, 12],
      ])
      expect(await bench.qdrant().client.count(target, { exact: true })).toEqual({ count: 12 })
    })

    test('until its signal fires, and whole when run again', async () => {
      const [source, target] = await filled()
      const stop = new AbortController()
      const options = { batchSize: 10, onProgress: () => stop.abort(new Error('enough')), signal: stop.signal }
      await expect(managed().copyCollectionData(source, target, options)).rejects.toThrow('enough')
      expect(await bench.qdrant().client.count(target, { exact: true })).toEqual({ count: 10 })
      expect(await managed().copyCollectionData(source, target)).toBe(POINTS)
      expect(await bench.qdrant().client.count(target, { exact: true })).toEqual({ count: POINTS })
    })

    test('none of an empty collection, and says which call failed on a missing one', async () => {
      const [blue, green] = [await bench.collection('blue'), await bench.collection('green')]
      expect(await managed().copyCollectionData(blue, green, { onProgress: () => expect.unreachable() })).toBe(0)
      await expect(managed().copyCollectionData(bench.qdrant().name('missing'), green)).rejects.toThrow(
        /^copyCollectionData .* to .*: Qdrant answered 404: Not found/,
      )
      const other = bench.qdrant().name('other')
      await bench.qdrant().client.createCollection(other, { vectors: { ...vectors, size: 3 } })
      await bench.qdrant().client.upsert(blue, { wait: true, points: [{ id: 1, vector: [1, 0] }] })
      await expect(managed().copyCollectionData(blue, other)).rejects.toMatchObject({ status: 400, temporary: false })
    })
  })

  test('reports an outage of Qdrant as temporary, and its refusal as final', async () => {
    const aliases = managed()
    bench.qdrant().faults.add({ kind: 'error', times: 1 })
    await expect(aliases.listAliases()).rejects.toMatchObject({
      status: 500,
      temporary: true,
      message: 'listAliases: Qdrant answered 500: a fault of this test',
    })
    bench.qdrant().faults.add({ kind: 'close', times: 1 })
    await expect(aliases.listAliases()).rejects.toMatchObject({ status: undefined, temporary: true })
    bench.qdrant().faults.add({ kind: 'hang', times: 1 })
    const hasty = new AliasManager({ qdrant: { url: bench.qdrant().url, timeoutMs: 50 } })
    await expect(hasty.listAliases()).rejects.toThrow('listAliases: Qdrant did not answer: its time was up')
  })
})
