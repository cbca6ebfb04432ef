import { unrefusedOf } from '@arq-ts/test-support'
import { QdrantClient } from '@qdrant/js-client-rest'
import { Client, createLogger } from '@arq-ts/core'
import { expect, test } from 'vitest'
import * as exports from '../../src/index.ts'

const NONE = 'takes no arguments'
/** Nothing listens on this port: refusals come before any request. */
const url = 'http://127.0.0.1:1'

test('every exported function, constructor and method refuses wrong arguments, or is listed with a reason', async () => {
  const logger = createLogger({ level: 'silent' })
  const client = new Client({ redis: { host: '127.0.0.1', port: 1, lazyConnect: true }, logger, commandTimeoutMs: 50 })
  const qdrant = new QdrantClient({ url, checkCompatibility: false })
  const task = { deletable: ['old-*'], snapshot: true, dryRun: true, maxTries: 1, retry: { delayMs: 5 } }
  const named = ['collectionExists', 'collectionState', 'aliasExists', 'getCollectionForAlias', 'deleteAlias'].map(
    (name) => [`AliasManager.${name}`, ['a']],
  )
  const unrefused = await unrefusedOf({
    exports,
    instances: {
      AliasManager: new exports.AliasManager({ qdrant, client }),
      ScheduledDeletions: new exports.ScheduledDeletions({ client }),
    },
    accepted: {
      AliasManager: [{ qdrant: { url, apiKey: 'x', timeoutMs: 5 }, client, queueName: 'q' }],
      ...Object.fromEntries(named),
      'AliasManager.createAlias': ['a', 'b', { force: true }],
      'AliasManager.switchAlias': ['a', 'b', { deleteOld: true, gracePeriodMinutes: 5 }],
      'AliasManager.safeDeleteCollection': ['a', 60],
      'AliasManager.cloneCollectionSchema': ['a', 'b'],
      'AliasManager.copyCollectionData': ['a', 'b', { batchSize: 1, limit: 1, onProgress: () => {} }],
      'AliasManager.validateCompatibility': ['a', 'b'],
      ScheduledDeletions: [{ client, queueNames: ['q'] }],
      'ScheduledDeletions.page': [{ limit: 1, budget: 1 }],
      'ScheduledDeletions.cancel': ['id', 'q'],
      'ScheduledDeletions.keep': ['a'],
      'ScheduledDeletions.deleteNow': ['a'],
      deleteCollectionTask: [qdrant, task],
      createTasks: [{ url, apiKey: 'x', timeoutMs: 5, snapshotTimeoutMs: 5, ...task }],
    },
    data: ['client', 'deleteCollectionTask(0)'],
    right: {
      deleteCollectionTask: { '`deletable` as a string': 'is one rule' },
      createTasks: { null: 'is an empty `with`', '`deletable` as a string': 'is one rule' },
    },
    passed: { 'AliasManager.listAliases': NONE, 'ScheduledDeletions.list': NONE },
  })
  await client.close()
  expect(unrefused).toEqual([])
})
