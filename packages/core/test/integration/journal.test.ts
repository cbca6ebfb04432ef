import { eventually } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { defineTask, Retry } from '../../src/index.ts'
import { CallPacker } from '../../src/recorder/call-packer.ts'
import { Journal } from '../../src/recorder/journal.ts'
import { RedisContext } from '../../src/redis/context.ts'
import { next, silent, useHarness } from './support.ts'

const bench = useHarness()
let redis: Redis
let link: RedisContext

beforeEach(() => {
  redis = new Redis(bench.database().url)
  link = new RedisContext({ redis: bench.database().url, keyPrefix: '', expiresExtraMs: 86_400_000, log: silent })
})
afterEach(async () => {
  await link.close()
  redis.disconnect()
})

const tasks = [
  defineTask({
    name: 'resize',
    params: z.object({ path: z.string(), width: z.number().int().default(800) }),
    handler: (_ctx, { width }) => width,
    maxTries: 4,
  }),
  defineTask({
    name: 'charge',
    handler: (ctx, user: number) => {
      if (ctx.jobTry < 3) throw new Retry({ deferMs: 1 })
      throw new RangeError(`user ${user} has no card`)
    },
  }),
]

async function send(journal: Journal, workerId: string): Promise<void> {
  let number = Number(await redis.get(`arq:obs:flush:${workerId}`))
  for (const call of journal.collect()) {
    expect(call.keys.length + 1).toBeLessThanOrEqual(12)
    await link.recordings.write(workerId, ++number, call)
  }
}

describe('a worker records of single jobs', () => {
  test('their tries, errors and events, and a sample of those that went well', async () => {
    const client = bench.client()
    const worker = await bench.worker({ tasks })
    const jobs = await Promise.all([7, 8].map((user) => client.enqueue('charge', [user])))
    await Promise.all(jobs.map((job) => job!.result({ timeoutMs: 10_000 }).catch(() => {})))
    const ended = next(worker, 'jobFinished')
    const good = (await client.enqueue('resize', [], { kwargs: { path: 'a' } }))!
    await good.result({ timeoutMs: 10_000 })
    await ended
    await worker.stop()

    const tries = await client.history.tries(jobs[0]!.jobId)
    expect(tries.map(({ kind, jobTry }) => [kind, jobTry])).toEqual([
      ['retried', 1],
      ['retried', 2],
      ['failed', 3],
    ])
    expect(tries[2]).toMatchObject({ error: 'RangeError: user 7 has no card', workerId: worker.id })
    expect(await client.history.tries(good.jobId)).toEqual([])

    const [group] = (await client.history.errors()).filter(({ type }) => type === 'RangeError')
    expect(group).toMatchObject({
      message: 'user <n> has no card',
      count: 2,
      state: 'open',
      functions: ['charge'],
      queues: ['arq:queue'],
    })
    expect(group!.stack).toContain('journal.test.ts')
    expect(tries[2]!.fingerprint).toBe(group!.fingerprint)
    expect(await client.history.error(group!.fingerprint)).toEqual(group)

    const recent = await client.history.recent()
    expect(
      recent
        .filter(({ outcome }) => outcome === 'failed')
        .map(({ jobId }) => jobId)
        .sort(),
    ).toEqual(jobs.map((job) => job!.jobId).sort())
    expect(recent.filter(({ outcome }) => outcome === 'complete')).toMatchObject([
      { jobId: good.jobId, functionName: 'resize' },
    ])

    const kinds = (await client.history.events()).map(({ kind }) => kind)
    expect(kinds.filter((kind) => kind === 'retried')).toHaveLength(4)
    expect(kinds.filter((kind) => kind === 'failed')).toHaveLength(2)
    expect(kinds.filter((kind) => kind.startsWith('worker'))).toEqual(['worker-stopped', 'worker-started'])
  })

  test('the definitions of its functions', async () => {
    const client = bench.client()
    const worker = await bench.worker({ tasks, recorder: { intervalMs: 100 } })
    const definition = async () => (await client.history.functions()).find(({ name }) => name === 'resize')?.definition
    await eventually(async () => Boolean(await definition()))
    expect(await definition()).toMatchObject({
      isCron: false,
      maxTries: 4,
      timeoutMs: 300_000,
      params: { properties: { path: { type: 'string' }, width: { default: 800 } }, required: ['path'] },
    })
    await worker.stop()
  })
})

describe('the journal', () => {
  const job = (i: number) => ({ jobId: `j${i}`, functionName: 'f', queueName: 'q', jobTry: 1 })

  test('opens a resolved error again when it comes back, and leaves a muted one muted', async () => {
    const { history } = bench.client()
    const journal = new Journal({ keys: link.keys, workerId: 'w', language: 'typescript' })
    const fail = async () => {
      journal.failed(job(1), 1_000, undefined, new Error('a'))
      await send(journal, 'w')
      return (await history.errors())[0]!
    }
    const { fingerprint } = await fail()
    expect(await history.setErrorState(fingerprint, 'muted')).toBe(true)
    expect(await fail()).toMatchObject({ state: 'muted', count: 2 })
    await history.setErrorState(fingerprint, 'resolved')
    expect(await fail()).toMatchObject({ state: 'open', count: 3 })
    expect(await history.setErrorState('none', 'muted')).toBe(false)
    await expect(history.setErrorState(fingerprint, 'gone' as 'open')).rejects.toMatchObject({ code: 'ARQ_ARGUMENTS' })
  })

  test('keeps 500 fingerprints, and forgets the one that was seen longest ago', async () => {
    const { history } = bench.client()
    const journal = new Journal({ keys: link.keys, workerId: 'w', language: 'typescript' })
    const word = (i: number) => String.fromCharCode(97 + (i % 26), 97 + (Math.floor(i / 26) % 26))
    for (let i = 0; i < 502; i++) {
      journal.failed(job(1), 1_000 + i, undefined, new Error(word(i)))
      if (i === 499) await send(journal, 'w')
    }
    await send(journal, 'w')
    const errors = await history.errors()
    expect(errors).toHaveLength(500)
    expect(errors.map(({ sample }) => sample)).not.toContain(word(0))
    expect(errors[0]!.sample).toBe(word(501))
    expect(await redis.keys('arq:obs:fp:*')).toHaveLength(500)
  })

  test('keeps the last entries of a job, and the jobs that came last', async () => {
    let number = 0
    const record = async (id: string, value: string) => {
      const packer = new CallPacker()
      packer.add([`arq:obs:tries:${id}`, 'arq:obs:tried'], (list, index) => {
        return ['try', list!, index!, 3, 20, 60_000, id, value]
      })
      for (const call of packer.calls) await link.recordings.write('w', ++number, call)
    }
    for (let i = 0; i < 25; i++) await record('j', String(i))
    expect(await redis.lrange('arq:obs:tries:j', 0, 0)).toEqual(['5'])
    expect(await redis.llen('arq:obs:tries:j')).toBe(20)
    for (const id of ['k', 'l', 'm']) await record(id, '{}')
    const keys = await redis.keys('arq:obs:tries:*')
    expect(keys.sort()).toEqual(['arq:obs:tries:k', 'arq:obs:tries:l', 'arq:obs:tries:m'])
  })

  test('takes no more than 26 MiB in all without the series, with five failing tries of each job', async () => {
    const journal = new Journal({ keys: link.keys, workerId: 'host:1:00000000', language: 'typescript' })
    const letters = (i: number) => String(i).replace(/\d/g, (digit) => String.fromCharCode(97 + Number(digit)))
    for (let jobTry = 1; jobTry <= 5; jobTry++) {
      for (let i = 0; i < 100; i++) {
        const jobId = letters(i).padEnd(32, 'x')
        const about = { jobId, functionName: 'resize_image', queueName: 'arq:queue', jobTry }
        const run = { startedMs: 1_795_000_000_000, finishedMs: 1_795_000_001_000, waitMs: 10 }
        const error = new Error(`${letters(i % 20)} ${'y'.repeat(900)}`)
        error.stack = 'at somewhere\n'.repeat(400)
        if (jobTry < 5) journal.retried(about, run, error, 1_000)
        else journal.failed(about, 1_795_000_001_000, run, error)
      }
      await send(journal, 'w')
    }
    const bytesOf = async (pattern: string) => {
      let bytes = 0
      for (const key of await redis.keys(pattern)) bytes += Number(await redis.memory('USAGE', key, 'SAMPLES', 0))
      return bytes
    }
    const counts = { events: await redis.xlen('arq:obs:events'), recent: await redis.xlen('arq:obs:recent') }
    expect(counts).toEqual({ events: 500, recent: 50 })
    const bytes =
      (await bytesOf('arq:obs:events')) * (10_000 / counts.events) +
      (await bytesOf('arq:obs:recent')) * (500 / counts.recent) +
      (await bytesOf('arq:obs:tri*')) * (10_000 / 100) +
      (await bytesOf('arq:obs:fp:*')) * (500 / 20)
    console.log(`without the series: ${(bytes / 2 ** 20).toFixed(1)} MiB`)
    expect(bytes / 2 ** 20).toBeLessThan(26)
  })

  test('writes a bounded part of a storm, and says how much is missing', async () => {
    const { history } = bench.client()
    const journal = new Journal({ keys: link.keys, workerId: 'w', language: 'typescript' })
    for (let i = 0; i < 2_000; i++) journal.failed(job(i), 1_000, undefined, new Error(`row ${i}`))
    await send(journal, 'w')
    const events = await history.events({ limit: 1_000 })
    expect(events).toHaveLength(100)
    expect(events[0]!.more).toBe(1_900)
    expect((await history.errors())[0]!.count).toBe(2_000)
    expect((await history.recent({ limit: 1_000 })).length).toBeLessThanOrEqual(50)
  })
})

describe('the history', () => {
  test('pages events from either end', async () => {
    const { history } = bench.client()
    for (let i = 0; i < 5; i++) {
      await link.recordings.append('arq:obs:events', JSON.stringify({ kind: 'paused', atMs: i, queueName: 'q' }), 100)
    }
    const newest = await history.events({ limit: 2 })
    expect(newest.map(({ atMs }) => atMs)).toEqual([4, 3])
    expect((await history.events({ before: newest[1]!.id, limit: 2 })).map(({ atMs }) => atMs)).toEqual([2, 1])
    const [, , , , first] = await history.events()
    expect((await history.events({ after: first!.id })).map(({ atMs }) => atMs)).toEqual([1, 2, 3, 4])
  })

  test('notes a pause and its end', async () => {
    const { history, queues } = bench.client()
    await queues.pause('q')
    await queues.pause('q')
    await queues.resume('q')
    expect((await history.events()).map(({ kind, queueName }) => [kind, queueName])).toEqual([
      ['resumed', 'q'],
      ['paused', 'q'],
    ])
  })

  test('writes an audit entry before the act, and rejects where it cannot', async () => {
    const { history } = bench.client()
    await history.writeAudit({ actor: 'ann', action: 'job.remove', resource: 'j1', detail: { force: true } })
    expect(await history.audit()).toMatchObject([
      { actor: 'ann', action: 'job.remove', resource: 'j1', detail: { force: true } },
    ])
    await redis.set('arq:obs:audit', 'x')
    await expect(history.writeAudit({ actor: 'a', action: 'b', resource: 'c' })).rejects.toMatchObject({
      code: 'ARQ_REDIS_REPLY',
    })
  })

  test('leaves out entries that are no such thing', async () => {
    const { history } = bench.client()
    for (const value of ['x', '1', '[]', '{"kind":1,"atMs":2}', 'null']) {
      await link.recordings.append('arq:obs:events', value, 100)
    }
    await redis.xadd('arq:obs:events', '*', 'other', 'x')
    expect(await history.events()).toEqual([])
    await redis.hset('arq:obs:errors', 'gone', '1')
    expect(await history.errors()).toEqual([])
  })
})
