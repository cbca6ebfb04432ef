import { ArgumentsError, OptionsError } from '@arq-ts/core'
import type { Client, Job } from '@arq-ts/core'
import type { QdrantClient, Schemas } from '@qdrant/js-client-rest'
import { z } from 'zod'
import { checkOptions } from '@arq-ts/core/task-kit'
import { checkArguments, countSchema, graceSchema, nameSchema } from './check.ts'
import { DEFAULT_GRACE_MINUTES, DELETE_COLLECTION } from './delete-collection.ts'
import type { DeletionResult } from './delete-collection.ts'
import { aliasesOf } from './deletion.ts'
import { ask, connect, connectionShape, readAliases } from './qdrant.ts'
import type { QdrantConnection } from './qdrant.ts'
import { creationOf, differencesOf, indexesOf } from './schema.ts'

/** Options of `new AliasManager()`. */
export interface AliasManagerOptions {
  /** A client of `@qdrant/js-client-rest`, or how to reach Qdrant. */
  qdrant: QdrantClient | QdrantConnection
  /** Enqueues deletions. Without it nothing can be scheduled. */
  client?: Client
  /** Queue of the worker that deletes. Default: the client's. */
  queueName?: string
}

/** Outcome of a switch. */
export interface SwitchResult {
  /** False when the alias pointed there already. */
  switched: boolean
  /** Collection it pointed to before; null when it is new. */
  oldCollection: string | null
  /** The old collection's deletion, to wait for or to abort; null when none is scheduled. */
  deletion: Job<DeletionResult> | null
}

/** Options of `copyCollectionData`. */
export interface CopyOptions {
  /** Points in one batch. Default 100. */
  batchSize?: number
  /** Points to copy at most. Default: all. */
  limit?: number
  /** Awaited after each batch. An error it throws ends the copy. */
  onProgress?: (copied: number, total: number) => unknown
  /** Ends the copy between two batches, with its reason. */
  signal?: AbortSignal
}

/** Comparison of two collections, of which one may replace the other. */
export interface Compatibility {
  compatible: boolean
  /** Each in words, the first collection's side first. */
  differences: string[]
}

const aFlag = z.boolean('Expected true or false').optional()
const createSchema = z.strictObject({ force: aFlag })
const switchSchema = z.strictObject({ deleteOld: aFlag, gracePeriodMinutes: graceSchema.optional() })
const copySchema = z.strictObject({
  batchSize: countSchema.optional(),
  limit: countSchema.optional(),
  onProgress: z.custom((value) => typeof value === 'function', 'Expected a function').optional(),
  // Of any realm: a document, such as jsdom's, has a class of its own.
  signal: z
    .custom<AbortSignal>(
      (value) => Object.prototype.toString.call(value) === '[object AbortSignal]',
      'Expected an AbortSignal',
    )
    .optional(),
})
const managerSchema = z.strictObject({
  qdrant: z.custom<QdrantClient | QdrantConnection>((value) => typeof value === 'object' && value !== null, {
    error: 'Expected a client of @qdrant/js-client-rest, or { url, apiKey, timeoutMs }',
  }),
  client: z
    .custom<Client>((value) => typeof (value as Client | null)?.enqueue === 'function', 'Expected a Client')
    .optional(),
  queueName: z.string('Expected a string').min(1, 'Expected a string that is not empty').optional(),
})

/**
 * Aliases and collections of Qdrant, for updates without a pause: fill a new collection, move the alias, delete the old
 * collection later.
 *
 * ```ts
 * const aliases = new AliasManager({ qdrant: { url: 'http://localhost:6333' }, client })
 * const { deletion } = await aliases.switchAlias('products', 'products-v2', { deleteOld: true })
 * await deletion?.abort() // a change of mind, within the hour
 * ```
 *
 * Names are 1 to 255 letters, digits, underscores or hyphens. Every method throws ArgumentsError or OptionsError for what
 * does not fit, and QdrantError when Qdrant refuses or does not answer.
 */
export class AliasManager {
  readonly #qdrant: QdrantClient
  readonly #client: Client | undefined
  readonly #queueName: string | undefined

  /** @throws OptionsError */
  constructor(options: AliasManagerOptions) {
    const { qdrant, client, queueName } = checkOptions('AliasManager', managerSchema, options)
    this.#qdrant = isClient(qdrant)
      ? qdrant
      : connect(checkOptions('AliasManager: qdrant', z.strictObject(connectionShape), qdrant) as QdrantConnection)
    this.#client = client
    this.#queueName = queueName
  }

  /**
   * Makes an alias. One that exists is left alone, and false is given; with `force` it is moved, without a moment in
   * which it points nowhere.
   */
  async createAlias(alias: string, collection: string, options: { force?: boolean } = {}): Promise<boolean> {
    checkNames('createAlias', { alias, collection })
    checkOptions('createAlias', createSchema, options)
    if (!options.force && (await this.aliasExists(alias))) return false
    await this.#point('createAlias', alias, collection)
    return true
  }

  /**
   * Moves an alias to another collection in one update. With `deleteOld` the old collection's deletion is scheduled, as
   * by `safeDeleteCollection`; when that fails, the alias has moved all the same.
   */
  async switchAlias(
    alias: string,
    collection: string,
    options: { deleteOld?: boolean; gracePeriodMinutes?: number } = {},
  ): Promise<SwitchResult> {
    checkNames('switchAlias', { alias, collection })
    checkOptions('switchAlias', switchSchema, options)
    const { deleteOld = false, gracePeriodMinutes = DEFAULT_GRACE_MINUTES } = options
    if (deleteOld) this.#scheduler('switchAlias with deleteOld')
    const oldCollection = await this.getCollectionForAlias(alias)
    if (oldCollection === collection) return { switched: false, oldCollection, deletion: null }
    await this.#point('switchAlias', alias, collection)
    const deletes = deleteOld && oldCollection !== null
    const deletion = deletes ? await this.safeDeleteCollection(oldCollection, gracePeriodMinutes) : null
    return { switched: true, oldCollection, deletion }
  }

  /** Removes an alias; its collection stays. False when there was none. */
  async deleteAlias(alias: string): Promise<boolean> {
    checkNames('deleteAlias', { alias })
    const existed = await this.aliasExists(alias)
    if (existed) await this.#update('deleteAlias', { delete_alias: { alias_name: alias } })
    return existed
  }

  /** Resolves to true where the collection exists. An alias is none. */
  async collectionExists(collection: string): Promise<boolean> {
    checkNames('collectionExists', { collection })
    const { collections } = await ask('collectionExists', () => this.#qdrant.getCollections())
    return collections.some(({ name }) => name === collection)
  }

  /**
   * Qdrant's word for how a collection is (`green` when all is well, `yellow` while it optimises, `red`) and about how
   * many points it has; null where there is none.
   */
  async collectionState(collection: string): Promise<{ status: string; points: number } | null> {
    if (!(await this.collectionExists(collection))) return null
    const { status, points_count } = await ask('collectionState', () => this.#qdrant.getCollection(collection))
    return { status, points: points_count ?? 0 }
  }

  /** Resolves to true where the alias exists. */
  async aliasExists(alias: string): Promise<boolean> {
    return (await this.getCollectionForAlias(alias)) !== null
  }

  /** Collection an alias points to; null when there is no such alias. */
  async getCollectionForAlias(alias: string): Promise<string | null> {
    checkNames('getCollectionForAlias', { alias })
    return (await this.listAliases()).get(alias) ?? null
  }

  /** Every alias with its collection. */
  listAliases(): Promise<Map<string, string>> {
    return readAliases('listAliases', this.#qdrant)
  }

  /**
   * Schedules the deletion of a collection after a grace period, as a job `delete_collection`. Gives the job, to wait
   * for or to abort; null, and schedules nothing, when an alias points to the collection. The aliases are looked at
   * again before the deletion itself.
   *
   * @throws OptionsError when the manager has no `client`; RedisUnavailableError.
   */
  async safeDeleteCollection(
    collection: string,
    gracePeriodMinutes: number = DEFAULT_GRACE_MINUTES,
  ): Promise<Job<DeletionResult> | null> {
    checkNames('safeDeleteCollection', { collection })
    checkArguments('safeDeleteCollection', z.object({ gracePeriodMinutes: graceSchema }), { gracePeriodMinutes })
    const client = this.#scheduler('safeDeleteCollection')
    const aliases = await this.listAliases()
    if (aliases.has(collection)) {
      throw new ArgumentsError(`safeDeleteCollection: \`${collection}\` is an alias; name the collection it points to`)
    }
    if (aliasesOf(collection, aliases).length > 0) return null
    return client.enqueue<DeletionResult>(DELETE_COLLECTION, [], {
      kwargs: { collection_name: collection, grace_period_minutes: gracePeriodMinutes },
      deferByMs: gracePeriodMinutes * 60_000,
      ...(this.#queueName === undefined ? {} : { queueName: this.#queueName }),
    })
  }

  /**
   * Makes an empty collection with the vectors, settings and payload indexes of another. When an index fails, the new
   * collection stays without it: delete it before the next try.
   */
  async cloneCollectionSchema(source: string, target: string): Promise<void> {
    checkNames('cloneCollectionSchema', { source, target })
    const what = `cloneCollectionSchema ${source} to ${target}`
    const info = await ask(what, () => this.#qdrant.getCollection(source))
    await ask(what, () => this.#qdrant.createCollection(target, creationOf(info)))
    for (const index of indexesOf(info)) {
      await ask(what, () => this.#qdrant.createPayloadIndex(target, { wait: true, ...index }))
    }
  }

  /**
   * Copies points with their vectors and payloads, batch by batch, and gives how many. Points keep their ids, so a copy
   * that was cut short can be run again. Points that are written meanwhile may be missed.
   */
  async copyCollectionData(source: string, target: string, options: CopyOptions = {}): Promise<number> {
    checkNames('copyCollectionData', { source, target })
    checkOptions('copyCollectionData', copySchema, options)
    const { batchSize = 100, limit = Infinity, onProgress, signal } = options
    const what = `copyCollectionData ${source} to ${target}`
    const { count: stored } = await ask(what, () => this.#qdrant.count(source, { exact: true }))
    const total = Math.min(stored, limit)
    let copied = 0
    let offset: Schemas['ExtendedPointId'] | undefined
    while (copied < limit) {
      signal?.throwIfAborted()
      const page = { limit: Math.min(batchSize, limit - copied), with_payload: true, with_vector: true }
      const { points, next_page_offset } = await ask(what, () =>
        this.#qdrant.scroll(source, offset === undefined ? page : { ...page, offset }),
      )
      if (points.length > 0) {
        await ask(what, () => this.#qdrant.upsert(target, { wait: true, points: points.map(toPoint) }))
        copied += points.length
        await onProgress?.(copied, Math.max(total, copied))
      }
      if (next_page_offset === null || next_page_offset === undefined) break
      offset = next_page_offset as Schemas['ExtendedPointId']
    }
    return copied
  }

  /** Compares two collections: the second may take over from the first with the same vectors, HNSW and quantization. */
  async validateCompatibility(first: string, second: string): Promise<Compatibility> {
    checkNames('validateCompatibility', { first, second })
    const what = `validateCompatibility ${first} and ${second}`
    const infos = await ask(what, () =>
      Promise.all([this.#qdrant.getCollection(first), this.#qdrant.getCollection(second)]),
    )
    const differences = differencesOf(...infos)
    return { compatible: differences.length === 0, differences }
  }

  /**
   * One action, not a removal and a creation: Qdrant does actions one by one and keeps the first when it refuses the
   * second, and the alias would be lost.
   */
  #point(what: string, alias: string, collection: string): Promise<void> {
    return this.#update(what, { create_alias: { alias_name: alias, collection_name: collection } })
  }

  async #update(what: string, action: Schemas['AliasOperations']): Promise<void> {
    await ask(what, () => this.#qdrant.updateCollectionAliases({ actions: [action] }))
  }

  #scheduler(what: string): Client {
    if (this.#client) return this.#client
    throw new OptionsError(`${what} enqueues a job: pass \`client\` to the AliasManager`)
  }
}

function isClient(value: QdrantClient | QdrantConnection): value is QdrantClient {
  return typeof (value as QdrantClient).updateCollectionAliases === 'function'
}

function checkNames(method: string, names: Readonly<Record<string, unknown>>): void {
  const shape = Object.fromEntries(Object.keys(names).map((name) => [name, nameSchema]))
  checkArguments(method, z.object(shape), names)
}

function toPoint({ id, vector, payload }: Schemas['Record']): Schemas['PointStruct'] {
  return { id, vector: (vector ?? {}) as Schemas['VectorStruct'], payload: payload ?? null }
}
