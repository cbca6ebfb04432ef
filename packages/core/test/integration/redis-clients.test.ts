import { createRequire } from 'node:module'
import { openRedis, redisOption } from '@arq-ts/core/task-kit'
import { takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import * as ioredis6 from 'ioredis'
import * as ioredis5 from 'ioredis-5'
import * as nodeRedis4 from 'node-redis-4'
import * as nodeRedis5 from 'node-redis-5'
import * as nodeRedis6 from 'node-redis-6'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Client, defineTask, OptionsError, TaskQueueManager, Worker } from '../../src/index.ts'
import { addressOf, readTarget } from '../../src/redis/target.ts'
import { silent } from './support.ts'

// These have no types of their own.
const require = createRequire(import.meta.url)
const ioredis4 = require('ioredis-4') as typeof ioredis6.Redis & { Cluster: typeof ioredis6.Cluster }
const nodeRedis3 = require('node-redis-3') as { createClient(options: object): { end(flush: boolean): void } }

let database: Database
beforeAll(async () => {
  database = await takeDatabase()
})
afterAll(() => database.release())

const task = defineTask({ name: 'f', handler: () => 1 })
const url = 'redis://user:secret@127.0.0.1:1/3'
const sentinels = [{ host: 'one', port: 2 }]
const nodes = [{ host: 'one', port: 2 }]

/** Every place that takes a Redis target; each opens its object with the target, and closes it. */
const places: [name: string, call: (redis: never) => unknown][] = [
  ['Client', (redis) => new Client({ redis, logger: silent }).close()],
  ['Worker', (redis) => new Worker({ redis, tasks: [task], logger: silent, handleSignals: false }).stop()],
  ['openRedis', (redis) => openRedis(redis).disconnect()],
  [
    'the option of task packages',
    (redis) => {
      const { error } = redisOption.safeParse(redis)
      if (error) throw new OptionsError(JSON.stringify(error.issues))
    },
  ],
]

const silence = <C>(client: C): C => {
  ;(client as unknown as { on(event: string, listener: () => void): void }).on('error', () => {})
  return client
}

describe('a client of ioredis is accepted in every place:', () => {
  const lazy = { lazyConnect: true } as const
  const versions = [
    ['4', ioredis4, ioredis4.Cluster],
    ['5', ioredis5.Redis, ioredis5.Cluster],
    ['6', ioredis6.Redis, ioredis6.Cluster],
  ] as unknown as [string, typeof ioredis6.Redis, typeof ioredis6.Cluster][]
  const clients = versions.flatMap(([version, Redis, Cluster]): [string, unknown, string][] => [
    [`a client of ${version}`, silence(new Redis(url, lazy)), '127.0.0.1:1'],
    [
      `a client by Sentinel of ${version}`,
      silence(new Redis({ ...lazy, name: 'jobs', sentinels })),
      "'jobs' by Sentinel at one:2",
    ],
    [`a cluster of ${version}`, silence(new Cluster(nodes, lazy)), 'the cluster at one:2'],
  ])

  test.each(clients)('%s', async (_, client, address) => {
    expect(addressOf(readTarget(client))).toBe(address)
    for (const [, call] of places) await call(client as never)
    expect((client as { status: string }).status).toBe('wait')
  })

  test.each(versions)('ioredis %s, and jobs go where it points', async (_version, Redis) => {
    const theirs = silence(new Redis(database.url, lazy))
    const client = new Client({ redis: theirs, logger: silent })
    expect(await client.enqueue('f')).not.toBeNull()
    await client.close()
    expect(theirs.status).toBe('wait')
  })
})

async function refusalOf(call: () => unknown): Promise<unknown> {
  try {
    return await call()
  } catch (error) {
    return error
  }
}

describe('a client of node-redis is refused by name in every place:', () => {
  const { createClient } = nodeRedis3
  const third = silence(createClient({ port: 1, retry_strategy: () => undefined }))
  const of = (version: string, kit: typeof nodeRedis5): [string, unknown][] => [
    [`a client of ${version}, not connected`, silence(kit.createClient({ url }))],
    [`a cluster of ${version}`, kit.createCluster({ rootNodes: [{ url }] })],
  ]
  const since5 = (version: string, kit: typeof nodeRedis5): [string, unknown][] => [
    [`a pool of ${version}`, kit.createClientPool({ url })],
    [`a sentinel of ${version}`, kit.createSentinel({ name: 'jobs', sentinelRootNodes: nodes })],
  ]
  const clients = [
    ['a client of 3', third],
    ...of('4', nodeRedis4 as unknown as typeof nodeRedis5),
    ...of('5', nodeRedis5),
    ...of('6', nodeRedis6 as unknown as typeof nodeRedis5),
    ...since5('5', nodeRedis5),
    ...since5('6', nodeRedis6 as unknown as typeof nodeRedis5),
  ] as [string, unknown][]
  afterAll(() => third.end(true))

  test.each(clients)('%s', async (_, client) => {
    for (const [place, call] of places) {
      const message = expect.stringMatching(/\(node-redis\): give its URL/) as string
      expect(await refusalOf(() => call(client as never)), place).toMatchObject({
        code: 'ARQ_INVALID_OPTIONS',
        message,
      })
    }
  })
})

describe('a value that is no client is refused with its kind in every place:', () => {
  test.each<[string, unknown, RegExp]>([
    ['the class of ioredis 4', ioredis4, /not its class: write `new \w+\(…\)`/],
    ['the class of ioredis 5', ioredis5.Redis, /not its class: write `new Redis\(…\)`/],
    ['the class of ioredis 6', ioredis6.Redis, /not its class: write `new Redis\(…\)`/],
    ['the class of a cluster', ioredis6.Cluster, /not its class: write `new Cluster\(…\)`/],
    ['a function that makes clients', nodeRedis5.createClient, /a URL such as redis:/],
    ['a client that is awaited too late', Promise.resolve(nodeRedis5.createClient()), /a URL such as redis:/],
    ['a URL object', new URL(url), /a URL such as redis:/],
    ["arq's settings", { unix_socket_path: '/run/redis.sock' }, /unix_socket_path/],
  ])('%s', async (_, redis, reason) => {
    for (const [place, call] of places)
      expect(await refusalOf(() => call(redis as never)), place).toMatchObject({
        code: 'ARQ_INVALID_OPTIONS',
        message: expect.stringMatching(reason) as string,
      })
  })
})

describe('a client in the place of options is refused with the option that takes it:', () => {
  test.each<[string, object]>([
    ['ioredis 4', silence(new ioredis4({ lazyConnect: true }))],
    ['ioredis 6', silence(new ioredis6.Redis({ lazyConnect: true }))],
    ['node-redis 5', nodeRedis5.createClient()],
    ['node-redis 6', nodeRedis6.createClient()],
  ])('%s', (_, client) => {
    const expected = /Expected an options object, got a client of Redis; give it as the option `redis`/
    expect(() => new Client(client as never)).toThrow(expected)
    expect(() => new Worker(client as never)).toThrow(expected)
    expect(() => new TaskQueueManager(client as never)).toThrow('got a client of Redis')
    expect(() => new TaskQueueManager({ redis_url: client as never })).toThrow('Expected `redis_url` to be')
  })
})
