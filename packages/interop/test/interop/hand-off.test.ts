import { Client, createLogger } from '@arq-ts/core'
import { ARQ_VERSIONS, eventually, takeDatabase } from '@arq-ts/test-support'
import type { Child, Database } from '@arq-ts/test-support'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { noPython, pythonOf } from '../../src/python.ts'
import { pythonWorker, typescriptWorkerProcess } from '../../src/workers.ts'

describe.skipIf(noPython !== undefined)('jobs that are handed to idle workers, next to a Python worker', () => {
  const interpreter = pythonOf(ARQ_VERSIONS.at(-1)!) as string
  let database: Database
  let client: Client
  const children: Child[] = []

  beforeEach(async () => {
    database = await takeDatabase()
    client = new Client({ redis: database.url, logger: createLogger({ level: 'silent' }), codec: 'pickle' })
  })
  afterEach(async () => {
    for (const child of children.splice(0)) {
      child.kill('SIGKILL')
      await child.exited
    }
    await client.close()
    await database.release()
  })

  const settings = (name: string) => ({ url: database.url, codec: 'pickle', name }) as const
  async function start(name: 'py' | 'ts'): Promise<Child> {
    const { child } =
      name === 'py'
        ? await pythonWorker(interpreter, settings('py'))
        : await typescriptWorkerProcess(settings('ts'), { handOff: true, pollDelayMs: 60_000 })
    children.push(child)
    return child
  }
  const waiting = () => database.redis.llen('arq:waiting:arq:queue')

  test('run once each, whoever runs them', async () => {
    await start('py')
    await start('ts')
    await eventually(async () => (await waiting()) === 1)
    const jobs: string[] = []
    for (let i = 0; i < 60; i++) {
      const job = (await client.enqueue('record', [1]))!
      jobs.push(job.jobId)
      if (i % 3 === 0) await job.result({ timeoutMs: 10_000 })
    }
    for (const jobId of jobs) await client.job(jobId).result({ timeoutMs: 10_000 })
    const runs = await Promise.all(jobs.map((jobId) => database.redis.lrange(`ran:${jobId}`, 0, -1)))
    expect(runs.map((names) => names.length)).toEqual(jobs.map(() => 1))
    expect(runs.flat()).toContain('ts')
  })

  test('are left alone by Python while they are held, and run by it once when the worker does not take them', async () => {
    const frozen = await start('ts')
    await eventually(async () => (await waiting()) === 1)
    await start('py')
    frozen.kill('SIGSTOP')
    const job = (await client.enqueue('record', [1]))!
    expect(await job.status()).toBe('in_progress')
    expect(await job.result({ timeoutMs: 10_000 })).toBe('py')
    const counted = await database.redis.get(`arq:retry:${job.jobId}`)
    expect(counted).toBeNull()
    frozen.kill('SIGCONT')
    await eventually(async () => (await waiting()) === 1) // it has read the hand-off, and waits for more
    expect(await database.redis.lrange(`ran:${job.jobId}`, 0, -1)).toEqual(['py'])
    expect(await job.result()).toBe('py')
  })
})
