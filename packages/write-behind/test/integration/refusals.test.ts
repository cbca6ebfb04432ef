import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { createTasks, filePersister, persistCache } from '../../src/index.ts'
import type { PersistCacheOptions, WriteBehindOptions, WriteOptions } from '../../src/index.ts'
import { logger, recorder, useHarness } from '../support/harness.ts'

const bench = useHarness()
const options = { persister: 'app.db:save', delayMs: 100 }

describe('a wrong option is refused by name', () => {
  test.each<[string, Partial<WriteOptions>, RegExp]>([
    ['k', { persister: 'save' }, /Expected `persister` to be module:name, such as app\.db:save_user, got `"save"`/],
    ['k', { delayMs: -1 }, /`delayMs`/],
    ['k', { ttl: 5 } as never, /Unknown option `ttl`, did you mean `ttlMs`/],
    ['', {}, /writeBehind: Expected `key` to be a string that is not empty, got `""`/],
  ])('in a write: %j %j', async (key, given, message) => {
    await expect(bench.cache().writeBehind(key, 1, { ...options, ...given })).rejects.toThrow(message)
  })

  test('undefined as a value, which `get` returns for a miss', async () => {
    const cache = bench.cache()
    const message = /Expected `value`, got `undefined`; null is a value/
    await expect(cache.writeBehind('k', undefined, options)).rejects.toThrow(message)
    await expect(cache.set('k', undefined)).rejects.toThrow(message)
    await cache.set('k', null)
    expect(await cache.get('k')).toBeNull()
  })

  test('a value that the codec has no form for, with its place', async () => {
    const cache = bench.cache()
    const message = '`value.save`: json cannot carry a function; pass data only'
    await expect(cache.writeBehind('k', { save: () => {} }, options)).rejects.toMatchObject({
      code: 'ARQ_ENCODE',
      message,
    })
    await expect(cache.set('k', () => {})).rejects.toThrow(/^`value`: json cannot carry a function/)
  })

  test.each<[Partial<WriteBehindOptions>, RegExp]>([
    [{ client: {} as never }, /Expected `client` to be a Client of @arq-ts\/core, got `an object`/],
    [
      { redis: 'http://x' },
      /Expected `redis` to be a URL such as redis:.*, ioredis options, or an ioredis client, got `"http:\/\/x"`/,
    ],
    [{ redis: 6379 as never }, /`redis`/],
    [{ persisters: { a: { b: 1 as never } } }, /Expected `persisters\.a\.b` to be a function, got `1`/],
    [{ persisters: { a: 5 as never } }, /Expected `persisters\.a` to be an object, got `5`/],
    [{ lockMs: 10 }, /`lockMs`/],
    [{ codec: 'xml' as never }, /`codec`/],
  ])('in the options: %j', (given, message) => expect(() => bench.cache(given)).toThrow(message))

  test.each<[object, RegExp]>([
    [{ timeoutMs: 0 }, /flush: Expected `timeoutMs` to be at least 1, got `0`/],
    [{ timeout: 5 }, /flush: Unknown option `timeout`, did you mean `timeoutMs`/],
  ])('in a flush: %j', async (given, message) => {
    await expect(bench.cache().flush('k', given)).rejects.toThrow(message)
  })

  test.each<[Partial<PersistCacheOptions>, RegExp]>([
    [
      { persisters: { a: { b: 'save' as never } } },
      /persistCache: Expected `persisters\.a\.b` to be a function, got `"save"`/,
    ],
    [{ persisters: undefined as never }, /`persisters`/],
    [{ maxTries: 0 }, /`maxTries`/],
    [{ maxTries: 1.5 }, /Expected `maxTries` to be a whole number, got `1\.5`/],
    [{ retryDelayMs: -1 }, /`retryDelayMs`/],
    [{ retries: 3 } as never, /Unknown option `retries`/],
  ])('in the options of the tasks: %j', (given, message) => {
    const persisters = { app: { save: () => {} } }
    expect(() => persistCache({ redis: bench.database().url, persisters, ...given })).toThrow(message)
  })
})

describe('a job with arguments that do not fit', () => {
  const good = { key: 'k', value: 1, persist_func_module: 'app.db', persist_func_name: 'save' }
  const { value: _, ...valueless } = good
  test.each<[string, unknown[], Record<string, unknown>, RegExp]>([
    ['no arguments', [], {}, /missing .*'key'/],
    ['an empty key', [], { ...good, key: '' }, /`key`/],
    ['a key that is no text', [], { ...good, key: 5 }, /`key`/],
    ['no function', [], { key: 'k', value: 1 }, /missing .*'persist_func_module'/],
    ['no value', [], valueless, /missing .*'value'/],
    ['an empty module', [], { ...good, persist_func_module: '' }, /`persist_func_module`/],
    ['a name that is no text', [], { ...good, persist_func_name: null }, /`persist_func_name`/],
    ['a negative delay', [], { ...good, delay: -1 }, /`delay`/],
    ['a delay that is a string', [], { ...good, delay: '1' }, /`delay`/],
    ['an unknown keyword', [], { ...good, ttl: 5 }, /unexpected keyword argument 'ttl'/],
    ['a key twice', ['k'], good, /multiple values for argument 'key'/],
    ['six positions', ['k', 1, 'app.db', 'save', 1, 2], {}, /takes .* positional/],
    [
      'a function that is not allowed',
      [],
      { ...good, persist_func_name: 'drop' },
      /no persister app\.db:drop is allowed/,
    ],
  ])('fails without a retry: %s', async (_name, args, kwargs, message) => {
    const { saved, persisters } = recorder()
    const worker = bench.worker({ persisters })
    const died = new Promise<{ jobTry: number; error: unknown }>((resolve) => worker.once('deadLettered', resolve))
    await bench.client().enqueue('persist_cache', args, { kwargs })
    const { error, jobTry } = await died
    expect((error as Error).message).toMatch(message)
    expect(jobTry).toBe(1)
    expect(saved).toEqual([])
  })
})

describe('a package in the configuration', () => {
  const folder = fileURLToPath(new URL('../support/persisters', import.meta.url))
  const load = (given: unknown) =>
    createTasks(given, { redis: bench.database().url, keyPrefix: '', folder, queueName: 'arq:queue', logger })

  test('gives the tasks, with the functions that its modules export', async () => {
    const made = await load({ persisters: { app: './good.mjs' }, maxTries: 2 })
    expect(made.tasks.map(({ name, maxTries }) => [name, maxTries])).toEqual([['persist_cache', 2]])
    await made.onShutdown?.({} as never)
  })

  test.each<[unknown, RegExp]>([
    [{}, /@arq-ts\/write-behind: Expected `persisters` to be/],
    [{ persisters: {} }, /Expected `persisters` to be at least one module of persisters/],
    [{ persisters: { app: 5 } }, /Expected `persisters\.app` to be a path or a package, got `5`/],
    [{ persisters: { app: './absent.mjs' } }, /`persisters\.app`: \.\/absent\.mjs cannot be imported: /],
    [{ persisters: { app: './broken.mjs' } }, /\.\/broken\.mjs cannot be imported: no database is configured/],
    [{ persisters: { app: 'no-such-package' } }, /no-such-package cannot be imported: /],
    [{ persisters: { app: './empty.mjs' } }, /\.\/empty\.mjs exports no function \(key, value, write\)/],
    [{ persisters: { app: './good.mjs' }, lockMs: 5 }, /`lockMs`/],
    [{ persisters: { app: './good.mjs' }, retries: 5 }, /Unknown option `retries`/],
    [undefined, /Expected an options object, got `undefined`/],
  ])('is refused: %j', async (given, message) => {
    await expect(load(given)).rejects.toThrow(message)
  })
})

test.each([undefined, {}, { folder: '' }, { folder: 5 }])('a file persister needs a folder, not %j', (given) => {
  expect(() => filePersister(given as never)).toThrow(/^filePersister: /)
})
