import { randomBytes } from 'node:crypto'
import { takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { encodeJob } from '@arq-ts/protocol'
import type { Broker, Claim, Finish, Reschedule } from '../../src/redis/broker.ts'
import { RedisContext } from '../../src/redis/context.ts'
import { silent } from './support.ts'

/** Traces of each operation in Redis; a call that is sent again because its reply was lost does no harm. */
describe('the broker', () => {
  let database: Database
  let redis: Redis
  let link: RedisContext
  let broker: Broker

  beforeEach(async () => {
    database = await takeDatabase()
    redis = new Redis(database.url)
    link = new RedisContext({ redis: database.url, keyPrefix: '', expiresExtraMs: 86_400_000, log: silent })
    broker = link.broker
  })
  afterEach(async () => {
    await link.close()
    redis.disconnect()
    await database.release()
  })

  const queueName = 'q'
  const payload = encodeJob({ jobTry: null, functionName: 'f', args: [], kwargs: {}, enqueueTimeMs: 1 }, 'pickle')
  const enqueue = (jobIds: string[]) =>
    broker.enqueue(jobIds.map((jobId) => ({ jobId, queueName, due: { in: 0 }, expiresMs: undefined, payload })))
  const claim = (jobIds: string[], token = 'w/1', leaseMs = 5_000) =>
    broker.claim(queueName, jobIds, { token, leaseMs, honourAborts: true })
  const claimed = async (jobId: string, token?: string, leaseMs?: number): Promise<Claim> => {
    const [taken] = await claim([jobId], token, leaseMs)
    expect(taken).toBeDefined()
    return taken!
  }
  const success = (of: Claim, changes: Partial<Finish> = {}): Finish => ({
    jobId: of.jobId,
    queueName: of.queueName,
    token: of.token,
    jobTry: of.jobTry,
    outcome: 'complete',
    result: Buffer.from('done'),
    resultTtlMs: 60_000,
    keepInProgressMs: 0,
    dead: null,
    ...changes,
  })
  const back = (of: Claim, changes: Partial<Reschedule> = {}): Reschedule => ({
    jobId: of.jobId,
    queueName: of.queueName,
    token: of.token,
    jobTry: of.jobTry,
    due: { in: 0 },
    uncount: false,
    payload,
    ...changes,
  })
  /** As if the reply of the first call had been lost. */
  async function sentAgain<T>(call: () => Promise<T>): Promise<T> {
    const { connection } = broker
    const run = connection.run.bind(connection)
    connection.run = ((operation: (client: Redis, attempt: number) => Promise<unknown>) =>
      run(async (client) => {
        await operation(client, 0)
        return operation(client, 1)
      })) as typeof connection.run
    try {
      return await call()
    } finally {
      connection.run = run
    }
  }

  test('stores what is not ASCII as it is, ids and payloads included', async () => {
    const ids = ['plain', 'größe:ü', '絵文字🎉']
    const bytes = randomBytes(100_000)
    await broker.enqueue(
      ids.map((jobId) => ({ jobId, queueName, due: { in: 0 }, expiresMs: undefined, payload: bytes })),
    )
    expect((await redis.zrange(queueName, '0', '-1')).sort()).toEqual(ids.sort())
    for (const id of ids) expect(await redis.getBuffer(`arq:job:${id}`)).toEqual(bytes)
    const claims = await claim(ids)
    expect(claims.map((each) => each.jobId).sort()).toEqual(ids.sort())
    expect(claims.every((each) => bytes.equals(each.payload!))).toBe(true)
  })

  test('takes a job whose id is not UTF-8 from its queue to its end, byte for byte', async () => {
    const bytes = Buffer.from([0x61, 0xff, 0xe2, 0x82])
    const key = (name: string) => Buffer.concat([Buffer.from(`arq:${name}:`), bytes])
    await redis.zadd(queueName, 1, bytes)
    await redis.set(key('job'), payload)
    const { jobIds } = await broker.reserve(queueName, 5, [])
    expect(jobIds).toEqual(['a\uDCFF\uDCE2\uDC82'])
    const taken = await claimed(jobIds[0]!)
    expect(taken.payload).toEqual(payload)
    expect(await redis.get(key('in-progress'))).toBe('w/1')
    expect(await broker.requestAbort(taken.jobId, queueName)).toBe(true)
    expect([...(await broker.abortRequests([taken.jobId])).keys()]).toEqual([taken.jobId])
    expect(await broker.finish(queueName, [success(taken)])).toEqual([true])
    expect(await redis.getBuffer(key('result'))).toEqual(Buffer.from('done'))
    expect(await redis.zcard(queueName)).toBe(0)
    expect(await redis.exists('arq:abort', key('job'), key('retry'))).toBe(0)
    expect(await redis.get(key('in-progress'))).toBe('ended')
  })

  test('takes jobs that are asked to abort and do not run, due or not, and no others', async () => {
    await enqueue(['due', 'running', 'unasked', 'stale'])
    await broker.enqueue([{ jobId: 'deferred', queueName, due: { in: 3_600_000 }, expiresMs: undefined, payload }])
    await claimed('running')
    const asked = ['due', 'running', 'deferred', 'gone']
    await redis.zadd('arq:abort', ...asked.flatMap((id) => [Date.now(), id]), 1, 'stale')
    const options = { token: 'w/9', leaseMs: 5_000, isAsked: (_: Buffer, askedMs: number) => askedMs > 1 }
    const claims = await broker.claimAborted(queueName, options)
    expect(claims.map((each) => each.jobId).sort()).toEqual(['deferred', 'due'])
    expect(claims.every((each) => payload.equals(each.payload!) && each.jobTry === 1)).toBe(true)
    expect(claims.every((each) => each.abortAskedMs! > 1)).toBe(true)
    const endings = claims.map((each) => success(each, { outcome: 'aborted' }))
    expect(await broker.finish(queueName, endings)).toEqual([true, true])
    expect((await redis.zrange('arq:abort', '0', '-1')).sort()).toEqual(['gone', 'running', 'stale'])
    expect(await broker.claimAborted(queueName, options)).toEqual([])
    await redis.multi().del('arq:abort').set('arq:abort', 'x').exec()
    expect(await broker.claimAborted(queueName, options)).toEqual([])
  })

  describe('the death of a worker', () => {
    const asked = { token: 'w/2', leaseMs: 5_000, isAsked: () => true }
    /** As if the worker had died and its lease had lapsed: its key is gone, and the job is due. */
    const killed = async (jobId: string) => {
      await redis.del(`arq:in-progress:${jobId}`)
      const score = Number(await redis.zscore(queueName, jobId))
      await redis.zadd(queueName, score - 3_600_000, jobId)
    }
    const takers: Record<string, (jobId: string) => Promise<Claim[]>> = {
      'a job that is to run': (jobId) => claim([jobId]),
      'a job whose payload is gone': async (jobId) => {
        await redis.del(`arq:job:${jobId}`)
        return claim([jobId])
      },
      'a job that is asked to abort': async (jobId) => {
        await redis.zadd('arq:abort', Date.now(), jobId)
        return broker.claimAborted(queueName, asked)
      },
    }

    test.each(Object.entries(takers))('is counted by the next claim of %s, and so is the next one', async (_, take) => {
      await enqueue(['j'])
      expect(await take('j')).toMatchObject([{ jobId: 'j', deaths: 0 }])
      for (const deaths of [1, 2]) {
        await killed('j')
        const [taken] = await take('j')
        expect(taken).toMatchObject({ jobId: 'j', deaths, jobTry: deaths + 1 })
        expect(Number.isInteger(taken!.score)).toBe(true)
      }
    })

    test.each(Object.entries(takers))('is not counted by a claim of %s that is sent again', async (_, take) => {
      await enqueue(['j'])
      await take('j')
      await killed('j')
      const again = await sentAgain(() => take('j'))
      expect(again).toMatchObject([{ jobId: 'j', deaths: 1, jobTry: 2 }])
    })

    test('is counted over all kinds of claims', async () => {
      await enqueue(['j'])
      await claim(['j'])
      await killed('j')
      expect(await takers['a job that is asked to abort']!('j')).toMatchObject([{ deaths: 1 }])
      await killed('j')
      expect(await takers['a job whose payload is gone']!('j')).toMatchObject([{ deaths: 2 }])
    })

    test.each(['+inf', '1e300'])('is none where the score of an aborted job was %s', async (score) => {
      await enqueue(['j'])
      await redis.zadd(queueName, score, 'j')
      expect(await takers['a job that is asked to abort']!('j')).toMatchObject([{ jobId: 'j', deaths: 0 }])
      expect(Number(await redis.zscore(queueName, 'j'))).toBeLessThan(Date.now() + 3_600_000)
    })
  })

  test('queues each job of a batch where and when it belongs', async () => {
    const call = (jobId: string, to: string, at: number, expiresMs?: number) => ({
      jobId,
      queueName: to,
      due: { at },
      expiresMs,
      payload,
    })
    const dueMs = Date.now() + 3_600_000
    expect(
      await broker.enqueue([
        call('a', 'q', dueMs),
        call('b', 'other', dueMs),
        call('a', 'q', dueMs + 1),
        call('c', 'q', dueMs, 5_000),
      ]),
    ).toEqual([true, true, false, true])
    expect(await redis.zrange('q', '0', '-1', 'WITHSCORES')).toEqual(['a', String(dueMs), 'c', String(dueMs)])
    expect(await redis.zrange('other', '0', '-1')).toEqual(['b'])
    expect(await redis.pttl('arq:job:a')).toBeGreaterThan(86_400_000)
    expect(await redis.pttl('arq:job:c')).toBeLessThanOrEqual(5_000)
  })

  test('claims, renews and settles batches of thousands', async () => {
    const ids = Array.from({ length: 2_500 }, (_, i) => `job${i}`)
    expect((await enqueue(ids)).every(Boolean)).toBe(true)
    const claims = await claim(ids)
    expect(claims).toHaveLength(2_500)
    expect(claims.every((each) => payload.equals(each.payload!) && each.jobTry === 1)).toBe(true)
    expect(
      (
        await broker.finish(
          queueName,
          claims.map((each) => success(each)),
        )
      ).every(Boolean),
    ).toBe(true)
    expect(await redis.zcard(queueName)).toBe(0)
    expect((await redis.keys('*')).filter((key) => !key.startsWith('arq:result:'))).toEqual(['arq:stats:q'])
    expect(await redis.hgetall('arq:stats:q')).toEqual({ complete: '2500' })
  })

  test('settles the jobs of one batch each in its own way', async () => {
    await enqueue(['kept', 'forever', 'forgotten', 'cron', 'dead', 'lost'])
    const [kept, forever, forgotten, cron, dead, lost] = await claim([
      'kept',
      'forever',
      'forgotten',
      'cron',
      'dead',
      'lost',
    ])
    await redis.set('arq:in-progress:lost', 'somebody/else')
    const letter = { ttlMs: 60_000, payload, functionName: 'f', error: 'Error: bad' }
    expect(
      await broker.finish(queueName, [
        success(kept!),
        success(forever!, { resultTtlMs: 0 }),
        success(forgotten!, { result: null }),
        success(lost!, { dead: letter, outcome: 'failed' }),
        success(cron!, { result: null, keepInProgressMs: 60_000 }),
        success(dead!, { dead: letter, outcome: 'failed' }),
      ]),
    ).toEqual([true, true, true, false, true, true])
    expect(await redis.pttl('arq:result:kept')).toBeGreaterThan(0)
    expect(await redis.pttl('arq:result:forever')).toBe(-1)
    expect(await redis.exists('arq:result:forgotten', 'arq:result:lost', 'arq:in-progress:kept')).toBe(0)
    expect(await redis.pttl('arq:in-progress:cron')).toBeGreaterThan(0)
    expect(await redis.zrange('arq:dead', '0', '-1')).toEqual(['dead'])
    expect(await redis.hmget('arq:dead:dead', 'function', 'error', 'queue', 'try')).toEqual([
      'f',
      'Error: bad',
      'q',
      '1',
    ])
    expect(await redis.zrange(queueName, '0', '-1')).toEqual(['lost'])
    expect(await redis.hgetall('arq:stats:q')).toEqual({ complete: '4', failed: '1' })
  })

  describe('does no harm when a call is sent again', () => {
    test('enqueue: the stored job is its own', async () => {
      expect(await sentAgain(() => enqueue(['a', 'b']))).toEqual([true, true])
      expect(await redis.zcard(queueName)).toBe(2)
    })

    test('enqueue of ids that were drawn for it: a job that has ended meanwhile does not come back', async () => {
      const payload = Buffer.from('x')
      const call = { jobId: 'a', isFreshId: true, queueName, due: { in: 0 }, expiresMs: undefined, payload }
      const { connection } = broker
      const run = connection.run.bind(connection)
      connection.run = ((operation: (client: Redis, attempt: number) => Promise<unknown>) =>
        run(async (client) => {
          await operation(client, 0)
          connection.run = run
          expect(await broker.finish(queueName, [success(await claimed('a'))])).toEqual([true])
          return operation(client, 1)
        })) as typeof connection.run
      expect(await broker.enqueue([call])).toEqual([true])
      expect(await redis.zcard(queueName)).toBe(0)
      expect(await redis.exists('arq:job:a')).toBe(0)
    })

    test('claim: one try is counted, and an abort request is still seen', async () => {
      await enqueue(['a'])
      await redis.zadd('arq:abort', 1_234, 'a')
      const [taken] = await sentAgain(() => claim(['a']))
      expect(taken).toMatchObject({ jobTry: 1, abortAskedMs: 1_234 })
      expect(await redis.get('arq:retry:a')).toBe('1')
    })

    test('finish: with a result, without one, and of a cron job, which is counted once', async () => {
      await enqueue(['a', 'b', 'c'])
      const [a, b, c] = await claim(['a', 'b', 'c'])
      const endings = [
        success(a!),
        success(b!, { result: null }),
        success(c!, { result: null, keepInProgressMs: 60_000 }),
      ]
      expect(await sentAgain(() => broker.finish(queueName, endings))).toEqual([true, true, true])
      expect(await redis.hgetall('arq:stats:q')).toEqual({ complete: '3' })
    })

    test('reschedule: a retry, and a hand-back that counts as no try', async () => {
      await enqueue(['a', 'b'])
      const [a, b] = await claim(['a', 'b'])
      expect(await sentAgain(() => broker.reschedule([back(a!), back(b!, { uncount: true })]))).toEqual([true, true])
      expect(await redis.mget('arq:retry:a', 'arq:retry:b')).toEqual(['1', null])
      expect(await claimed('b')).toMatchObject({ jobTry: 1 })
    })
  })

  test('is refused where another worker has the job', async () => {
    await enqueue(['a'])
    const first = await claimed('a', 'w/1', 1)
    await expect.poll(() => redis.exists('arq:in-progress:a')).toBe(0)
    const second = await claimed('a', 'w/2')
    expect(second.jobTry).toBe(2)
    expect(await broker.finish(queueName, [success(first)])).toEqual([false])
    expect(await broker.reschedule([back(first)])).toEqual([false])
    expect(await broker.renew([{ ...first, leaseMs: 1_000 }])).toEqual([false])
    expect(await redis.get('arq:in-progress:a')).toBe('w/2')
  })

  test('takes a lapsed lease up again, but not a job that was given back for later', async () => {
    await enqueue(['a', 'b'])
    const [a, b] = await claim(['a', 'b'], 'w/1', 1)
    await expect.poll(() => redis.exists('arq:in-progress:a', 'arq:in-progress:b')).toBe(0)
    expect(await broker.reschedule([back(b!, { due: { in: 3_600_000 } })])).toEqual([true])
    const late = { leaseMs: 5_000 }
    expect(
      await broker.renew([
        { ...a!, ...late },
        { ...b!, ...late },
      ]),
    ).toEqual([true, false])
    expect(await redis.exists('arq:in-progress:b')).toBe(0)
    expect(Number(await redis.zscore(queueName, 'b'))).toBeGreaterThan(Date.now() + 3_000_000)
  })

  test('remembers the tries of a job however far away its retry is', async () => {
    await enqueue(['a'])
    const days = 3 * 86_400_000
    await broker.reschedule([back(await claimed('a'), { due: { in: days } })])
    expect(await redis.pttl('arq:retry:a')).toBeGreaterThan(days)
    expect(await redis.pttl('arq:job:a')).toBeGreaterThan(days)
  })

  test('works for a user who may not publish', async () => {
    await redis.call(
      'ACL',
      'SETUSER',
      `nopub${database.url.split('/').at(-1)}`,
      'on',
      '>secret',
      '~*',
      '+@all',
      'resetchannels',
    )
    const { host } = new URL(database.url)
    const user = `nopub${database.url.split('/').at(-1)}`
    const limited = new RedisContext({
      redis: `redis://${user}:secret@${host}/${database.url.split('/').at(-1)}`,
      keyPrefix: '',
      expiresExtraMs: 86_400_000,
      log: silent,
    })
    const call = { jobId: 'a', queueName, due: { in: 0 }, expiresMs: undefined, payload }
    expect(await limited.broker.enqueue([call])).toEqual([true])
    const [taken] = await limited.broker.claim(queueName, ['a'], { token: 't', leaseMs: 5_000, honourAborts: true })
    expect(await limited.broker.finish(queueName, [success(taken!)])).toEqual([true])
    await limited.close()
    await redis.call('ACL', 'DELUSER', user)
  })
})
