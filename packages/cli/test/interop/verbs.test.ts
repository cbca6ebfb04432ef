import { fileURLToPath } from 'node:url'
import { ARQ_VERSIONS, Child } from '@arq-ts/test-support'
import { Client, createLogger, defineTask, Worker } from '@arq-ts/core'
import { beforeEach, describe, expect, test } from 'vitest'
import { useCommand } from '../support/command.ts'

const python = process.env[`ARQ_TEST_PYTHON_${ARQ_VERSIONS.at(-1)}`]
const logger = createLogger({ level: 'silent' })

/** Every verb, for people and as JSON, on a queue that Python's arq filled. */
describe.skipIf(!python)(
  `on a queue of Python's arq (${process.env.ARQ_TEST_NO_PYTHON ?? ARQ_VERSIONS.at(-1)})`,
  () => {
    const bench = useCommand()

    beforeEach(async () => {
      const fill = new Child(python!, [fileURLToPath(new URL('fill.py', import.meta.url)), bench.database().url])
      expect(await fill.exited, fill.lines.join('\n')).toBe(0)
    })

    test('queue ls', async () => {
      const { stdout, code } = await bench.run(['queue', 'ls'])
      expect(code).toBe(0)
      expect(stdout).toMatch(/^queue +queued +deferred +running +complete +failed +dead +oldest due +workers$/m)
      expect(stdout).toMatch(/^default +1 +1 +0 /m)
      expect(stdout).toMatch(/^reports +1 +0 +0 /m)
      const ls = await bench.json<{ queues: { queueName: string; pending: number }[]; complete: boolean }>([
        'queue',
        'ls',
      ])
      expect(ls.complete).toBe(true)
      expect(ls.queues.map(({ queueName, pending }) => [queueName, pending])).toEqual([
        ['default', 1],
        ['reports', 1],
      ])
    })

    test('queue show', async () => {
      expect((await bench.run(['queue', 'show', 'default'])).stdout).toMatch(/^queued +1\ndeferred +1\n/m)
      expect(await bench.json(['queue', 'show'])).toMatchObject({ queueName: 'default', pending: 1, deferred: 1 })
    })

    test('queue pause, and resume', async () => {
      expect(await bench.json(['queue', 'pause'])).toMatchObject({ queueName: 'default', paused: true, changed: true })
      expect((await bench.run(['queue', 'pause'])).stdout).toBe('default was paused already\n')
      expect((await bench.run(['queue', 'ls'])).stdout).toContain('default (paused)')
      expect((await bench.run(['queue', 'resume', 'default'])).stdout).toBe('default resumed\n')
      expect(await bench.json(['queue', 'resume'])).toMatchObject({ paused: false, changed: false })
    })

    test('queue purge asks, counts, and removes', async () => {
      const unasked = await bench.run(['queue', 'purge', 'default'])
      expect(unasked).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('would remove 2 jobs of default') as string,
      })
      expect(await bench.run(['queue', 'purge', 'default', '--dry-run'])).toMatchObject({
        code: 0,
        stderr: expect.stringContaining('dry run') as string,
      })
      expect(await bench.json(['queue', 'purge', 'default', '--yes'])).toEqual({
        queueName: 'default',
        removed: 2,
        matching: 2,
        dryRun: false,
      })
      expect(await bench.json(['queue', 'show'])).toMatchObject({ pending: 0, deferred: 0 })
    })

    test('job ls', async () => {
      const { stdout } = await bench.run(['job', 'ls'])
      expect(stdout).toMatch(
        /^py-queued +py_echo +default +queued +0 +\d+ (ms|s).* ago +\(1, \{'a': \[None, True\]\}\)$/m,
      )
      expect(stdout).toMatch(
        /^py-deferred +delete_collection +default +deferred +0 +in 59 min.* +collection_name='old', grace_period_minutes=60$/m,
      )
      expect(stdout).toMatch(/^py-other +\S+ +reports +queued /m)
      const ended = await bench.run(['job', 'ls', '--status', 'failed', '--status', 'complete'])
      expect(ended.stdout).toMatch(/^py-failed +py_fail +default +failed +1 +.* ago +ValueError: \('no good', 7\)$/m)
      expect(ended.stdout).toMatch(/^py-done +py_echo +default +complete +1 /m)
      const only = await bench.json<{ jobs: { jobId: string }[] }>([
        'job',
        'ls',
        '--status',
        'deferred',
        '--function',
        'delete_collection',
      ])
      expect(only.jobs.map((job) => job.jobId)).toEqual(['py-deferred'])
      expect((await bench.run(['job', 'ls', '--limit', '1'])).stderr).toContain('the first 1; --limit shows more')
      expect((await bench.run(['job', 'ls', '--queue', 'nothing'])).stderr).toContain('no such jobs in nothing')
    })

    test("job show: Python's results, errors, and jobs in any queue", async () => {
      expect(await bench.json(['job', 'show', 'py-done'])).toMatchObject({
        status: 'complete',
        functionName: 'py_echo',
        success: true,
        queueName: 'default',
      })
      const failed = await bench.run(['job', 'show', 'py-failed'])
      expect(failed.stdout).toMatch(/^status +failed$/m)
      expect(failed.stdout).toMatch(/^error +ValueError: \('no good', 7\)$/m)
      expect(await bench.json(['job', 'show', 'py-other'])).toMatchObject({ status: 'queued', queueName: 'reports' })
      const absent = await bench.run(['job', 'show', 'nobody'])
      expect(absent).toMatchObject({ code: 1, stderr: expect.stringContaining('no job nobody') as string })
      expect(JSON.parse((await bench.run(['job', 'show', 'nobody', '--json'])).stdout)).toMatchObject({
        ok: false,
        error: { message: expect.stringContaining('no job nobody') as string },
      })
    })

    test('job enqueue, watch, and what became of it', async () => {
      const worker = new Worker({
        redis: bench.database().url,
        queueName: 'typed',
        tasks: [
          defineTask({ name: 'sum', handler: (ctx, ...numbers: number[]) => [numbers, ctx.kwargs] }),
          defineTask({ name: 'bad', handler: () => Promise.reject(new Error('bad luck')) }),
        ],
        logger,
        handleSignals: false,
      })
      void worker.run()
      const waited = await bench.json([
        'job',
        'enqueue',
        'sum',
        '1',
        '2',
        'k={"a": [1]}',
        '--queue',
        'typed',
        '--codec',
        'pickle',
        '--wait',
      ])
      expect(waited).toMatchObject({ success: true, result: [[1, 2], { k: { a: [1] } }] })
      const bad = await bench.run(['job', 'enqueue', 'bad', '--queue', 'typed', '--wait', '--job-id', 'b1'])
      expect(bad).toMatchObject({ code: 1, stderr: expect.stringContaining('Error: bad luck') as string })
      expect((await bench.run(['job', 'watch', 'b1'])).code).toBe(1)
      expect((await bench.run(['job', 'enqueue', 'bad', '--queue', 'typed', '--job-id', 'b1'])).stderr).toContain(
        'nothing was enqueued',
      )
      expect((await bench.run(['job', 'retry', 'b1'])).stdout).toBe('b1 queued again\n')
      expect((await bench.run(['workers'])).stdout).toContain('typed')
      expect(await bench.json(['workers'])).toMatchObject({
        workers: [
          { language: 'arq-ts', queues: ['typed'], functions: ['sum', 'bad'] },
          { language: 'python', queues: ['default'], worker: 'Python on default', functions: null },
        ],
        complete: true,
      })
      await worker.stop()
      expect((await bench.run(['workers'])).stdout).toMatch(/^Python on default +alive +default +\d+\/\? /m)
    })

    test('job enqueue --defer is deferred, and refuses what it does not understand', async () => {
      const { stdout } = await bench.run(['job', 'enqueue', 'later', '--defer', '5m'])
      const job = await bench.json<{ status: string; dueTime: string }>(['job', 'show', stdout.trim()])
      expect(job.status).toBe('deferred')
      expect(Date.parse(job.dueTime) - Date.now()).toBeGreaterThan(280_000)
      expect(await bench.run(['job', 'enqueue', 'later', '--defer', 'soon'])).toMatchObject({
        code: 2,
        stderr: "arq-ts: expected a duration such as 30s, 5m or 2h, got 'soon'\n",
      })
      expect((await bench.run(['job', 'enqueue', 'later', '--defer', '1s', '--at', '2030-01-01'])).code).toBe(2)
    })

    test('job abort of a queued job waits for a worker to meet it', async () => {
      const lonely = await bench.run(['job', 'abort', 'py-queued', '--timeout', '200ms'])
      expect(lonely).toMatchObject({ code: 1, stderr: expect.stringContaining('no worker has heard of it') as string })
      const worker = new Worker({
        redis: bench.database().url,
        queueName: 'default',
        tasks: [defineTask({ name: 'py_echo', handler: () => 1 })],
        logger,
        handleSignals: false,
      })
      void worker.run()
      expect((await bench.run(['job', 'abort', 'py-deferred'])).stdout).toBe('py-deferred is aborted\n')
      expect(await bench.run(['job', 'abort', 'py-done'])).toMatchObject({ code: 1 })
      await worker.stop()
    })

    test("job retry of a Python worker's failure", async () => {
      expect((await bench.run(['job', 'retry', 'py-failed', '--delay', '1m'])).stdout).toBe('py-failed queued again\n')
      expect(await bench.json(['job', 'show', 'py-failed'])).toMatchObject({ status: 'deferred', args: [7] })
      expect(await bench.run(['job', 'retry', 'py-done'])).toMatchObject({ code: 1 })
    })

    test('job rm', async () => {
      expect((await bench.run(['job', 'rm', 'py-queued', 'py-done', 'nobody'])).stderr).toContain('nobody: no such job')
      expect((await bench.run(['job', 'show', 'py-queued'])).code).toBe(1)
    })

    describe('dead letters', () => {
      beforeEach(async () => {
        // A worker of ours fails what Python enqueued, and what it does not have.
        const worker = new Worker({
          redis: bench.database().url,
          queueName: 'default',
          tasks: [defineTask({ name: 'py_echo', handler: () => Promise.reject(new Error('time out')) })],
          logger,
          maxBurstJobs: 1,
          burst: true,
          handleSignals: false,
        })
        await worker.run()
      })

      test('dead ls, show', async () => {
        expect((await bench.run(['dead', 'ls'])).stdout).toMatch(
          /^py-queued +py_echo +default +1 +\d+ (ms|s).* ago +Error: time out$/m,
        )
        expect((await bench.run(['dead', 'show', 'py-queued'])).stdout).toMatch(/^arguments +\(1, /m)
        expect(
          await bench.json(['dead', 'ls', '--error', 'time out', '--function', 'py_echo', '--queue', 'default']),
        ).toMatchObject({ deadLetters: [{ jobId: 'py-queued' }], total: 1, complete: true })
        expect(await bench.json(['dead', 'ls', '--older-than', '1h'])).toMatchObject({ deadLetters: [] })
        expect((await bench.run(['dead', 'ls', '--group-by', 'error'])).stdout).toMatch(
          /^ +1 +Error: time out +py_echo +.* ago +py-queued$/m,
        )
        expect((await bench.run(['dead', 'show', 'nobody'])).code).toBe(1)
      })

      test('dead retry, purge: a choice, a count, a dry run', async () => {
        expect((await bench.run(['dead', 'purge'])).stderr).toContain('choose dead letters')
        expect((await bench.run(['dead', 'retry', '--all'])).stderr).toContain('would retry 1 dead letter; add --yes')
        expect((await bench.run(['dead', 'retry', '--all', '--dry-run'])).stderr).toContain('dry run')
        expect(await bench.json(['dead', 'retry', 'py-queued', '--yes'])).toEqual({
          matching: 1,
          retried: 1,
          refused: [],
          dryRun: false,
        })
        expect(await bench.json(['job', 'show', 'py-queued'])).toMatchObject({ status: 'queued', dead: false })
        expect((await bench.run(['dead', 'purge', '--all', '--yes'])).stderr).toBe('no dead letters match\n')
      })
    })

    test('health, and doctor', async () => {
      expect(await bench.run(['health', '--queue', 'reports'])).toMatchObject({ code: 1 })
      const deep = await bench.json<{ checks: { check: string; ok: boolean }[] }>(['health', '--deep'])
      expect(deep.checks.map(({ check }) => check)).toEqual([
        'worker of default',
        'redis',
        'workers of default',
        'oldest due job of default',
        'eviction policy',
        'workers of reports',
      ])
      const client = new Client({ redis: bench.database().url, logger })
      await client.queues.pause('reports')
      await client.close()
      expect((await bench.run(['doctor', '--queue', 'reports'])).stdout).toContain('reports: paused, with 1 due')
      const output = await bench.json<{ findings: { check: string }[]; complete: boolean }>([
        'doctor',
        '--queue',
        'reports',
        '--fix',
      ])
      expect(output.complete).toBe(true)
      expect(output.findings.map(({ check }) => check)).toContain('paused')
    })

    test('events prints what workers do', async () => {
      const events = bench.start(['events', '--count', '2', '--json'])
      await events.line(/listening/)
      const worker = new Worker({
        redis: bench.database().url,
        queueName: 'default',
        tasks: [defineTask({ name: 'py_echo', handler: () => 1 })],
        logger,
        maxBurstJobs: 1,
        burst: true,
        handleSignals: false,
      })
      await worker.run()
      expect(await events.exited).toBe(0)
      const output = events.lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as object)
      expect(output).toMatchObject([
        { event: 'jobStarted', jobId: 'py-queued' },
        { event: 'jobFinished', outcome: 'complete' },
      ])
    })
  },
)
