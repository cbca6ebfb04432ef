import { Client, createLogger } from '@arq-ts/core'
import { takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { perform } from '../../src/top/top.ts'

let database: Database
let client: Client

beforeEach(async () => {
  database = await takeDatabase()
  client = new Client({ redis: database.url, logger: createLogger({ level: 'silent' }) })
})
afterEach(async () => {
  await client.close()
  await database.release()
})

test('what a key does is told', async () => {
  expect(await perform({ client }, { kind: 'pause', queueName: 'a' })).toBe('a is paused')
  expect(await client.queues.paused()).toEqual(['a'])
  expect(await perform({ client }, { kind: 'resume', queueName: 'a' })).toBe('a resumed')
  expect(await perform({ client }, { kind: 'abort', jobId: 'x', queueName: 'a' })).toMatch(/^x/)
})

test('an error of a key is told on the screen, whatever it is', async () => {
  await client.close()
  expect(await perform({ client }, { kind: 'pause', queueName: 'a' })).toMatch(/closed/i)
  const broken = { client: undefined as unknown as Client }
  expect(await perform(broken, { kind: 'retry', jobId: 'x' })).toMatch(/Cannot read properties of undefined/)
})
