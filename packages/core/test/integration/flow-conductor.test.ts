import { encodeResult } from '@arq-ts/protocol/jobs'
import { eventually } from '@arq-ts/test-support'
import { describe, expect, test } from 'vitest'
import { defineTask, flow, FlowError, FlowFailedError } from '../../src/index.ts'
import type { FlowRun } from '../../src/index.ts'
import { FlowConductor } from '../../src/flows/conductor.ts'
import { FlowDriver } from '../../src/flows/driver.ts'
import { RedisContext } from '../../src/redis/context.ts'
import { add, echo, fail, states } from '../support/flow-tasks.ts'
import { silent, useHarness } from './support.ts'

const bench = useHarness()

const tasks = [echo, add, fail]

const timeoutMs = 10_000

describe('a large flow', () => {
  /** The long form: FLOW_SIZE=10000. */
  const size = Number(process.env.FLOW_SIZE ?? 300)

  test(`of ${size} members hands all their results to one`, async () => {
    await bench.worker({ tasks, maxJobs: 100 })
    const f = flow('large')
    const root = f.call(echo, { value: 0 })
    const parts = f.all(Array.from({ length: size }, (_, i) => f.call(echo, { value: i }, { after: root })))
    f.call(add, { numbers: parts as never })
    const run = await bench.client().start(f)
    expect(await run.result({ timeoutMs: 120_000 })).toBe((size * (size - 1)) / 2)
    expect(await bench.database().redis.exists('arq:queue', 'arq:held', `arq:flow-out:${run.flowId}`)).toBe(0)
  }, 150_000)
})

describe('more members than one call ends', () => {
  const size = 600
  /** A link whose calls that end members are counted; too many are refused, as they may never end. */
  async function withLink(
    act: (link: RedisContext, calls: { count: number; steps?: number }) => Promise<void>,
  ): Promise<void> {
    const link = new RedisContext({ redis: bench.database().url, keyPrefix: '', expiresExtraMs: 60_000, log: silent })
    const records = link.flowRecords
    const { endSome } = records
    const calls: { count: number; steps?: number } = { count: 0 }
    records.endSome = (flowId, members) => {
      if (++calls.count > 30) throw new Error('members are ended without end')
      return endSome.call(records, flowId, members, calls.steps)
    }
    await act(link, calls).finally(() => link.close())
  }
  const waiting = () => {
    const f = flow('waiting')
    for (let i = 0; i < size; i++) f.call(echo, { value: i }, { delayMs: 3_600_000 })
    return f
  }

  test('are cancelled in a bounded number of calls', () =>
    withLink(async (link) => {
      const run = await bench.client().start(waiting())
      expect(await new FlowDriver(link).cancel(run.flowId)).toBe('cancelled')
      expect(new Set(Object.values(await states(run)))).toEqual(new Set(['cancelled']))
      expect(await bench.database().redis.exists('arq:queue', 'arq:held', 'arq:flow-watch')).toBe(0)
    }))

  test('are passed over in a bounded number of calls where the one before them fails', () =>
    withLink(async (link) => {
      const { redis } = bench.database()
      const f = flow('failing')
      const root = f.call(fail, {})
      for (let i = 0; i < size; i++) f.call(echo, { value: i }, { after: root, on: 'success' })
      const run = await bench.client().start(f)
      const { jobId } = (await run.status()).members[0]!
      const record = { jobTry: 1, functionName: 'fail', args: [], kwargs: {}, queueName: 'arq:queue', jobId }
      const times = { enqueueTimeMs: 1, startTimeMs: 1, finishTimeMs: 1 }
      const result = encodeResult({ ...record, ...times, success: false, result: new Error('bad luck') }, 'pickle')
      await redis.multi().del(`arq:job:${jobId}`).zrem('arq:queue', jobId).set(`arq:result:${jobId}`, result).exec()
      await new FlowDriver(link).look(run.flowId)
      const { fail: first, ...others } = await states(run)
      expect([first, ...new Set(Object.values(others))]).toEqual(['failure', 'blocked'])
      expect(Object.keys(others)).toHaveLength(size)
      expect((await run.status()).state).toBe('failed')
    }))

  test('are left to the next look by a call that comes no further', () =>
    withLink(async (link, calls) => {
      const run = await bench.client().start(waiting())
      calls.steps = 0
      expect(await new FlowDriver(link).cancel(run.flowId)).toBe('cancelling')
      expect(calls.count).toBeLessThanOrEqual(2)
      delete calls.steps
      await new FlowDriver(link).look(run.flowId)
      expect((await run.status()).state).toBe('cancelled')
    }))
})

test('a flow with a damaged key stops no other flow and no job, whichever key it is', async () => {
  const { redis } = bench.database()
  const client = bench.client()
  const make = () => {
    const f = flow('damaged')
    f.call(echo, { value: f.call(echo, { value: 1 }) })
    return f
  }
  const kinds = ['flow', 'flow-open', 'flow-out', 'flow-todo', 'flow-calls', 'flow-results']
  const keys = kinds.map((kind) => `arq:${kind}:bad-${kind}`)
  for (const [i, kind] of kinds.entries()) {
    await client.start(make(), { flowId: `bad-${kind}` })
    await redis.del(keys[i]!)
    await redis.xadd(keys[i]!, '*', 'a', 'b')
  }
  const good = await client.start(make())
  const worker = await bench.worker({ tasks })
  expect(await good.result({ timeoutMs })).toBe(1)
  // The conductor meets the damage, and looks after what comes later all the same.
  await eventually(async () => (await redis.get('arq:flow-conductor')) === worker.id)
  const later = await client.start(make())
  expect(await later.result({ timeoutMs })).toBe(1)
  expect(await (await client.enqueue(echo, { value: 2 }))!.result({ timeoutMs })).toBe(2)
  const { findings } = await client.doctor.examine({ queues: ['arq:queue'] })
  const damaged = findings.flatMap((finding) => finding.damaged.map(({ key }) => key))
  expect(damaged).toEqual(expect.arrayContaining(keys))
  const listed = (await client.flows.list()).map(({ flowId }) => flowId)
  expect(listed).toEqual(expect.arrayContaining(['bad-flow-open', later.flowId]))
})

test('flows with a damaged definition of a member stop no other flow, and say so', async () => {
  const client = bench.client()
  const start = async () => {
    const f = flow('removed')
    f.call(echo, { value: 1 }, { delayMs: 3_600_000 })
    return client.start(f)
  }
  const bad: FlowRun[] = []
  for (const damage of ['{', 'null', '{"name":1}']) {
    const run = await start()
    bad.push(run)
    await bench.database().redis.hset(`arq:flow:${run.flowId}`, 'm:0', damage)
  }
  const good = await start()
  // The conductor alone finds the end of a job that an operator has removed.
  await client.jobs.remove(`${good.flowId}-0`)
  await bench.worker({ tasks })
  await expect(good.result({ timeoutMs })).rejects.toThrow('echo unknown')
  for (const run of bad) await expect(run.status()).rejects.toThrow(FlowError)
})

test('the list of flows loses those that are gone, though nobody reads it', async () => {
  const { redis } = bench.database()
  const client = bench.client()
  const f = flow('kept')
  f.call(echo, { value: 1 })
  const started: string[] = []
  await redis.zadd('arq:flows', ...Array.from({ length: 250 }, (_, i) => [String(i), `gone-${i}`]).flat())
  const gone = async () => (await redis.zrange('arq:flows', '0', '-1')).filter((id) => id.startsWith('gone'))
  for (let starts = 0; starts < 8; starts++) started.push((await client.start(f)).flowId)
  // A sample at each start, and another while many of a sample are gone.
  expect((await gone()).length).toBeLessThan(8)
  expect(await redis.zrange('arq:flows', '0', '-1')).toEqual(expect.arrayContaining(started))
})

test('the list of flows and the watch lose ids that are not UTF-8', async () => {
  const { redis } = bench.database()
  const client = bench.client()
  for (let n = 0; n < 60; n++) {
    const id = Buffer.from([0xff, 0xfe, n])
    await redis.zadd('arq:flows', 9e15, id)
    await redis.zadd('arq:flow-watch', 0, id)
  }
  await bench.worker({ tasks })
  const f = flow('beside')
  f.call(echo, { value: 1 })
  const run = await client.start(f)
  expect(await run.result({ timeoutMs })).toBe(1)
  await eventually(async () => (await redis.exists('arq:flow-watch')) === 0, { timeoutMs })
  for (let looks = 0; looks < 2; looks++) await client.flows.list({ limit: 100 })
  expect(await redis.zrange('arq:flows', '0', '-1')).toEqual([run.flowId])
})

test('a count of added members that no flow can have does not hold the server up', async () => {
  const { redis } = bench.database()
  const client = bench.client()
  const start = () => {
    const f = flow('counted')
    f.call(echo, { value: 2 }, { after: f.call(echo, { value: 1 }) })
    return client.start(f)
  }
  const bad = [await start(), await start(), await start()]
  for (const [i, count] of ['1e15', '100000000', 'inf'].entries())
    await redis.hset(`arq:flow:${bad[i]!.flowId}`, { kids: '1', 'k:0': count })
  const good = await start()
  await bench.worker({ tasks })
  expect(await good.result({ timeoutMs })).toBe(2)
  // Their first members have run, and what comes next stays.
  for (const run of bad) {
    await eventually(async () => (await redis.hget(`arq:flow:${run.flowId}`, 'e:0')) === 'success', { timeoutMs })
    expect((await run.status()).state).toBe('running')
  }
})

test('an id is taken by one producer, and is free again where that one dies before it has written the flow', async () => {
  const { redis } = bench.database()
  const link = new RedisContext({ redis: bench.database().url, keyPrefix: '', expiresExtraMs: 1, log: silent })
  try {
    expect(await link.flowRecords.take('nightly', 'a')).toBe(true)
    expect(await link.flowRecords.take('nightly', 'a')).toBe(true)
    expect(await link.flowRecords.take('nightly', 'b')).toBe(false)
    expect(await redis.pttl('arq:flow:nightly')).toBeGreaterThan(0)
  } finally {
    await link.close()
  }
})

describe('the conductor', () => {
  test('is not needed for what arq-ts workers run', async () => {
    // Somebody has the lease who does nothing.
    await bench.database().redis.set('arq:flow-conductor', 'somebody', 'PX', 600_000)
    const spread = defineTask({ name: 'spread', handler: (ctx) => void ctx.flow.call(echo, { value: 1 }) })
    await bench.worker({ tasks: [...tasks, spread] })
    const f = flow('alone')
    const root = f.call(spread, [])
    const bad = f.call(fail, {}, { after: root })
    f.call(echo, { value: f.call(echo, { value: bad }) })
    f.call(echo, { value: 2 }, { after: bad, on: 'failure', name: 'alert' })
    const run = await bench.client().start(f)
    await expect(run.result({ timeoutMs })).rejects.toThrow(FlowFailedError)
    const blocked = { echo: 'blocked', 'echo#2': 'blocked' }
    expect(await states(run)).toMatchObject({
      spread: 'success',
      fail: 'failure',
      alert: 'success',
      'spread/echo': 'success',
      ...blocked,
    })
  })

  test('finishes what a worker left that was killed between the end of a job and the end of its member', async () => {
    const { redis } = bench.database()
    const client = bench.client()
    const f = flow('left', { onUnknown: 'fail' })
    const first = f.call('elsewhere', [1], { queueName: 'other' })
    f.call(echo, { value: first })
    const run = await client.start(f)
    const [member] = (await run.status()).members
    // The state that a worker of either language leaves: the job is gone, its result is there, and the flow is not notified.
    const record = {
      jobTry: 1,
      functionName: 'elsewhere',
      args: [],
      kwargs: {},
      queueName: 'other',
      jobId: member!.jobId,
    }
    const times = { enqueueTimeMs: 1, startTimeMs: 1, finishTimeMs: 1 }
    const result = encodeResult({ ...record, ...times, success: true, result: { a: [1.5] } }, 'pickle')
    await redis
      .multi()
      .del(`arq:job:${member!.jobId}`)
      .zrem('other', member!.jobId)
      .set(`arq:result:${member!.jobId}`, result)
      .exec()
    await bench.worker({ tasks })
    expect(await run.result({ timeoutMs })).toEqual({ a: [1.5] })
  })

  test('passes to another worker when the one that has it stops', async () => {
    const { redis } = bench.database()
    const f = flow('waiting')
    f.call(echo, { value: 1 }, { delayMs: 3_600_000 })
    const run = await bench.client().start(f)
    const first = await bench.worker({ tasks })
    await eventually(async () => (await redis.get('arq:flow-conductor')) === first.id)
    const second = await bench.worker({ tasks })
    await first.stop()
    await eventually(async () => (await redis.get('arq:flow-conductor')) === second.id)
    // Its role ends with the last flow and begins again with the next one.
    await run.cancel()
    await eventually(async () => (await redis.exists('arq:flow-conductor')) === 0)
    await bench.client().start(f)
    await eventually(async () => (await redis.get('arq:flow-conductor')) === second.id)
  })

  test('sends nothing while no flow is in progress, and is notified of the first one', async () => {
    const { redis } = bench.database()
    const link = new RedisContext({ redis: bench.database().url, keyPrefix: '', expiresExtraMs: 1, log: silent })
    const asked = { count: 0 }
    const { isNeeded } = link.flowWatch
    link.flowWatch.isNeeded = () => {
      asked.count++
      return isNeeded.call(link.flowWatch)
    }
    const conductor = new FlowConductor({ link, driver: new FlowDriver(link), workerId: 'w', log: silent })
    try {
      conductor.start()
      await eventually(() => asked.count > 0)
      // Longer than any pause between two looks: a lease of another key ends then.
      await redis.set('a-while', '1', 'PX', 5_000)
      const before = asked.count
      await eventually(async () => (await redis.exists('a-while')) === 0)
      expect(asked.count - before).toBeLessThanOrEqual(1)
      expect(await redis.exists('arq:flow-conductor')).toBe(0)
      const f = flow('first')
      f.call(echo, { value: 1 }, { delayMs: 3_600_000 })
      await bench.client().start(f)
      await eventually(async () => (await redis.get('arq:flow-conductor')) === 'w')
    } finally {
      await conductor.stop()
      await link.close()
    }
  })
})

test('the conductor pauses between two looks, however often it is woken', async () => {
  const { redis } = bench.database()
  const f = flow('busy')
  f.call(echo, { value: 1 }, { delayMs: 3_600_000 })
  await bench.client().start(f)
  const link = new RedisContext({ redis: bench.database().url, keyPrefix: '', expiresExtraMs: 1, log: silent })
  const { flowWatch, keys, subscriber } = link
  const { isNeeded, lead } = flowWatch
  const { listen } = subscriber
  const wakes: (() => void)[] = []
  subscriber.listen = (name, listener) => {
    if (name === keys.flowsChannel) wakes.push(() => listener(''))
    return listen.call(subscriber, name, listener)
  }
  const looks: { begunMs: number; endedMs: number }[] = []
  flowWatch.isNeeded = async () => {
    looks.push({ begunMs: performance.now(), endedMs: 0 })
    // A server that takes its time.
    await redis.blpop('nothing', 0.05)
    return isNeeded.call(flowWatch)
  }
  flowWatch.lead = async (...args) => {
    const leads = await lead.apply(flowWatch, args)
    looks.at(-1)!.endedMs = performance.now()
    return leads
  }
  const conductor = new FlowConductor({ link, driver: new FlowDriver(link), workerId: 'w', log: silent })
  // Effects of a busy queue of a Python member, in looks and between them.
  const storm = setInterval(() => wakes.forEach((wake) => wake()), 2)
  try {
    conductor.start()
    await eventually(() => looks.length > 5)
    for (const [i, { begunMs }] of looks.slice(1, 6).entries()) {
      const last = looks[i]!
      const leastMs = Math.min(500, 4 * (last.endedMs - last.begunMs))
      // A timer fires early by the time for which the loop was busy before.
      expect(begunMs - last.endedMs).toBeGreaterThan(leastMs / 2)
    }
  } finally {
    clearInterval(storm)
    await conductor.stop()
    await link.close()
  }
})

describe('a member of a flow', () => {
  test('does not start before its time, though an operator makes it due', async () => {
    const client = bench.client()
    const f = flow('early')
    const first = f.call(echo, { value: 1 }, { delayMs: 3_600_000 })
    f.call(echo, { value: first }, { name: 'second' })
    const run = await client.start(f, { flowId: 'an early flow' })
    const { jobId } = (await run.status()).members[1]!
    await bench.worker({ tasks })
    await client.jobs.runNow('arq:queue', [jobId])
    await eventually(async () => (await client.jobs.details(jobId))!.hold?.by === 'flow')
    expect(await states(run)).toMatchObject({ second: 'held' })
    const { hold } = (await client.jobs.details(jobId))!
    expect(hold).toMatchObject({ waitsFor: ['echo'] })
    await client.jobs.runNow('arq:queue', [(await run.status()).members[0]!.jobId])
    expect(await run.result({ timeoutMs })).toBe(1)
  })

  test('that is removed while it is held counts as failed', async () => {
    const client = bench.client()
    const f = flow('removed')
    const first = f.call(echo, { value: 1 })
    f.call(echo, { value: first }, { name: 'second' })
    const run = await client.start(f)
    await client.jobs.remove((await run.status()).members[1]!.jobId)
    await bench.worker({ tasks })
    await expect(run.result({ timeoutMs })).rejects.toThrow('second unknown')
  })
})
