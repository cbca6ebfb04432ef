import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { eventually, RedisServer } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { Client, defineTask, flow, Retry, Worker } from '../../src/index.ts'
import type { Finding } from '../../src/index.ts'
import { luaShas, luaSources } from '../../src/redis/scripts.generated.ts'
import { silent, useHarness } from './support.ts'

/** Stands before a script and refuses keys that it was not given, as Dragonfly and Redis Cluster do. */
const GUARD = `
local declared = {}
for _, key in ipairs(KEYS) do declared[key] = true end
local server = redis
local all = { DEL = true, EXISTS = true, MGET = true }
local function check(command, ...)
  local args = { ... }
  local last = all[command] and #args or 1
  if command ~= 'TIME' and command ~= 'PUBLISH' and command ~= 'PUBSUB' then
    for i = 1, last do
      if not declared[args[i]] then error('undeclared key ' .. tostring(args[i]) .. ' in ' .. command) end
    end
  end
end
local redis = {
  call = function(...)
    check(...)
    return server.call(...)
  end,
  pcall = function(...)
    check(...)
    return server.pcall(...)
  end,
}
`

const sources: Record<string, string> = luaSources
const shas: Record<string, string> = luaShas
const unguarded = { sources: { ...sources }, shas: { ...shas } }

beforeAll(() => {
  for (const [name, source] of Object.entries(sources)) {
    sources[name] = GUARD + source
    shas[name] = createHash('sha1').update(sources[name]).digest('hex')
  }
})
afterAll(() => {
  Object.assign(sources, unguarded.sources)
  Object.assign(shas, unguarded.shas)
})

const tasks = [
  defineTask({ name: 'echo', handler: (_ctx, value: unknown) => value }),
  defineTask({ name: 'bad', handler: () => Promise.reject(new Error('bad')) }),
  defineTask({
    name: 'again',
    handler: (ctx) => {
      if (ctx.jobTry === 1) throw new Retry({ deferMs: 10 })
      return ctx.jobTry
    },
  }),
  defineTask({ name: 'spread', handler: (ctx) => void ctx.flow.call('echo', [1]) }),
  defineTask({
    name: 'slow',
    handler: (ctx) => new Promise((_, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason))),
  }),
]

const lostJob = (jobId: string): Finding => ({
  check: 'lost-in-progress',
  severity: 'error',
  queueName: 'arq:queue',
  message: '',
  repair: '',
  jobIds: [jobId],
  count: 1,
  damaged: [],
})

/** Everything that touches Redis by a script: enqueue, claim, renew, finish, dead letters, retry, abort, replay, hand back, flows. */
async function useEverything(client: Client, worker: Worker, redis: Redis, prefix = ''): Promise<void> {
  expect(await (await client.enqueue('echo', [1]))?.result({ timeoutMs: 5_000 })).toBe(1)
  expect(await (await client.enqueue('echo', [1]))?.result({ timeoutMs: 5_000 })).toBe(1)
  expect(await (await client.enqueue('again', []))?.result({ timeoutMs: 5_000 })).toBe(2)
  const bad = await client.enqueue('bad', [])
  await expect(bad?.result({ timeoutMs: 5_000 })).rejects.toThrow('bad')
  expect(await client.jobs.retry(bad?.jobId as string)).toBe(true)
  await expect(bad?.result({ timeoutMs: 5_000 })).rejects.toThrow('bad')
  const f = flow('all', { onUnknown: 'fail' })
  f.call('echo', [f.call('echo', [2])], { after: f.call('spread', []) })
  const run = await client.start(f)
  expect(await run.result({ timeoutMs: 5_000 })).toBe(2)
  await run.replay()
  expect(await run.result({ timeoutMs: 5_000 })).toBe(2)
  const held = flow('held', { onUnknown: 'fail' })
  held.call('echo', [held.call('echo', [1], { delayMs: 60_000 })])
  const waiting = await client.start(held)
  expect(await waiting.cancel()).toBe(true)
  await expect(waiting.result({ timeoutMs: 5_000 })).rejects.toThrow('cancelled')
  const slow = await client.enqueue('slow', [])
  await new Promise<void>((resolve) => worker.once('jobStarted', () => resolve()))
  const leaseEnd = () => redis.pexpiretime(`${prefix}arq:in-progress:${slow?.jobId}`)
  const claimedUntil = await leaseEnd()
  await eventually(async () => (await leaseEnd()) > claimedUntil)
  expect(await slow?.abort({ timeoutMs: 5_000 })).toBe(true)
  const left = await client.enqueue('slow', [])
  await new Promise<void>((resolve) => worker.once('jobStarted', () => resolve()))
  await worker.stop()
  expect(await left?.status()).toBe('queued')
  await redis.set(`${prefix}arq:in-progress:${left!.jobId}`, 'gone:1:ab/token')
  expect(await client.doctor.repair(lostJob(left!.jobId))).toBe(1)
  expect(await client.queues.purge('arq:queue', { all: true })).toBe(1)
}

describe('every script', () => {
  const bench = useHarness()

  test('touches only the keys it declares', async () => {
    const worker = await bench.worker({ tasks, leaseMs: 1_000, handOff: true })
    const redis = new Redis(bench.database().url)
    await useEverything(bench.client(), worker, redis)
    redis.disconnect()
  })

  test('runs on a Redis Cluster, under a hash-tagged prefix', async () => {
    const server = await RedisServer.start({ args: ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'] })
    const admin = new Redis(server.url)
    try {
      await admin.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
      await vi.waitFor(async () => expect(String(await admin.call('CLUSTER', 'INFO'))).toContain('cluster_state:ok'), {
        timeout: 10_000,
      })
      const { Cluster } = await import('ioredis')
      const cluster = new Cluster([server.url], { lazyConnect: true })
      const options = { redis: cluster, keyPrefix: '{orders}:', logger: silent }
      const client = new Client(options)
      const worker = new Worker({
        ...options,
        tasks,
        leaseMs: 1_000,
        pollDelayMs: 100,
        abortGraceMs: 100,
        handleSignals: false,
      })
      const started = new Promise<void>((resolve) => worker.once('started', () => resolve()))
      void worker.run()
      await started
      await useEverything(client, worker, admin, '{orders}:')
      expect((await admin.keys('*')).filter((key) => !key.startsWith('{orders}:'))).toEqual([])
      await client.close()
      cluster.disconnect()
    } finally {
      admin.disconnect()
      await server.stop()
    }
  })
})
