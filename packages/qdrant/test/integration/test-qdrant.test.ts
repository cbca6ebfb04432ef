import { QdrantClient } from '@qdrant/js-client-rest'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { startQdrant, whyNoQdrant } from '../support/index.ts'
import type { TestQdrant } from '../support/index.ts'

const reason = await whyNoQdrant()
if (reason !== undefined) console.log(`tests against Qdrant are left out: ${reason}`)

/** Behaviour that the other tests take for granted of their Qdrant, whichever it is. */
describe.skipIf(reason !== undefined)('the Qdrant of the tests', () => {
  let qdrant: TestQdrant
  let client: QdrantClient

  beforeAll(async () => {
    qdrant = await startQdrant()
    client = new QdrantClient({ url: qdrant.url, checkCompatibility: false })
  })
  afterEach(() => qdrant.reset())
  afterAll(() => qdrant.stop())

  const vectors = { size: 2, distance: 'Cosine' } as const
  const failure = (call: Promise<unknown>) =>
    call.then(
      () => undefined,
      (error: { status?: number; data?: { status?: { error?: string } } }) => ({
        status: error.status,
        error: error.data?.status?.error,
      }),
    )

  test('creates, reports, and deletes collections', async () => {
    const name = qdrant.name('a')
    expect(await client.collectionExists(name)).toEqual({ exists: false })
    expect(await client.createCollection(name, { vectors, hnsw_config: { m: 8 } })).toBe(true)
    expect(await client.getCollection(name)).toMatchObject({
      points_count: 0,
      config: { params: { vectors }, hnsw_config: { m: 8 } },
    })
    expect((await client.getCollections()).collections).toContainEqual({ name })
    expect(await client.deleteCollection(name)).toBe(true)
    expect(await client.deleteCollection(name)).toBe(false)
  })

  test('refuses in the words of Qdrant', async () => {
    const name = qdrant.name('a')
    const missing = { status: 404, error: `Not found: Collection \`${name}\` doesn't exist!` }
    expect(await failure(client.getCollection(name))).toEqual(missing)
    expect(await failure(client.upsert(name, { points: [{ id: 1, vector: [1, 0] }] }))).toEqual(missing)
    await client.createCollection(name, { vectors })
    expect(await failure(client.createCollection(name, { vectors }))).toEqual({
      status: 409,
      error: `Wrong input: Collection \`${name}\` already exists!`,
    })
    expect(await failure(client.upsert(name, { points: [{ id: 1, vector: [1, 0, 0] }] }))).toEqual({
      status: 400,
      error: 'Wrong input: Vector dimension error: expected dim: 2, got 3',
    })
    expect(await failure(client.createCollection(qdrant.name('b'), { vectors: { size: 'x' } as never }))).toMatchObject(
      {
        status: 400,
        error: expect.stringMatching(/^Format error in JSON body/),
      },
    )
  })

  test('moves aliases in one update, and drops them with their collection', async () => {
    const [a, b, alias] = [qdrant.name('a'), qdrant.name('b'), qdrant.name('alias')]
    await client.createCollection(a, { vectors })
    await client.createCollection(b, { vectors })
    const point = (collection_name: string) => ({ create_alias: { alias_name: alias, collection_name } })
    await client.updateCollectionAliases({ actions: [point(a)] })
    await client.updateCollectionAliases({ actions: [{ delete_alias: { alias_name: alias } }, point(b)] })
    expect((await client.getCollectionAliases(b)).aliases).toEqual([{ alias_name: alias, collection_name: b }])
    expect((await client.getCollectionAliases(a)).aliases).toEqual([])
    await client.updateCollectionAliases({ actions: [point(a)] })
    expect((await client.getAliases()).aliases).toContainEqual({ alias_name: alias, collection_name: a })
    await client.deleteCollection(a)
    expect((await client.getAliases()).aliases.map((entry) => entry.alias_name)).not.toContain(alias)
  })

  test('keeps the actions before one that it refuses', async () => {
    const [a, alias] = [qdrant.name('a'), qdrant.name('alias')]
    await client.createCollection(a, { vectors })
    await client.updateCollectionAliases({
      actions: [{ create_alias: { alias_name: alias, collection_name: a } }],
    })
    const actions = [
      { delete_alias: { alias_name: alias } },
      { create_alias: { alias_name: alias, collection_name: qdrant.name('missing') } },
    ]
    expect(await failure(client.updateCollectionAliases({ actions }))).toMatchObject({ status: 404 })
    expect((await client.getCollectionAliases(a)).aliases).toEqual([])
  })

  test('stores, scrolls, counts, finds and deletes points, by alias too', async () => {
    const [a, alias] = [qdrant.name('a'), qdrant.name('alias')]
    await client.createCollection(a, { vectors })
    await client.updateCollectionAliases({ actions: [{ create_alias: { alias_name: alias, collection_name: a } }] })
    const points = [
      { id: 1, vector: [1, 0], payload: { colour: 'red', note: null } },
      { id: 2, vector: [0, 1], payload: { colour: 'blue', note: null } },
    ]
    await client.upsert(alias, { wait: true, points })
    const first = await client.scroll(alias, { limit: 1, with_vector: true, with_payload: true })
    expect(first).toEqual({ points: [expect.objectContaining(points[0] as object)], next_page_offset: 2 })
    expect(await client.scroll(alias, { limit: 1, offset: 2 })).toMatchObject({ next_page_offset: null })
    expect(await client.count(alias, { exact: true })).toEqual({ count: 2 })
    expect(await client.query(alias, { query: [0, 1], limit: 1, with_payload: true })).toMatchObject({
      points: [{ id: 2, score: 1, payload: { colour: 'blue' } }],
    })
    const red = { must: [{ key: 'colour', match: { value: 'red' } }] }
    expect(await client.count(a, { filter: red, exact: true })).toEqual({ count: 1 })
    await client.delete(a, { wait: true, points: [1] })
    expect(await client.count(a, { exact: true })).toEqual({ count: 1 })
  })

  test('fails one call in N, loses answers, hangs, and goes away, as configured', async () => {
    const name = qdrant.name('a')
    qdrant.faults.add({ kind: 'error', call: /^GET \/aliases$/, every: 3 })
    const outcomes = []
    for (let i = 0; i < 6; i++) outcomes.push((await failure(client.getAliases()))?.status ?? 200)
    expect(outcomes).toEqual([200, 200, 500, 200, 200, 500])

    await client.createCollection(name, { vectors })
    qdrant.faults.add({ kind: 'close', call: /^DELETE/, when: 'after', times: 1 })
    await expect(client.deleteCollection(name)).rejects.toThrow('fetch failed')
    expect(await client.deleteCollection(name)).toBe(false)

    const hang = qdrant.faults.add({ kind: 'hang', call: /exists$/ })
    const hasty = new QdrantClient({ url: qdrant.url, checkCompatibility: false, timeout: 50 })
    await expect(hasty.collectionExists(name)).rejects.toThrow(/aborted/)
    expect(hang.hits).toBe(1)
    hang.remove()
    expect(await client.collectionExists(name)).toEqual({ exists: false })

    await qdrant.faults.down()
    await expect(client.getCollections()).rejects.toThrow('fetch failed')
    await qdrant.faults.up()
    expect(await client.collectionExists(name)).toEqual({ exists: false })
  })
})
