import { eventually } from '@arq-ts/test-support'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { defineTask, EncodeError, flow, FlowError, FlowFailedError, OptionsError } from '../../src/index.ts'
import { add, echo, fail, states } from '../support/flow-tasks.ts'
import { useHarness } from './support.ts'

const bench = useHarness()

const quiet = defineTask({ name: 'quiet', keepResultMs: 0, handler: (_ctx, word: string) => word.toUpperCase() })
const tasks = [echo, add, fail, quiet]

const timeoutMs = 10_000

describe('a flow', () => {
  test('runs members after each other, with the results of some as arguments of others', async () => {
    await bench.worker({ tasks })
    const f = flow('sum')
    const parts = f.all([1, 2, 3].map((number) => f.call(echo, { value: number })))
    const sum = f.call(add, { numbers: parts as never })
    const both = f.call(echo, { value: { sum, list: [sum, 'x'] } })
    const run = await bench.client().start(f)
    expect(await run.result({ timeoutMs })).toEqual({ sum: 6, list: [6, 'x'] })
    expect(await run.resultOf(sum)).toBe(6)
    expect(await states(run)).toEqual({
      echo: 'success',
      'echo#2': 'success',
      'echo#3': 'success',
      add: 'success',
      'echo#4': 'success',
    })
    expect(both.name).toBe('echo#4')
  })

  test('holds members in their queues until those before them have ended', async () => {
    const client = bench.client()
    const f = flow('held')
    const first = f.call(echo, { value: 1 })
    f.call(echo, { value: first }, { name: 'second' })
    const run = await client.start(f)
    const [one, two] = (await run.status()).members
    expect([one!.state, two!.state]).toEqual(['queued', 'held'])
    expect(two!.waitsFor).toEqual(['echo'])
    expect(await client.job(two!.jobId).status()).toBe('deferred')
    await bench.worker({ tasks })
    expect(await run.result({ timeoutMs })).toBe(1)
    expect(await bench.database().redis.exists('arq:held', 'arq:flow-watch', `arq:flow-todo:${run.flowId}`)).toBe(0)
  })

  test('takes the branch of a failure, and passes over what needed a success', async () => {
    await bench.worker({ tasks })
    const f = flow('report')
    const bad = f.call(fail, {})
    const merged = f.call(echo, { value: bad }, { name: 'merged' })
    f.call(echo, { value: 'mail' }, { after: merged, name: 'mail' })
    f.call(echo, { value: 'alert' }, { after: merged, on: 'failure', name: 'alert' })
    f.call(echo, { value: merged }, { on: 'any', name: 'log' })
    const run = await bench.client().start(f)
    const error = await run.result({ timeoutMs }).catch((each: unknown) => each)
    expect(error).toBeInstanceOf(FlowFailedError)
    expect((error as FlowFailedError).members).toMatchObject([{ name: 'fail', outcome: 'failure' }])
    expect((error as Error).message).toContain('bad luck')
    expect(await states(run)).toEqual({
      fail: 'failure',
      merged: 'blocked',
      mail: 'blocked',
      alert: 'success',
      log: 'success',
    })
  })

  test('knows results that its workers do not keep', async () => {
    await bench.worker({ tasks })
    const f = flow('unkept')
    const word = f.call(quiet, ['word'])
    f.call(echo, { value: [word] })
    const run = await bench.client().start(f)
    expect(await run.result({ timeoutMs })).toEqual(['WORD'])
    expect(await bench.database().redis.exists(`arq:result:${run.flowId}-0`)).toBe(0)
  })

  test('has chains, groups and chords within each other', async () => {
    await bench.worker({ tasks })
    const f = flow('nested')
    const last = f.chain(
      f.call(echo, { value: 1 }),
      (one) =>
        f.group([
          f.call(echo, { value: one }),
          f.chain(f.call(echo, { value: 2 }), (two) => f.call(echo, { value: two })),
        ]),
      (two) =>
        f.chord([f.call(add, { numbers: two as never }), f.call(echo, { value: 4 })], (three) =>
          f.call(add, { numbers: three as never }),
        ),
    )
    const run = await bench.client().start(f)
    expect(await run.result({ timeoutMs })).toBe(7)
    const { members } = await run.status()
    expect(members.map(({ after }) => after)).toEqual([
      [],
      ['echo'],
      ['echo'],
      ['echo#3'],
      ['echo#2', 'echo#4'],
      ['echo#2', 'echo#4'],
      ['add', 'echo#5'],
    ])
    expect(last.name).toBe('add#2')
  })

  test('lets a running member add members, for which what comes after it waits', async () => {
    const seen: unknown[] = []
    const spread = defineTask({
      name: 'spread',
      params: z.object({ count: z.number() }),
      handler: (ctx, { count }) => {
        const parts = ctx.flow.all(Array.from({ length: count }, (_, i) => ctx.flow.call(echo, { value: i })))
        ctx.flow.call(record, { numbers: parts as never })
        return 'spread'
      },
    })
    const record = defineTask({
      name: 'record',
      params: z.object({ numbers: z.array(z.number()) }),
      handler: (_ctx, { numbers }) => void seen.push(numbers),
    })
    const after = defineTask({ name: 'after', handler: () => void seen.push('after') })
    await bench.worker({ tasks: [...tasks, spread, record, after] })
    const f = flow('dynamic')
    const root = f.call(spread, { count: 3 })
    f.call(after, [], { after: root })
    const run = await bench.client().start(f)
    await run.result({ timeoutMs })
    expect(seen).toEqual([[0, 1, 2], 'after'])
    expect((await run.status()).members.map(({ addedBy, name }) => [name, addedBy])).toContainEqual([
      'spread/record',
      'spread',
    ])
  })

  test.each<[string, unknown]>([
    ['no codec writes', { value: () => 1 }],
    ['does not fit the task', 'text'],
  ])('fails the handler that adds a call whose input %s, in that run', async (_, input) => {
    let runs = 0
    const wrong = defineTask({
      name: 'wrong',
      maxTries: 3,
      handler: (ctx) => {
        runs++
        ctx.flow.call(echo, input as never)
      },
    })
    await bench.worker({ tasks: [...tasks, wrong] })
    const f = flow('wrong')
    f.call(wrong, [])
    const run = await bench.client().start(f)
    await expect(run.result({ timeoutMs })).rejects.toThrow(FlowFailedError)
    expect(runs).toBe(1)
    expect(await states(run)).toEqual({ wrong: 'failure' })
  })

  test('cannot be added to by a job that is in none', async () => {
    const outsider = defineTask({ name: 'outsider', handler: (ctx) => void ctx.flow.call(echo, { value: 1 }) })
    await bench.worker({ tasks: [outsider] })
    const job = await bench.client().enqueue(outsider, [])
    await expect(job!.result({ timeoutMs })).rejects.toThrow('no member of a flow')
  })

  test('is refused where Python may run a member and nobody says what an unknown end counts as', async () => {
    const client = bench.client()
    const f = flow('python')
    f.call('python_function', [])
    await expect(client.start(f)).rejects.toThrow('onUnknown')
    await expect(client.start(flow('empty'))).rejects.toThrow(OptionsError)
    const other = flow('other')
    expect(() => other.call(echo, { value: 1 }, { after: f.call(echo, { value: 1 }) })).toThrow('another flow')
  })

  test('refuses what is no call, no member and no step, with a code', async () => {
    const f = flow('refused')
    const no = undefined as never
    for (const call of [
      () => f.call(no, {} as never),
      () => f.call('', []),
      () => f.all(no),
      () => f.chain(no, () => f.call('a', [])),
      () => f.chain(f.call('b', []), no),
      () => f.chord([f.call('c', [])], no),
    ])
      expect(call).toThrow(OptionsError)
    const loop: unknown[] = []
    loop.push(loop)
    const circular = flow('circular', { onUnknown: 'fail' })
    circular.call('f', [loop])
    const client = bench.client()
    await expect(client.start(circular)).rejects.toThrow(EncodeError)
    await expect(client.start(f, { flowId: '\uD800' })).rejects.toThrow(OptionsError)
    await expect(client.flows.get('x').resultOf(no)).rejects.toThrow(OptionsError)
  })

  test('is started once under an id', async () => {
    const client = bench.client()
    const f = flow('once')
    f.call(echo, { value: 1 })
    await client.start(f, { flowId: 'nightly' })
    await expect(client.start(f, { flowId: 'nightly' })).rejects.toThrow(FlowError)
    expect(await client.flows.list()).toMatchObject([
      { flowId: 'nightly', name: 'once', state: 'running', members: 1, open: 1 },
    ])
  })
})

describe('a cancelled flow', () => {
  test('aborts what runs, and starts nothing more', async () => {
    const started: string[] = []
    const wait = defineTask({
      name: 'wait',
      handler: async (ctx) => {
        started.push(ctx.jobId)
        await new Promise((_, reject) => ctx.signal.addEventListener('abort', () => reject(new Error('aborted'))))
      },
    })
    await bench.worker({ tasks: [...tasks, wait], allowAbortJobs: true })
    const f = flow('cancelled')
    const first = f.call(wait, [])
    f.call(echo, { value: 1 }, { after: first, on: 'any', name: 'never' })
    const run = await bench.client().start(f)
    await eventually(() => started.length === 1)
    expect(await run.cancel()).toBe(true)
    await expect(run.result({ timeoutMs })).rejects.toThrow('cancelled')
    expect(await states(run)).toEqual({ wait: 'aborted', never: 'cancelled' })
    expect(await run.cancel()).toBe(true)
    expect(await bench.database().redis.exists('arq:queue', 'arq:held')).toBe(0)
  })
})

describe('a replay', () => {
  test('immediately skips members that had run because of the failure, though the fence of that run still exists', async () => {
    let isBroken = true
    const broken = defineTask({
      name: 'broken',
      handler: () => {
        if (isBroken) throw new Error('not yet')
      },
    })
    await bench.worker({ tasks: [echo, broken] })
    const f = flow('fenced')
    const first = f.call(broken, [])
    f.call(echo, { value: 'alert' }, { after: first, on: 'failure', name: 'alert' })
    const run = await bench.client().start(f)
    await expect(run.result({ timeoutMs })).rejects.toThrow(FlowFailedError)
    // The state that a worker leaves if a Python worker might still run the job.
    const alert = (await run.status()).members.find(({ name }) => name === 'alert')!
    await bench.database().redis.set(`arq:in-progress:${alert.jobId}`, 'ended', 'PX', 60_000)
    isBroken = false
    await run.replay({ only: 'failed' })
    await run.result({ timeoutMs })
    expect(await states(run)).toEqual({ broken: 'success', alert: 'skipped' })
  })

  test('runs what did not succeed, and what comes after it', async () => {
    let isWell = false
    const runs: string[] = []
    const flaky = defineTask({
      name: 'flaky',
      handler: () => {
        runs.push('flaky')
        if (!isWell) throw new Error('not yet')
        return 5
      },
    })
    const good = defineTask({ name: 'good', handler: () => void runs.push('good') })
    await bench.worker({ tasks: [...tasks, flaky, good] })
    const f = flow('again')
    const a = f.call(good, [])
    const b = f.call(flaky, [], { after: a })
    f.call(echo, { value: b }, { name: 'last' })
    f.call(echo, { value: 'alert' }, { after: b, on: 'failure', name: 'alert' })
    const run = await bench.client().start(f)
    await expect(run.result({ timeoutMs })).rejects.toThrow('not yet')
    isWell = true
    await run.replay({ only: 'failed' })
    expect(await run.result({ timeoutMs })).toBe(5)
    expect(runs).toEqual(['good', 'flaky', 'flaky'])
    expect(await states(run)).toEqual({ good: 'success', flaky: 'success', last: 'success', alert: 'skipped' })
    await expect(run.replay({ only: 'failed' })).rejects.toThrow('nothing to replay')
    await run.replay()
    expect(await run.result({ timeoutMs })).toBe(5)
    expect(runs).toEqual(['good', 'flaky', 'flaky', 'good', 'flaky'])
  })

  test('of a dead letter opens its flow again', async () => {
    let isWell = false
    const flaky = defineTask({
      name: 'flaky',
      handler: () => {
        if (!isWell) throw new Error('not yet')
        return 5
      },
    })
    await bench.worker({ tasks: [...tasks, flaky] })
    const client = bench.client()
    const f = flow('again')
    f.call(echo, { value: f.call(flaky, []) }, { name: 'last' })
    const run = await client.start(f)
    await expect(run.result({ timeoutMs })).rejects.toThrow(FlowFailedError)
    isWell = true
    const { members } = await run.status()
    await client.jobs.retry(members[0]!.jobId)
    await eventually(async () => (await states(run)).last === 'success')
    expect(await run.result({ timeoutMs })).toBe(5)
  })
})
