import { eventually, takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { Client, createLogger, defineTask, Worker } from '@arq-ts/core'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { runHere } from '../support/command.ts'

const logger = createLogger({ level: 'silent' })
const tasks = [
  defineTask({ name: 'echo', handler: (_ctx, value: unknown) => value }),
  defineTask({ name: 'bad', handler: () => Promise.reject(new Error('no')) }),
]
let database: Database
let client: Client
const workers: Worker[] = []

beforeEach(async () => {
  database = await takeDatabase()
  client = new Client({ redis: database.url, queueName: 'work', logger })
})
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.stop()))
  await client.close()
  await database.release()
})

const run = (...args: string[]) => runHere([...args, '--redis', database.url])

async function serve(queueName: string): Promise<Worker> {
  const redis = database.url
  const worker = new Worker({ redis, queueName, tasks, logger, recorder: { intervalMs: 100 }, handleSignals: false })
  workers.push(worker)
  const started = new Promise<void>((resolve) => worker.once('started', () => resolve()))
  void worker.run()
  await started
  return worker
}

describe('workers quiet and resume', () => {
  test('drain one worker from afar, show it, and let it work again', async () => {
    const { id } = await serve('work')
    expect(await run('workers', 'quiet', id)).toMatchObject({ code: 0, stdout: `${id} is quiet\n` })
    expect((await run('workers')).stdout).toMatch(/^\S+ +quiet +wor/m)
    const job = await client.enqueue('echo', [1])
    expect((await run('job', 'explain', job!.jobId)).stdout).toContain('arq-ts workers resume')
    expect(await run('workers', 'resume', id)).toMatchObject({ code: 0, stdout: `${id} claims jobs again\n` })
    expect(await job!.result({ timeoutMs: 5_000 })).toBe(1)
  })

  test('take all workers, or those of a queue, and report each in JSON', async () => {
    const [here, there] = [await serve('work'), await serve('other')]
    const ofQueue = await run('workers', 'quiet', '--queue', 'other', '--json')
    expect(JSON.parse(ofQueue.stdout)).toEqual({
      workers: [{ worker: there.id, state: 'quiet', running: 0, followed: true }],
      absent: [],
    })
    const all = await run('workers', 'quiet', '--all', '--json')
    const { workers: ordered } = JSON.parse(all.stdout) as { workers: { worker: string }[] }
    expect(ordered.map(({ worker }) => worker).sort()).toEqual([here.id, there.id].sort())
  })

  test('refuse to take all without --all, and name an unknown id', async () => {
    const unchosen = await run('workers', 'quiet')
    expect(unchosen).toMatchObject({ code: 2, stderr: expect.stringContaining('choose workers') as string })
    const nobody = await run('workers', 'quiet', 'nobody:1:ab')
    expect(nobody).toMatchObject({ code: 1, stderr: expect.stringContaining('nobody:1:ab: no such live') as string })
  })
})

describe('queue history', () => {
  test('counts what ended in each queue, and says what it does not cover', async () => {
    await serve('work')
    for (let i = 0; i < 3; i++) await (await client.enqueue('echo', [i]))!.result({ timeoutMs: 5_000 })
    const bad = await client.enqueue('bad')
    await expect(bad!.result({ timeoutMs: 5_000 })).rejects.toThrow('no')
    await database.redis.set(
      'py:health-check',
      'Nov-24 12:00:00 j_complete=5 j_failed=2 j_retried=0 j_ongoing=1 queued=3',
    )
    const answer = await eventually(async () => {
      const { stdout } = await run('queue', 'history', '--days', '2', '--json')
      const found = JSON.parse(stdout) as { history: { complete: number; failed: number }[]; incomplete: string[] }
      return found.history[0]?.complete === 3 && found.history[0].failed === 1 ? found : undefined
    })
    expect(answer!.history).toMatchObject([{ queueName: 'work', complete: 3, failed: 1, dead: 1 }])
    expect(answer!.incomplete).toEqual([
      expect.stringContaining('py: a Python worker serves it'),
      expect.stringContaining('nothing is recorded of'),
    ])
    expect((await run('queue', 'history', 'work')).stdout).toMatch(/^\d{4}-\d\d-\d\d +work +3 +1 +0 +0 +1 /m)
    expect((await run('queue', 'history', '--days', '36')).code).toBe(2)
  })
})
