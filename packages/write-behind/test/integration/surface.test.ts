import { unrefusedOf } from '@arq-ts/test-support'
import { expect, test } from 'vitest'
import * as all from '../../src/index.ts'
import { logger, useHarness } from '../support/harness.ts'

const bench = useHarness()
const NONE = 'takes no arguments'
const ANY = { null: 'is a value', '5': 'is a value', true: 'is a value' }
const save = async () => {}
const persisters = { app: { save } }

test('every exported function, constructor and method refuses wrong arguments, or is listed with a reason', async () => {
  const redis = bench.database().url
  const client = bench.client()
  const folder = new URL('../support/persisters', import.meta.url).pathname
  const environment = { redis, keyPrefix: '', folder, queueName: 'q', logger }
  const tries = { lockMs: 1_000, maxTries: 1, retryDelayMs: 5, batchSize: 1, batchTimeoutMs: 5 }
  const settings = { persisters: { app: './good.mjs' }, ...tries }
  const byKey = ['get', 'ttl', 'delete', 'entry'].map((name) => [`WriteBehind.${name}`, ['k']])
  const unrefused = await unrefusedOf({
    exports: {
      ...all,
      // The worker itself passes their second argument.
      createTasks: (options: unknown) => all.createTasks(options, environment),
      createMetrics: (options: unknown) => all.createMetrics(options, environment),
    },
    instances: { WriteBehind: bench.cache() },
    accepted: {
      WriteBehind: [
        { client, redis, keyPrefix: '', persisters, codec: 'json', lockMs: 1_000, maxPending: 5, pendingWaitMs: 0 },
      ],
      ...Object.fromEntries(byKey),
      'WriteBehind.getOrLoad': ['k', () => 1, { ttlMs: 5_000, leaseMs: 100, timeoutMs: 5_000 }],
      'WriteBehind.set': ['k', 1, { ttlMs: 5_000 }],
      'WriteBehind.writeBehind': ['k', 1, { persister: 'app:save', delayMs: 60_000, ttlMs: 5_000 }],
      'WriteBehind.flush': ['clean', { timeoutMs: 100 }],
      'WriteBehind.flushAll': [{ timeoutMs: 1 }],
      'WriteBehind.entries': [{ limit: 1, status: 'dead' }],
      'WriteBehind.page': [{ limit: 1, status: 'dead' }],
      persistCache: [{ redis, persisters, keyPrefix: '', ...tries }],
      createTasks: [settings],
      createMetrics: [settings],
      batchPersister: [save],
      filePersister: [{ folder: '/nowhere' }],
      postgresPersister: [
        { client: { query: save }, table: 'a.b', keyColumn: 'k', valueColumn: 'v', versionColumn: 'w' },
      ],
    },
    data: ['redis', 'client', 'persisters', 'logger', 'WriteBehind.set(1)', 'WriteBehind.writeBehind(1)'],
    codes: ['ARQ_ENCODE'],
    right: { 'WriteBehind.set(1)': ANY, 'WriteBehind.writeBehind(1)': ANY },
    passed: {
      'WriteBehind.dirtyKeys': NONE,
      'WriteBehind.failed': NONE,
      'WriteBehind.stats': NONE,
      'WriteBehind.close': NONE,
    },
  })
  expect(unrefused).toEqual([])
})
