import { defineScript, openRedis, redisNowMs, redisOption } from '@arq-ts/core/task-kit'
import { takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, test } from 'vitest'

let database: Database
let redis: Redis
beforeEach(async () => {
  database = await takeDatabase()
  redis = openRedis(database.url)
})
afterEach(async () => {
  redis.disconnect()
  await database.release()
})

const put = defineScript(`redis.call('SET', KEYS[1], ARGV[1]) return {redis.call('GET', KEYS[1]), #ARGV}`)

test('a script runs where the server does not know it, and again after its cache was flushed', async () => {
  await redis.script('FLUSH')
  expect(await put(redis, ['a'], ['é', 1])).toEqual([Buffer.from('é'), 2])
  await redis.script('FLUSH')
  expect(await put(redis, ['b'], [Buffer.from([0, 255]), 1])).toEqual([Buffer.from([0, 255]), 2])
})

test('a connection is opened from the settings of a client, lazy or mapped to RESP3 as it may be', async () => {
  const theirs = new Redis(database.url, { lazyConnect: true, protocol: 3 })
  const ours = openRedis(theirs)
  try {
    await redis.hset('h', 'field', 'value')
    expect(await ours.hgetall('h')).toEqual({ field: 'value' })
    expect(await ours.call('HGETALL', 'h')).toEqual(['field', 'value'])
    expect(theirs.status).toBe('wait')
  } finally {
    ours.disconnect()
    theirs.disconnect()
  }
})

test('the time is that of the server', async () => {
  const [seconds] = await redis.time()
  expect(Math.abs((await redisNowMs(redis)) - Number(seconds) * 1_000)).toBeLessThan(60_000)
})

test.each([
  ['a URL of another protocol', 'http://localhost', /a URL such as redis:/],
  ['a key prefix of ioredis', { host: 'localhost', keyPrefix: 'p:' }, /without `keyPrefix`/],
  ['an option that ioredis does not have', { hots: 'localhost' }, /hots/],
])('the option `redis` refuses %s', (_, target, message) => {
  const { error } = redisOption.safeParse(target)
  expect(JSON.stringify(error?.issues)).toMatch(message)
})
