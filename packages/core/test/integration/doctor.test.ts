import { eventually, RedisServer } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { defineTask } from '../../src/index.ts'
import type { Client, Finding } from '../../src/index.ts'
import { diagnose } from '../../src/queues/diagnose.ts'
import { next, useHarness } from './support.ts'

const bench = useHarness()
const queueName = 'sick'
const tasks = [
  defineTask({ name: 'echo', handler: (_ctx, value: unknown) => value }),
  defineTask({
    name: 'until_aborted',
    handler: (ctx) => new Promise((_, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason))),
  }),
]
let client: Client
let redis: Redis

beforeEach(() => {
  client = bench.client({ queueName })
  redis = new Redis(bench.database().url)
})
afterEach(() => redis.disconnect())

/** Findings about the queue and its jobs; the server is what it is. */
async function found(): Promise<Finding[]> {
  const { findings } = await client.doctor.examine()
  return findings.filter(
    (finding) => !['eviction-policy', 'persistence', 'clock', 'replication'].includes(finding.check),
  )
}

describe('a healthy fleet', () => {
  test('has no findings, whatever its jobs do', async () => {
    const worker = await bench.worker({ tasks, queueName })
    const started = next(worker, 'jobStarted')
    await client.enqueue('until_aborted')
    await started
    await client.enqueue('echo', [1], { deferByMs: 60_000 })
    expect(await found()).toEqual([])
  })
})

describe('is found and repaired:', () => {
  async function repaired(check: Finding['check']): Promise<number> {
    const finding = (await found()).find((each) => each.check === check)!
    expect(finding?.repair).not.toBeNull()
    const count = await client.doctor.repair(finding)
    expect((await found()).map((each) => each.check)).not.toContain(check)
    return count
  }

  test('a job held by an arq-ts worker that is gone', async () => {
    await bench.worker({ tasks, queueName: 'another' })
    await client.enqueue('echo', [1], { jobId: 'held', deferByMs: 30_000 })
    await redis.set('arq:in-progress:held', 'gone:1:abcd/token', 'PX', 30_000)
    expect(await repaired('lost-in-progress')).toBe(1)
    const worker = await bench.worker({ tasks, queueName })
    expect(await client.job('held').result({ timeoutMs: 5_000 })).toBe(1)
    await worker.stop()
  })

  test('a job held for ever by an arq-ts worker, where none reports that it lives', async () => {
    await client.enqueue('echo', [1], { jobId: 'held' })
    await redis.set('arq:in-progress:held', 'gone:1:abcd/token')
    expect(await repaired('lost-in-progress')).toBe(1)
  })

  test('no job that a live worker has claimed since', async () => {
    await client.enqueue('until_aborted', [], { jobId: 'held' })
    await redis.set('arq:in-progress:held', 'gone:1:abcd/token')
    const [finding] = await found()
    expect(finding).toMatchObject({ check: 'lost-in-progress', jobIds: ['held'] })
    await redis.del('arq:in-progress:held')
    const worker = await bench.worker({ tasks, queueName })
    await next(worker, 'jobStarted')
    expect(await client.doctor.repair(finding!)).toBe(0)
    expect(await client.job('held').status()).toBe('in_progress')
  })

  test('a queue member without a payload', async () => {
    await redis.zadd(queueName, 1, 'evicted')
    expect(await repaired('missing-payload')).toBe(1)
    expect(await redis.zcard(queueName)).toBe(0)
  })

  test('a payload that no codec reads: it is kept as a dead letter, byte by byte', async () => {
    await redis.zadd(queueName, 1, 'garbled')
    await redis.set('arq:job:garbled', Buffer.from([0x80, 0x04, 0xff]))
    expect(await repaired('unreadable-payload')).toBe(1)
    expect(await client.deadLetters.get('garbled')).toMatchObject({
      queueName,
      functionName: '<unknown>',
      job: null,
    })
    expect(await redis.hgetBuffer('arq:dead:garbled', 'payload')).toEqual(Buffer.from([0x80, 0x04, 0xff]))
  })

  test('an abort request for a job that is nowhere', async () => {
    await redis.zadd('arq:abort', 1, 'nobody')
    expect(await repaired('stale-abort')).toBe(1)
  })
})

describe('is left alone:', () => {
  const lost = (jobId: string): Finding => {
    const about = { queueName, message: '', repair: '', jobIds: [jobId], count: 1, damaged: [] }
    return { check: 'lost-in-progress', severity: 'error', ...about }
  }

  test('a job that Python runs next to an arq-ts worker, whose health line has replaced its own', async () => {
    await client.enqueue('echo', [1], { jobId: 'theirs' })
    await redis.set('arq:in-progress:theirs', '1', 'PX', 310_000)
    await bench.worker({ tasks, queueName })
    expect((await client.queues.stats(queueName)).python).toBeNull()
    expect(await found()).toEqual([])
    expect(await client.doctor.repair(lost('theirs'))).toBe(0)
    expect(await redis.get('arq:in-progress:theirs')).toBe('1')
  })

  test('a function that only Python has, while Python runs a job of the queue', async () => {
    await client.enqueue('echo', [1], { jobId: 'theirs' })
    await redis.set('arq:in-progress:theirs', '1', 'PX', 310_000)
    await bench.worker({ tasks, queueName, unknownFunction: 'release' })
    await client.enqueue('pythons_own', [], { deferByMs: 60_000 })
    expect(await found()).toEqual([])
  })

  test('a job that runs, where the registry of workers was lost', async () => {
    const worker = await bench.worker({ tasks, queueName })
    const started = next(worker, 'jobStarted')
    await client.enqueue('until_aborted', [], { jobId: 'ours' })
    await started
    await redis.del('arq:workers') // the worker's next entry is up to two seconds away
    expect(await found()).toEqual([])
    expect(await client.doctor.repair(lost('ours'))).toBe(0)
    expect(await client.job('ours').status()).toBe('in_progress')
  })

  test('a job that runs, asked for on a machine whose clock is a minute ahead', async () => {
    const worker = await bench.worker({ tasks, queueName })
    const started = next(worker, 'jobStarted')
    await client.enqueue('until_aborted', [], { jobId: 'ours' })
    await started
    const real = Date.now.bind(Date)
    vi.spyOn(Date, 'now').mockImplementation(() => real() + 60_000)
    try {
      client = bench.client({ queueName })
      expect(await found()).toEqual([])
      client = bench.client({ queueName })
      expect(await client.doctor.repair(lost('ours'))).toBe(0)
      expect(await client.job('ours').status()).toBe('in_progress')
    } finally {
      vi.restoreAllMocks()
    }
  })
})

describe('is found, and left to a person:', () => {
  test('a function that no live worker has', async () => {
    await bench.worker({ tasks, queueName, unknownFunction: 'release' })
    await client.enqueue('nobody_has_it', [], { deferByMs: 60_000 })
    expect(await found()).toMatchObject([
      {
        check: 'unknown-function',
        severity: 'warning',
        message: expect.stringContaining('"nobody_has_it"') as string,
        repair: null,
      },
    ])
  })

  test('no function that a live Python worker may have', async () => {
    await bench.worker({ tasks, queueName })
    await redis.set(
      `${queueName}:health-check`,
      'Nov-24 12:00:00 j_complete=5 j_failed=2 j_retried=0 j_ongoing=1 queued=3',
    )
    await client.enqueue('nobody_has_it', [], { deferByMs: 60_000 })
    expect(await found()).toEqual([])
  })

  test('a limit that Python workers of the queue, or arq-ts workers without it, do not keep', async () => {
    const limits = [{ name: 'api', concurrency: 1 }]
    const handler = () => null
    await bench.worker({ tasks: [defineTask({ name: 'call_api', handler, limits })], queueName })
    expect(await found()).toEqual([])
    const other = await bench.worker({ tasks: [defineTask({ name: 'call_api', handler })], queueName })
    const [finding] = await found()
    expect(finding).toMatchObject({ check: 'soft-limit', queueName, repair: null })
    expect(finding!.message).toMatch(/"call_api" are advisory here: some arq-ts workers/)
    await other.stop()
    const line = 'Nov-28 12:00:00 j_complete=0 j_failed=0 j_retried=0 j_ongoing=0 queued=0'
    await redis.set(`${queueName}:health-check`, line, 'PX', 3_600_000)
    expect(await found()).toMatchObject([
      { check: 'soft-limit', message: expect.stringContaining('Python workers') as string },
    ])
  })

  test('a paused queue', async () => {
    await client.queues.pause(queueName)
    expect(await found()).toMatchObject([{ check: 'paused', queueName }])
  })

  test('jobs that are due, and nobody works', async () => {
    await client.enqueue('echo', [1])
    const [id] = await redis.zrange(queueName, 0, '0')
    await redis.zadd(queueName, Date.now() - 120_000, id!)
    expect(await found()).toMatchObject([{ check: 'no-workers', severity: 'error' }])
  })
})

test('the server is judged by what it says of itself', () => {
  const observed = { workers: [], queues: [], staleAborts: [], nowMs: 0 }
  const judged = (server: Parameters<typeof diagnose>[0]['server']) =>
    diagnose({ ...observed, server }).map((finding) => `${finding.severity} ${finding.check}`)
  expect(judged({ evictionPolicy: 'noeviction', persists: true, clockOffsetMs: 1_000 })).toEqual([])
  // Where the user may not ask, nobody may say that all is well.
  expect(judged({ evictionPolicy: undefined, persists: undefined, clockOffsetMs: 0 })).toEqual([
    'warning eviction-policy',
  ])
  expect(judged({ evictionPolicy: 'allkeys-lru', persists: false, clockOffsetMs: -600_000 })).toEqual([
    'error eviction-policy',
    'warning persistence',
    'warning clock',
  ])
  const safe = { evictionPolicy: 'noeviction', persists: true, appendOnly: true, clockOffsetMs: 0 }
  const primary = { role: 'primary', replicas: 2, minReplicasToWrite: 1 } as const
  expect(judged({ ...safe, replication: primary })).toEqual([])
  expect(judged({ ...safe, appendOnly: false })).toEqual(['warning persistence'])
  expect(judged({ ...safe, replication: { ...primary, minReplicasToWrite: 0 } })).toEqual(['warning replication'])
  expect(judged({ ...safe, replication: { ...primary, minReplicasToWrite: undefined } })).toEqual([
    'warning replication',
  ])
  expect(judged({ ...safe, replication: { ...primary, role: 'replica' } })).toEqual(['error replication'])
  const inMemory = { ...safe, persists: false, appendOnly: false, replication: primary }
  expect(judged(inMemory)).toEqual(['warning persistence', 'error replication'])
})

test('a server whose failover loses acknowledged jobs is named, by the settings and replicas that it has', async () => {
  const primary = await RedisServer.start({ persistent: true })
  const replica = await RedisServer.start({ args: ['--replicaof', '127.0.0.1', String(primary.port)] })
  const judge = new Redis(primary.url)
  const checks = async (url: string) => {
    const { findings } = await bench.client({ redis: url }).doctor.examine()
    return findings.filter(({ check }) => check === 'replication').map(({ message }) => message)
  }
  try {
    await eventually(async () => (await judge.info('replication')).includes('connected_slaves:1'))
    expect(await checks(primary.url)).toEqual([expect.stringContaining('min-replicas-to-write 0')])
    await judge.config('SET', 'min-replicas-to-write', '1')
    expect(await checks(primary.url)).toEqual([])
    expect(await checks(replica.url)).toEqual([expect.stringContaining('is a replica')])
  } finally {
    judge.disconnect()
    await replica.stop()
    await primary.stop()
  }
})
