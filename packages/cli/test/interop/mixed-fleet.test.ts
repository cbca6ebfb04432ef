import { fileURLToPath } from 'node:url'
import { ARQ_VERSIONS, Child, eventually } from '@arq-ts/test-support'
import { Client, createLogger, defineTask, Worker } from '@arq-ts/core'
import type { Job, QueueStats } from '@arq-ts/core'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { useCommand } from '../support/command.ts'

const python = process.env[`ARQ_TEST_PYTHON_${ARQ_VERSIONS.at(-1)}`]
const logger = createLogger({ level: 'silent' })

/** A Python worker and ours serve one queue at the same time, and each runs a job that does not end. */
describe.skipIf(!python)(
  `next to a Python worker (${process.env.ARQ_TEST_NO_PYTHON ?? ARQ_VERSIONS.at(-1)}) that runs a job`,
  () => {
    const bench = useCommand()
    let pythonWorker: Child
    let worker: Worker
    let client: Client
    let held: { python: Job; ours: Job }

    beforeEach(async () => {
      const redis = bench.database().url
      client = new Client({ redis, logger, queueName: 'default', codec: 'pickle' })
      pythonWorker = new Child(python!, ['-u', fileURLToPath(new URL('serve.py', import.meta.url)), redis])
      await pythonWorker.line(/ready/)
      const byPython = (await client.enqueue('py_hold', [], { jobId: 'held-by-python' }))!
      await eventually(async () => (await byPython.status()) === 'in_progress')
      worker = new Worker({
        redis,
        queueName: 'default',
        tasks: [
          defineTask({
            name: 'ts_hold',
            handler: ({ signal }) =>
              new Promise((_, reject) =>
                signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
              ),
          }),
        ],
        // Functions it does not have are for Python.
        unknownFunction: 'release',
        logger,
        handleSignals: false,
      })
      const started = new Promise<void>((resolve) => worker.once('started', () => resolve()))
      void worker.run()
      await started
      // Python's worker would fail what it does not have.
      pythonWorker.kill('SIGSTOP')
      const byOurs = (await client.enqueue('ts_hold', [], { jobId: 'held-by-ours' }))!
      await eventually(async () => (await byOurs.status()) === 'in_progress')
      pythonWorker.kill('SIGCONT')
      held = { python: byPython, ours: byOurs }
    })
    afterEach(async () => {
      pythonWorker.kill('SIGKILL')
      await pythonWorker.exited
      await worker.stop()
      await client.close()
    })

    test('the queue in numbers counts the jobs of both', async () => {
      expect(await bench.json<QueueStats>(['queue', 'show', 'default'])).toMatchObject({
        running: 2,
        pending: 0,
        deferred: 0,
        workers: 1,
        exact: true,
      })
      expect((await bench.run(['queue', 'ls'])).stdout).toMatch(/^default +0 +0 +2 /m)
      const { jobs } = await bench.json<{ jobs: { jobId: string; status: string }[] }>([
        'job',
        'ls',
        '--queue',
        'default',
      ])
      expect(Object.fromEntries(jobs.map((job) => [job.jobId, job.status]))).toEqual({
        'held-by-python': 'running',
        'held-by-ours': 'running',
      })
    })

    test('is healthy, whoever wrote the health line last', async () => {
      expect(await bench.run(['health', '--queue', 'default'])).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^✓ worker of default .*j_complete=0/) as string,
      })
      const deep = await bench.json<{ ok: boolean; checks: { check: string; ok: boolean }[] }>(['health', '--deep'])
      expect(deep.checks).toContainEqual(expect.objectContaining({ check: 'workers of default', ok: true }))
    })

    test('a doctor that repairs leaves the jobs of both where they run', async () => {
      await bench.run(['doctor', '--fix'])
      const { findings } = await bench.json<{ findings: { check: string; queueName: string | null }[] }>([
        'doctor',
        '--fix',
      ])
      expect(findings.filter(({ queueName }) => queueName !== null)).toEqual([])
      expect(await Promise.all([held.python.status(), held.ours.status()])).toEqual(['in_progress', 'in_progress'])
      // Nobody ran them a second time.
      expect(await bench.database().redis.lrange('py:holding', 0, -1)).toEqual(['held-by-python'])
      expect((await client.jobs.details('held-by-ours')).jobTry).toBe(1)
    })
  },
)
