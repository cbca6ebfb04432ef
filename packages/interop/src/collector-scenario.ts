import { eventually } from '@arq-ts/test-support'
import { expect } from 'vitest'
import type { Fleet } from './fleet.ts'

const OURS = 'ours'

/** Two collectors compete for 200 results of Python among results of ours; the one at work is killed midway. */
export async function countPythonsJobs(fleet: Fleet): Promise<void> {
  const { redis } = fleet
  const recorder = { intervalMs: 100 }
  const workers = await Promise.all([1, 2].map(() => fleet.typescriptWorkerProcess({ queue: OURS }, { recorder })))
  const client = fleet.client()
  const ours = Array.from({ length: 20 }, (_, i) => ['echo', [i], { queueName: OURS }] as const)
  await client.enqueueMany(ours)
  const calls = Array.from(
    { length: 200 },
    (_, i) => (i % 20 === 0 ? ['fail', ['value', i]] : ['echo', [i]]) as [string, unknown[]],
  )
  await client.enqueueMany(calls)
  await fleet.pythonWorker()
  const counts = async () => {
    const lines = await client.history.totals({ by: 'language' })
    const of = (language: string) => lines.find(({ key }) => key.language === language)?.counts
    return { python: of('python'), typescript: of('typescript') }
  }
  await eventually(async () => ((await counts()).python?.complete ?? 0) > 20)
  const holder = (await redis.get('arq:obs:collector'))!.split(' ')[0]!
  const killed = workers.find(({ child }) => holder.includes(`:${child.process.pid}:`))!
  killed.child.kill('SIGKILL')
  await eventually(async () => ((await counts()).python?.complete ?? 0) >= 190)
  await eventually(async () => ((await counts()).typescript?.complete ?? 0) >= 20)
  // Whoever collects next reads every result anew, and the one more is counted in such a pass.
  await redis.del('arq:obs:collector')
  await client.enqueue('echo', ['one more'])
  await eventually(async () => ((await counts()).python?.complete ?? 0) >= 191)
  const { python, typescript } = await counts()
  expect(python).toMatchObject({ complete: 191, failed: 10, aborted: 0 })
  expect(typescript?.complete).toBe(20)
}
