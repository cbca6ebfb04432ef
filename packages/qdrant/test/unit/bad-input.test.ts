import { describe, expect, test } from 'vitest'
import { Client, createLogger } from '@arq-ts/core'
import type { TaskEnvironment } from '@arq-ts/core'
import { QdrantClient } from '@qdrant/js-client-rest'
import { AliasManager, createTasks, deleteCollectionTask } from '../../src/index.ts'

/** Nothing listens there: what is refused here is refused before anything is sent. */
const url = 'http://127.0.0.1:1'
const qdrant = new QdrantClient({ url, checkCompatibility: false })
const logger = createLogger({ level: 'silent' })

describe('arguments of the task', () => {
  const task = deleteCollectionTask(qdrant)

  test.each<[args: unknown[], kwargs: Record<string, unknown>, bound: object]>([
    [['old'], {}, { collection_name: 'old', grace_period_minutes: 60 }],
    [['old', 5], {}, { collection_name: 'old', grace_period_minutes: 5 }],
    [['old'], { grace_period_minutes: 0 }, { collection_name: 'old', grace_period_minutes: 0 }],
    [[], { grace_period_minutes: 0.5, collection_name: 'o' }, { collection_name: 'o', grace_period_minutes: 0.5 }],
    [['-_09aZ'], {}, { collection_name: '-_09aZ', grace_period_minutes: 60 }],
    [['x'.repeat(255)], {}, { collection_name: 'x'.repeat(255), grace_period_minutes: 60 }],
  ])('are taken as Python would bind them: %j %j', (args, kwargs, bound) => {
    expect(task.bind(args, kwargs)).toEqual([bound])
  })

  const name = '`collection_name`: Expected 1 to 255 letters, digits, underscores or hyphens'
  const minutes = '`grace_period_minutes`: Expected minutes from 0 to 52596000 (a century)'
  test.each<[args: unknown[], kwargs: Record<string, unknown>, message: string]>([
    [[], {}, "missing 1 required argument: 'collection_name'"],
    [[], { collection: 'old' }, "got an unexpected keyword argument 'collection'"],
    [['old', 1, 2], {}, 'takes 2 positional arguments but 3 were given'],
    [['old'], { collection_name: 'old' }, "got multiple values for argument 'collection_name'"],
    [[''], {}, name],
    [['a b'], {}, name],
    [['../etc'], {}, name],
    [['a\n'], {}, name],
    [['é'], {}, name],
    [['x'.repeat(256)], {}, name],
    [[5], {}, name],
    [[null], {}, name],
    [['old', -1], {}, minutes],
    [['old', '5'], {}, minutes],
    [['old', Number.NaN], {}, minutes],
    [['old', Infinity], {}, minutes],
    [['old', 1e9], {}, minutes],
    [['old', null], {}, minutes],
  ])('are refused otherwise: %j %j', (args, kwargs, message) => {
    expect(() => task.bind(args, kwargs)).toThrow(message)
    expect(() => task.bind(args, kwargs)).toThrow(expect.objectContaining({ code: 'ARQ_ARGUMENTS' }))
  })
})

describe('arguments of the alias manager', () => {
  const aliases = new AliasManager({ qdrant })
  const name = 'to be 1 to 255 letters, digits, underscores or hyphens, got '
  const minutes = '`gracePeriodMinutes` to be minutes from 0 to 52596000 (a century), got '

  test.each<[method: string, call: () => Promise<unknown>, message: string]>([
    ['createAlias', () => aliases.createAlias('a b', 'c'), `\`alias\` ${name}\`"a b"\``],
    ['createAlias', () => aliases.createAlias('a', ''), `\`collection\` ${name}\`""\``],
    ['switchAlias', () => aliases.switchAlias('a', null as never), `\`collection\` ${name}\`null\``],
    ['deleteAlias', () => aliases.deleteAlias('a/b'), `\`alias\` ${name}\`"a/b"\``],
    ['getCollectionForAlias', () => aliases.getCollectionForAlias({} as never), `\`alias\` ${name}\`an object\``],
    ['safeDeleteCollection', () => aliases.safeDeleteCollection('x'.repeat(300)), `\`collection\` ${name}`],
    ['safeDeleteCollection', () => aliases.safeDeleteCollection('a', '60' as never), `${minutes}\`"60"\``],
    [
      'safeDeleteCollection',
      () => aliases.safeDeleteCollection('a', -1),
      '`gracePeriodMinutes` to be at least 0, got `-1`',
    ],
    ['cloneCollectionSchema', () => aliases.cloneCollectionSchema('a', 'b!'), `\`target\` ${name}\`"b!"\``],
    ['copyCollectionData', () => aliases.copyCollectionData(['a'] as never, 'b'), `\`source\` ${name}\`an array\``],
    ['validateCompatibility', () => aliases.validateCompatibility('a', ' '), `\`second\` ${name}\`" "\``],
  ])('%s: %#', async (method, call, message) => {
    await expect(call()).rejects.toThrow(`${method}: Expected ${message}`)
    await expect(call()).rejects.toMatchObject({ code: 'ARQ_ARGUMENTS' })
  })

  const copy = (options: object) => aliases.copyCollectionData('a', 'b', options)
  const move = (options: object) => aliases.switchAlias('a', 'b', options)
  test.each<[call: () => Promise<unknown>, message: string]>([
    [() => move({ gracePeriodMinutes: -1 }), 'switchAlias: Expected `gracePeriodMinutes` to be at least 0, got `-1`'],
    [() => move({ delete_old: true }), 'switchAlias: Unknown option `delete_old`, did you mean `deleteOld`?'],
    [() => move({ deleteOld: 1 }), 'switchAlias: Expected `deleteOld` to be true or false, got `1`'],
    [
      () => aliases.createAlias('a', 'b', { forced: true } as never),
      'createAlias: Unknown option `forced`, did you mean `force`?',
    ],
    [() => copy({ batchSize: 0 }), 'copyCollectionData: Expected `batchSize` to be at least 1, got `0`'],
    [() => copy({ limit: 1.5 }), 'copyCollectionData: Expected `limit` to be an integer of at least 1, got `1.5`'],
    [() => copy({ onProgress: 5 }), 'copyCollectionData: Expected `onProgress` to be a function, got `5`'],
    [() => copy({ signal: {} }), 'copyCollectionData: Expected `signal` to be an AbortSignal, got `an object`'],
    [() => copy({ batch_size: 5 }), 'copyCollectionData: Unknown option `batch_size`, did you mean `batchSize`?'],
  ])('options: %#', async (call, message) => {
    await expect(call()).rejects.toThrow(message)
    await expect(call()).rejects.toMatchObject({ code: 'ARQ_INVALID_OPTIONS' })
  })

  test('a deletion needs a client to enqueue it', async () => {
    const message = 'enqueues a job: pass `client` to the AliasManager'
    await expect(aliases.safeDeleteCollection('a')).rejects.toThrow(`safeDeleteCollection ${message}`)
    await expect(aliases.switchAlias('a', 'b', { deleteOld: true })).rejects.toThrow(
      `switchAlias with deleteOld ${message}`,
    )
  })
})

describe('options', () => {
  test.each<[options: unknown, message: string]>([
    [{}, 'Expected `qdrant` to be a client of @qdrant/js-client-rest, or { url, apiKey, timeoutMs }'],
    [undefined, 'Expected an options object'],
    [{ qdrant, clients: 1 }, 'Unknown option `clients`, did you mean `client`?'],
    [{ qdrant, client: {} }, 'Expected `client` to be a Client, got `an object`'],
    [{ qdrant, client: null }, 'Expected `client` to be a Client, got `null`'],
    [{ qdrant: null }, 'Expected `qdrant` to be a client of @qdrant/js-client-rest'],
    [
      { qdrant: { url: 'localhost:6333' } },
      'Expected `url` to be a URL such as http://localhost:6333, got `"localhost:6333"`',
    ],
    [{ qdrant: { host: 'localhost' } }, 'AliasManager: qdrant: Unknown option `host`'],
    [{ qdrant: { timeoutMs: '5' } }, 'Expected `timeoutMs` to be an integer of at least 1, got `"5"`'],
  ])('of the alias manager: %j', (options, message) => {
    expect(() => new AliasManager(options as never)).toThrow(message)
    expect(() => new AliasManager(options as never)).toThrow(expect.objectContaining({ code: 'ARQ_INVALID_OPTIONS' }))
  })

  const environment: TaskEnvironment = {
    redis: 'redis://127.0.0.1:1',
    keyPrefix: '',
    folder: '.',
    queueName: 'q',
    logger,
  }
  test.each<[options: unknown, message: string]>([
    [{ uri: url }, '@arq-ts/qdrant: Unknown option `uri`, did you mean `url`?'],
    [{ url: 'redis://localhost' }, '@arq-ts/qdrant: Expected `url` to be a URL such as http://localhost:6333'],
    [{ apiKey: '' }, '@arq-ts/qdrant: Expected `apiKey` to be not empty, got a string that is not shown'],
    [5, '@arq-ts/qdrant: Expected an options object'],
    [{ maxTries: 0 }, 'Expected `maxTries` to be at least 1, got `0`'],
    [{ retry: { delay: 5 } }, 'Unknown option `retry.delay`, did you mean `delayMs` (in milliseconds)?'],
  ])('of the configuration: %j', async (options, message) => {
    await expect(async () => createTasks(options, environment)).rejects.toThrow(message)
  })

  test('of the configuration may be left out', async () => {
    const { tasks } = await createTasks(undefined, environment)
    expect(tasks.map((task) => [task.name, task.maxTries])).toEqual([['delete_collection', 150]])
    const given = { url, timeoutMs: 5, maxTries: 2, retry: { delayMs: 1 } }
    expect((await createTasks(given, environment)).tasks[0]).toMatchObject({ maxTries: 2, retry: { delayMs: 1 } })
  })
})

test('the manager reports which call failed, and why', async () => {
  const client = new Client({ redis: 'redis://127.0.0.1:1', logger })
  const aliases = new AliasManager({ qdrant: { url }, client })
  await expect(aliases.safeDeleteCollection('a')).rejects.toMatchObject({
    code: 'ARQ_QDRANT',
    temporary: true,
    message: expect.stringMatching(/^listAliases: Qdrant did not answer: fetch failed \(.*(ECONNREFUSED|bad port)/),
  })
  await client.close()
})
