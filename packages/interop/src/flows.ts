import { Client, createLogger, defineTask, flow, pythonTask, Worker } from '@arq-ts/core'
import type { CodecName } from '@arq-ts/core'
import { eventually, takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { noPython, pythonOf } from './python.ts'
import { pythonWorker } from './workers.ts'
import type { RunningWorker } from './workers.ts'

const codecs: CodecName[] = ['pickle', 'msgpack']
const PYTHON = 'python'
const timeoutMs = 20_000

const echo = defineTask({ name: 'echo', handler: (_ctx, value: unknown) => value })

/** Flows whose members run in both languages, with one unmodified version of arq. */
export function proveFlowsWith(version: string): void {
  const title = `flows with arq ${version}`
  describe.each(codecs)(noPython ? `${title} (left out: ${noPython}), %s` : `${title}, %s`, (codec) => {
    describe.skipIf(noPython !== undefined)('', () => proveFlows(version, codec))
  })
}

function proveFlows(version: string, codec: CodecName): void {
  let database: Database
  let python: RunningWorker
  let worker: Worker
  let running: Promise<void>
  let client: Client

  beforeAll(async () => {
    database = await takeDatabase()
    const logger = createLogger({ level: 'silent' })
    worker = new Worker({ redis: database.url, tasks: [echo], codec, logger, handleSignals: false, pollDelayMs: 50 })
    running = worker.run()
    client = new Client({ redis: database.url, codec, logger })
    python = await pythonWorker(pythonOf(version) as string, {
      url: database.url,
      codec,
      name: 'python',
      queue: PYTHON,
    })
  })
  afterAll(async () => {
    await Promise.all([python?.stop(), worker?.stop(), client?.close()])
    await running
    await database?.release()
  })

  const on = { queueName: PYTHON }

  test('results go from Python to TypeScript and back as plain arguments', async () => {
    const collect = pythonTask({ name: 'collect', codec })
    const f = flow('both', { onUnknown: 'fail' })
    const first = f.call(collect, [1, 'a'], on)
    const second = f.call(echo, [{ first, list: [2.5, null] }])
    const both = f.all([first, second])
    f.call(collect, [both, second], on)
    const run = await client.start(f)
    const one = [[1, 'a'], {}]
    const two = { first: one, list: [2.5, null] }
    expect(await run.result({ timeoutMs })).toEqual([[[one, two], two], {}])
    expect((await run.status()).members.map(({ state }) => state)).toEqual(['success', 'success', 'success'])
  })

  test('a Python member that is held is deferred, and is not started', async () => {
    const f = flow('held', { onUnknown: 'fail' })
    const first = f.call(echo, [1], { delayMs: 3_600_000 })
    f.call('record', [first], { ...on, name: 'held' })
    const run = await client.start(f)
    const held = (await run.status()).members.find(({ name }) => name === 'held')!
    expect(await client.job(held.jobId, on).status()).toBe('deferred')
    // The progress of another flow shows that the worker has read its queue.
    const other = flow('other', { onUnknown: 'fail' })
    other.call('echo', [1], on)
    await (await client.start(other)).result({ timeoutMs })
    expect(await database.redis.exists(`ran:${held.jobId}`)).toBe(0)
    expect(await run.cancel()).toBe(true)
    await eventually(async () => (await run.status()).state === 'cancelled')
    expect(await database.redis.zscore(PYTHON, held.jobId)).toBeNull()
  })

  test('a Python exception takes the branch of a failure', async () => {
    const f = flow('failure', { onUnknown: 'fail' })
    const bad = f.call('fail', ['value', 'no good'], on)
    f.call(echo, [bad], { name: 'mail' })
    f.call('collect', ['alert'], { ...on, after: bad, on: 'failure', name: 'alert' })
    const run = await client.start(f)
    // Over msgpack, arq cannot write the exception.
    const why = codec === 'pickle' ? 'no good' : 'unable to serialize result'
    await expect(run.result({ timeoutMs })).rejects.toThrow(why)
    const states = (await run.status()).members.map(({ state }) => state)
    expect(states).toEqual(['failure', 'blocked', 'success'])
  })

  test.each([
    ['fail', ['unknown', 'blocked']],
    ['succeed', ['unknown', 'success']],
  ] as const)('a Python member that keeps no result counts as the flow says: %s', async (onUnknown, expected) => {
    const f = flow('unknown', { onUnknown })
    f.call(echo, [f.call('keep_none', [1], on)], { name: 'after' })
    const run = await client.start(f)
    await run.result({ timeoutMs }).catch(() => {})
    expect((await run.status()).members.map(({ state }) => state)).toEqual(expected)
  })
}
