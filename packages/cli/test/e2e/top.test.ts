import { Client, createLogger } from '@arq-ts/core'
import { takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { processIo } from '../../src/io.ts'
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

test('the effect of a key is shown', async () => {
  const io = { ...processIo, env: { USER: 'anna' } }
  expect(await perform({ client, io }, { kind: 'pause', queueName: 'a' })).toBe('a is paused')
  expect(await client.queues.paused()).toEqual(['a'])
  expect(await perform({ client, io }, { kind: 'resume', queueName: 'a' })).toBe('a resumed')
  expect(await perform({ client, io }, { kind: 'abort', jobId: 'x', queueName: 'a' })).toMatch(/^x/)
  const entries = await client.history.audit()
  expect(entries.map(({ action, actor }) => `${action} ${actor.split('@')[0]}`)).toEqual([
    'abort anna',
    'resume anna',
    'pause anna',
  ])
})

test('an error of a key is shown on the screen, whatever it is', async () => {
  await client.close()
  expect(await perform({ client, io: processIo }, { kind: 'pause', queueName: 'a' })).toMatch(/closed/i)
  const broken = { client: undefined as unknown as Client, io: processIo }
  expect(await perform(broken, { kind: 'retry', jobId: 'x' })).toMatch(/Cannot read properties of undefined/)
})
