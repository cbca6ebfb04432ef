import { eventually } from '@arq-ts/test-support'
import { describe, expect, test } from 'vitest'
import type { Claim } from '../../src/redis/broker.ts'
import { payload, useBroker } from './broker-harness.ts'

/** A bad job in a batch: what becomes of it, and that its neighbours never notice. */
describe('one faulty job of a batch', () => {
  const on = useBroker()
  const ids = ['first', 'bad', 'last']
  const healthy = ['first', 'last']
  const names = (claims: readonly Claim[]) => claims.map((claim) => claim.jobId)

  const faults: [what: string, key: string, make: () => Promise<unknown>][] = [
    ['an in-progress key of a wrong type', 'arq:in-progress:bad', () => on.redis.hset('arq:in-progress:bad', 'a', 'b')],
    [
      'a payload of a wrong type',
      'arq:job:bad',
      () => on.redis.multi().del('arq:job:bad').lpush('arq:job:bad', 'x').exec(),
    ],
    ['a try counter of a wrong type', 'arq:retry:bad', () => on.redis.sadd('arq:retry:bad', 'x')],
    ['a try counter that is no number', 'arq:retry:bad', () => on.redis.set('arq:retry:bad', 'abc')],
    ['a try counter past all numbers', 'arq:retry:bad', () => on.redis.set('arq:retry:bad', '9223372036854775807')],
    ['a score that is not finite', 'q', () => on.redis.zadd('q', '-inf', 'bad')],
  ]

  test.each(faults)('is left out of a claim for %s, and reported once', async (_what, key, make) => {
    await on.enqueue(ids)
    await make()
    const { jobIds } = await on.broker.reserve('q', 10, [])
    expect([...jobIds].sort()).toEqual([...ids].sort())
    expect(names(await on.claim(ids))).toEqual(healthy)
    expect(on.faults).toEqual([{ queueName: 'q', jobId: 'bad', key, reason: expect.any(String) }])
    // Nothing of the bad job has changed, and those that run have one try each.
    expect(await on.redis.type('arq:in-progress:bad')).toBe(key === 'arq:in-progress:bad' ? 'hash' : 'none')
    expect(await on.redis.mget('arq:retry:first', 'arq:retry:last')).toEqual(['1', '1'])
    if (key !== 'arq:retry:bad') expect(await on.redis.exists('arq:retry:bad')).toBe(0)
    await on.claim(['bad'])
    expect(on.faults).toHaveLength(1)
    expect([...on.broker.faults.counts.values()].filter((count) => count > 0)).toEqual([2])
  })

  test('is tried again alone after a pause that grows, and runs once it is repaired', async () => {
    await on.enqueue(ids)
    await on.redis.set('arq:retry:bad', 'abc')
    const pauses: number[] = []
    for (let i = 0; i < 8; i++) {
      await on.claim(['bad'])
      pauses.push(Number(await on.redis.zscore('q:reserved', 'bad')) - Date.now())
    }
    expect(pauses[0]).toBeLessThan(2_000)
    expect(pauses[3]).toBeGreaterThan(2 * pauses[1]!)
    expect(pauses[7]).toBeLessThanOrEqual(60_500)
    expect((await on.broker.reserve('q', 10, [])).jobIds).toEqual(healthy)
    await on.redis.del('arq:retry:bad', 'q:reserved')
    expect((await on.broker.reserve('q', 10, [])).jobIds).toContain('bad')
    expect(names(await on.claim(['bad']))).toEqual(['bad'])
  })

  test.each(['arq:abort', 'arq:paused', 'q:reserved'])('is none where %s is of a wrong type', async (key) => {
    await on.enqueue(ids)
    await on.redis.set(key, 'x')
    expect((await on.broker.reserve('q', 10, [])).jobIds.sort()).toEqual([...ids].sort())
    expect(names(await on.claim(ids))).toEqual(ids)
    expect(await on.broker.abortRequests(ids)).toEqual(new Map())
    if (key !== 'q:reserved') expect(on.faults.map((fault) => fault.key)).toEqual([key])
  })

  test.each(['in-progress', 'job', 'retry'])('is settled although its %s key became another type', async (kind) => {
    await on.enqueue(ids)
    const claims = await on.claim(ids)
    await on.redis.del(`arq:${kind}:bad`)
    await on.redis.hset(`arq:${kind}:bad`, 'a', 'b')
    expect(await on.broker.renew(claims.map((claim) => ({ ...claim, leaseMs: 9_000 })))).toEqual([true, true, true])
    expect(
      await on.broker.finish(
        'q',
        claims.map((claim) => on.success(claim)),
      ),
    ).toEqual([true, true, true])
    expect(await on.redis.zcard('q')).toBe(0)
    expect((await on.redis.keys('*')).sort()).toEqual([...ids.map((id) => `arq:result:${id}`), 'arq:stats:q'].sort())
  })

  test('goes back to the queue although its try counter became another type', async () => {
    await on.enqueue(ids)
    const claims = await on.claim(ids)
    await on.redis.set('arq:retry:bad', 'abc')
    const back = claims.map((claim) => on.back(claim, { uncount: true }))
    expect(await on.broker.reschedule(back)).toEqual([true, true, true])
    expect(await on.redis.exists(...ids.map((id) => `arq:in-progress:${id}`))).toBe(0)
    expect(names(await on.claim(ids))).toEqual(healthy)
    expect(new Set(on.faults.map((fault) => fault.key))).toEqual(new Set(['arq:retry:bad']))
  })

  test('loses its end, and nobody else theirs, where its result key became another type', async () => {
    await on.enqueue(ids)
    const claims = await on.claim(ids)
    await on.redis.lpush('arq:result:bad', 'x')
    expect(
      await on.broker.finish(
        'q',
        claims.map((claim) => on.success(claim)),
      ),
    ).toEqual([true, false, true])
    expect(on.faults).toMatchObject([{ jobId: 'bad', key: 'arq:result:bad' }])
    expect(await on.redis.zcard('q')).toBe(0)
    expect(await on.redis.lrange('arq:result:bad', 0, -1)).toEqual(['x'])
    expect(await on.redis.hgetall('arq:stats:q')).toEqual({ complete: '2' })
  })

  test('has its dead letter, as the others have theirs, whatever stands in its place', async () => {
    await on.enqueue(ids)
    const claims = await on.claim(ids)
    await on.redis.set('arq:dead:bad', 'x')
    const dead = { ttlMs: 60_000, payload, functionName: 'f', error: 'Error: no' }
    const endings = claims.map((claim) => on.success(claim, { outcome: 'failed', dead }))
    expect(await on.broker.finish('q', endings)).toEqual([true, true, true])
    for (const id of ids) expect(await on.redis.hget(`arq:dead:${id}`, 'function')).toBe('f')
    expect((await on.redis.zrange('arq:dead', '0', '-1')).sort()).toEqual([...ids].sort())
    expect(on.faults).toMatchObject([{ jobId: 'bad', key: 'arq:dead:bad' }])
  })

  test.each(['arq:dead', 'arq:stats:q', 'arq:abort', 'q'])(
    'is settled with the others where %s is of a wrong type',
    async (key) => {
      await on.enqueue(ids)
      const claims = await on.claim(ids)
      await on.redis.del(key)
      await on.redis.set(key, 'x')
      const dead = { ttlMs: 60_000, payload, functionName: 'f', error: 'Error: no' }
      const endings = claims.map((claim) => on.success(claim, { outcome: 'failed', dead }))
      expect(await on.broker.finish('q', endings)).toEqual([true, true, true])
      for (const id of ids) {
        expect(await on.redis.exists(`arq:result:${id}`, `arq:dead:${id}`)).toBe(2)
        expect(await on.redis.exists(`arq:in-progress:${id}`, `arq:job:${id}`, `arq:retry:${id}`)).toBe(0)
      }
      expect(on.faults.every((fault) => fault.key === key)).toBe(true)
      expect(on.faults).not.toHaveLength(0)
    },
  )
})

describe('the score of a job', () => {
  const on = useBroker()

  test('is no abort of a new job: an old mark of its id goes with the enqueue', async () => {
    await on.redis.zadd('arq:abort', Date.now() + 1_000, 'report:42')
    await on.redis.zadd('arq:abort', Date.now() + 1_000, 'other')
    expect(await on.enqueue(['report:42'])).toEqual([true])
    expect(await on.redis.zrange('arq:abort', '0', '-1')).toEqual(['other'])
    expect(await on.claim(['report:42'])).toMatchObject([{ abortAskedMs: null }])
    // An id that is taken keeps its mark: it is the earlier job's.
    await on.broker.requestAbort('report:42', 'q')
    expect(await on.enqueue(['report:42'])).toEqual([false])
    expect(await on.redis.zscore('arq:abort', 'report:42')).not.toBeNull()
  })

  test('is a result that no path overwrites: the member of an ended job leaves the queue, and nothing else changes', async () => {
    await on.redis.set('arq:result:ended', 'good')
    await on.redis.zadd('q', 1, 'ended')
    await on.redis.zadd('q', 1, 'never was')
    expect(await on.claim(['ended', 'never was'])).toMatchObject([{ jobId: 'never was', payload: null, jobTry: 1 }])
    expect(await on.redis.zrange('q', '0', '-1')).toEqual(['never was'])
    expect(await on.redis.get('arq:result:ended')).toBe('good')
    expect((await on.redis.keys('*ended*')).sort()).toEqual(['arq:result:ended'])
  })

  describe('is one whose abort meets its end, in a fleet that asks for aborts', () => {
    const end = async (changes = {}) => {
      await on.redis.zadd('arq:abort', Date.now(), 'another')
      await on.enqueue(['met'])
      const [taken] = await on.claim(['met'])
      expect(await on.broker.finish('q', [on.success(taken!, changes)])).toEqual([true])
      return taken!
    }

    test('the in-progress key stays for a moment, so that Python starts nothing; the id that comes back goes', async () => {
      await end()
      expect(await on.redis.get('arq:in-progress:met')).toBe('ended')
      expect(await on.redis.pttl('arq:in-progress:met')).toBeGreaterThan(0)
      await on.redis.zadd('q', 1, 'met')
      expect(await on.claim(['met'])).toEqual([])
      expect(await on.redis.exists('q')).toBe(0)
      expect(await on.redis.get('arq:result:met')).toBe('done')
      expect(on.faults).toEqual([])
    })

    test('it is no longer than the result is kept, and none where no result is', async () => {
      await end({ resultTtlMs: 500 })
      expect(await on.redis.pttl('arq:in-progress:met')).toBeLessThanOrEqual(500)
      await on.redis.del('arq:result:met', 'arq:in-progress:met')
      await end({ result: null })
      expect(await on.redis.exists('arq:in-progress:met')).toBe(0)
    })

    test('a cron tick keeps its own key', async () => {
      const { token } = await end({ keepInProgressMs: 60_000 })
      expect(await on.redis.get('arq:in-progress:met')).toBe(token)
    })

    test('a finish that is sent again, an abort and a replay are answered as without it', async () => {
      const taken = await end()
      expect(await on.broker.finish('q', [on.success(taken)])).toEqual([true])
      expect(await on.broker.requestAbort('met', 'q')).toBe(false)
      const { deadLetters } = on
      expect(await deadLetters.replay('met', 'q', payload, 0, 60_000)).toBe(true)
      expect(await on.claim(['met'])).toMatchObject([{ jobId: 'met', jobTry: 1 }])
    })

    test('is unknown to a fleet that asks for none', async () => {
      await on.enqueue(['met'])
      const [taken] = await on.claim(['met'])
      await on.broker.finish('q', [on.success(taken!)])
      expect(await on.redis.keys('*met*')).toEqual(['arq:result:met'])
    })
  })

  test('is a result that a late finish leaves as it is', async () => {
    await on.enqueue(['a'])
    const [taken] = await on.claim(['a'])
    await on.redis.set('arq:result:a', 'good')
    const dead = { ttlMs: 60_000, payload, functionName: 'f', error: 'Error: no' }
    expect(await on.broker.finish('q', [on.success(taken!, { outcome: 'failed', dead })])).toEqual([false])
    expect(await on.redis.get('arq:result:a')).toBe('good')
    expect(await on.redis.keys('*')).toEqual(['arq:result:a'])
  })

  test('is a cron tick that has run: its in-progress key is not renewed', async () => {
    await on.enqueue(['cron:1'])
    const [taken] = await on.claim(['cron:1'])
    const end = on.success(taken!, { result: null, keepInProgressMs: 60_000 })
    expect(await on.broker.finish('q', [end])).toEqual([true])
    expect(await on.broker.renew([{ ...taken!, leaseMs: 1_000 }])).toEqual([false])
    expect(await on.redis.pttl('arq:in-progress:cron:1')).toBeGreaterThan(50_000)
  })

  test('is a lost lease, whose worker cannot set the tries of a later job', async () => {
    await on.enqueue(['a'])
    const [first] = await on.claim(['a'], 'w/1', 1)
    await eventually(async () => (await on.redis.exists('arq:in-progress:a')) === 0)
    const [second] = await on.claim(['a'], 'w/2')
    expect(await on.broker.setTry(first!, 7)).toBe(false)
    expect(await on.redis.get('arq:retry:a')).toBe('2')
    expect(await on.broker.setTry(second!, 7)).toBe(true)
    await on.broker.finish('q', [on.success(second!)])
    expect(await on.broker.setTry(second!, 7)).toBe(false)
    expect(await on.redis.exists('arq:retry:a')).toBe(0)
  })
})
