import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { defineTask, flow } from '../../src/index.ts'
import type { Client } from '../../src/index.ts'
import { add, echo, states } from '../support/flow-tasks.ts'
import { useHarness } from './support.ts'

const bench = useHarness()
const timeoutMs = 15_000

/** A member that fails until it is well. */
function wildTask() {
  const condition = { isWell: false }
  const task = defineTask({
    name: 'wild',
    handler: () => {
      if (!condition.isWell) throw new Error('not yet')
      return 5
    },
  })
  return { condition, task }
}

/** Removes a queued job as an end would that keeps this result. */
const leave = (redis: Redis, jobId: string, result: Buffer) =>
  redis.multi().zrem('arq:queue', jobId).del(`arq:job:${jobId}`).set(`arq:result:${jobId}`, result).exec()

type Act = (at: { client: Client; redis: Redis; jobId: string }) => unknown

test.each<[string, string, Act]>([
  [
    'is aborted',
    'aborted',
    ({ client, jobId }) =>
      void client
        .job(jobId)
        .abort({ timeoutMs })
        .catch(() => {}),
  ],
  ['has expired before it ran', 'failure', ({ jobId, redis }) => redis.del(`arq:job:${jobId}`)],
  ['becomes a dead letter', 'failure', () => {}],
  ['is removed from its queue', 'unknown', ({ client, jobId }) => client.jobs.remove(jobId)],
  ['leaves a result that no codec reads', 'unknown', ({ jobId, redis }) => leave(redis, jobId, Buffer.from('\xff?'))],
])('a chord ends whose member %s, and a replay of what failed completes it', async (_, outcome, act) => {
  const { redis } = bench.database()
  const client = bench.client()
  const { condition, task } = wildTask()
  const f = flow('chord')
  const parts = [f.call(echo, { value: 1 }), f.call(task, []), f.call(echo, { value: 2 })]
  const sum = f.chord(parts, (numbers) => f.call(add, { numbers: numbers as never }))
  f.call(echo, { value: 'alert' }, { after: sum, on: 'failure', name: 'alert' })
  const run = await client.start(f)
  const { jobId } = (await run.status()).members.find(({ name }) => name === 'wild')!
  await act({ client, redis, jobId })
  await bench.worker({ tasks: [echo, add, task] })
  await expect(run.result({ timeoutMs })).rejects.toMatchObject({ members: [{ name: 'wild', outcome }] })
  expect(await states(run)).toEqual({
    echo: 'success',
    wild: outcome,
    'echo#2': 'success',
    add: 'blocked',
    alert: 'success',
  })
  // An act on its dead letter changes nothing of the flow.
  await client.deadLetters.purge({ all: true })
  condition.isWell = true
  await run.replay({ only: 'failed' })
  expect(await run.resultOf(sum, { timeoutMs })).toBe(8)
})

test('a member whose result no codec reads hands null to what comes after it, where the flow says that it succeeds', async () => {
  const { redis } = bench.database()
  const client = bench.client()
  const f = flow('unread', { onUnknown: 'succeed' })
  f.call(echo, { value: [f.call(wildTask().task, []), 1] }, { name: 'after' })
  const run = await client.start(f)
  const { jobId } = (await run.status()).members[0]!
  await leave(redis, jobId, Buffer.from('\xff?'))
  await bench.worker({ tasks: [echo] })
  expect(await run.result({ timeoutMs })).toEqual([null, 1])
})
