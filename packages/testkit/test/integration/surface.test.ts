import { defineTask, createLogger } from '@arq-ts/core'
import type { JobContext } from '@arq-ts/core'
import { takeDatabase, unrefusedOf } from '@arq-ts/test-support'
import { expect, test } from 'vitest'
import * as testkit from '../../src/index.ts'

const DATA = 'is data'
const NONE = 'takes no arguments'
const task = defineTask({ name: 'f', handler: (_ctx: JobContext, n: number) => n })

test('every exported function, constructor and method refuses wrong arguments, and names the likely option', async () => {
  const database = await takeDatabase()
  const logger = createLogger({ level: 'silent' })
  const queue = await testkit.createTestQueue({ tasks: [task], redis: database.url })
  const inline = testkit.createInlineQueue({ tasks: [task] })
  await inline.client.enqueue(task, [1])
  await queue.client.enqueue(task, [1])
  const expected = { count: 1, queueName: 'arq:queue' }
  const own = { codec: 'json', jobId: 'a', jobTry: 1, queueName: 'q', onProgress: () => {}, onEmit: () => {}, logger }
  const unrefused = await unrefusedOf({
    exports: testkit,
    instances: { InlineQueue: inline, TestQueue: queue },
    accepted: {
      createInlineQueue: [{ tasks: [task], ctx: {}, queueName: 'q', codec: 'json', maxTries: 1 }],
      InlineQueue: [{ tasks: [task], ctx: {}, queueName: 'q', codec: 'json', maxTries: 1 }],
      createTestQueue: [
        {
          tasks: [task],
          mode: 'manual',
          redis: database.url,
          keyPrefix: 'p:',
          queues: ['q'],
          now: 5,
          codec: 'json',
          stuckAfterMs: 5,
          logger,
        },
      ],
      runTask: [task, [1], own],
      'InlineQueue.enqueued': [task],
      'InlineQueue.expectEnqueued': [task, undefined, expected],
      'TestQueue.advance': [1],
      'TestQueue.enqueued': [task],
      'TestQueue.expectEnqueued': [task, undefined, expected],
    },
    data: [
      'logger',
      'ctx',
      'runTask(0)',
      'InlineQueue.enqueued(0)',
      'InlineQueue.expectEnqueued(0)',
      'TestQueue.enqueued(0)',
      'TestQueue.expectEnqueued(0)',
    ],
    right: { 'runTask(1)': { 'an array of numbers': DATA, 'an array of nulls': DATA } },
    passed: {
      'InlineQueue.expectEnqueued(1)': 'a pattern is any value',
      'TestQueue.expectEnqueued(1)': 'a pattern is any value',
      'InlineQueue.reset': NONE,
      TestQueue: 'made by createTestQueue',
      'TestQueue.close': NONE,
      'TestQueue.drain': NONE,
      'TestQueue.now': NONE,
      'TestQueue.reset': NONE,
    },
  })
  await queue.close()
  await database.release()
  expect(unrefused).toEqual([])
})
