import { fileURLToPath } from 'node:url'
import { ARQ_VERSIONS, Child } from '@arq-ts/test-support'
import { createLogger, cron, defineTask, Worker } from '@arq-ts/core'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { useCommand } from '../support/command.ts'

const python = process.env[`ARQ_TEST_PYTHON_${ARQ_VERSIONS.at(-1)}`]
const logger = createLogger({ level: 'silent' })

/** Verbs that verbs.test.ts shows in one way only: for people there, as JSON here, and the other way round. */
describe.skipIf(!python)(
  `on a queue of Python's arq (${process.env.ARQ_TEST_NO_PYTHON ?? ARQ_VERSIONS.at(-1)}), the other way`,
  () => {
    const bench = useCommand()
    const workers: Worker[] = []

    beforeEach(async () => {
      const fill = new Child(python!, [fileURLToPath(new URL('fill.py', import.meta.url)), bench.database().url])
      expect(await fill.exited, fill.lines.join('\n')).toBe(0)
    })
    afterEach(() => Promise.all(workers.splice(0).map((worker) => worker.stop())))

    /** A worker of ours on the queue, which has registered. */
    async function serve(handler: () => unknown): Promise<void> {
      const worker = new Worker({
        redis: bench.database().url,
        queueName: 'default',
        tasks: [defineTask({ name: 'py_echo', handler }), defineTask({ name: 'delete_collection', handler })],
        cron: [cron('cron:nightly', { hour: 2, minute: 0 }, () => {})],
        timeZone: 'UTC',
        logger,
        handleSignals: false,
      })
      const started = new Promise<void>((resolve) => worker.once('started', () => resolve()))
      workers.push(worker)
      void worker.run()
      await started
    }

    /** As JSON, whatever the exit code. */
    async function answered(args: readonly string[]): Promise<{ code: number; output: unknown }> {
      const { code, stdout } = await bench.run([...args, '--json'])
      return { code, output: JSON.parse(stdout) as unknown }
    }

    const refusal = (text: string) => ({ ok: false, error: { message: expect.stringContaining(text) as string } })

    test('job retry as JSON', async () => {
      expect(await answered(['job', 'retry', 'py-failed'])).toEqual({
        code: 0,
        output: { matching: 1, done: 1, refused: [], dryRun: false, complete: true, incomplete: [] },
      })
      expect(await answered(['job', 'retry', 'py-failed'])).toMatchObject({
        code: 1,
        output: { done: 0, refused: [{ jobId: 'py-failed', reason: 'it is queued or running already' }] },
      })
      expect(await answered(['job', 'retry', 'py-done'])).toMatchObject({
        code: 1,
        output: { refused: [{ jobId: 'py-done', reason: expect.stringContaining('succeeded') as string }] },
      })
    })

    test('job abort as JSON', async () => {
      expect(await answered(['job', 'abort', 'py-queued', '--timeout', '100ms'])).toMatchObject({
        code: 1,
        output: refusal('no worker has heard of it'),
      })
      await serve(() => 1)
      expect(await answered(['job', 'abort', 'py-deferred'])).toMatchObject({
        code: 0,
        output: { jobId: 'py-deferred', aborted: true },
      })
      expect(await answered(['job', 'abort', 'py-done'])).toMatchObject({
        code: 1,
        output: refusal('has ended already'),
      })
    })

    test('job rm as JSON', async () => {
      expect(await answered(['job', 'rm', 'py-queued', 'nobody'])).toMatchObject({
        code: 1,
        output: { matching: 2, done: 1, refused: [{ jobId: 'nobody', reason: 'no such job' }] },
      })
    })

    test('job watch as JSON', async () => {
      expect(await answered(['job', 'watch', 'py-done'])).toMatchObject({
        code: 0,
        output: { jobId: 'py-done', success: true, result: { got: expect.anything() as unknown } },
      })
      expect(await answered(['job', 'watch', 'py-failed'])).toMatchObject({
        code: 1,
        output: { jobId: 'py-failed', success: false, error: "ValueError: ('no good', 7)" },
      })
      expect(await answered(['job', 'watch', 'py-deferred', '--timeout', '100ms'])).toMatchObject({
        code: 1,
        output: refusal('100 ms'),
      })
      expect(await answered(['job', 'watch', 'nobody'])).toMatchObject({ code: 1, output: refusal('no job nobody') })
    })

    test('dead show and dead purge as JSON, and for a person', async () => {
      await serve(() => Promise.reject(new Error('time out')))
      expect((await bench.run(['job', 'watch', 'py-queued'])).code).toBe(1)
      expect(await answered(['dead', 'show', 'py-queued'])).toMatchObject({
        code: 0,
        output: {
          jobId: 'py-queued',
          functionName: 'py_echo',
          error: 'Error: time out',
          job: { args: [[1, expect.anything()]] },
        },
      })
      expect(await answered(['dead', 'show', 'nobody'])).toMatchObject({ code: 1, output: refusal('no dead letter') })
      const dryRun = { matching: 1, purged: 0, refused: [], dryRun: true }
      expect(await answered(['dead', 'purge', '--all', '--dry-run'])).toEqual({ code: 0, output: dryRun })
      expect((await bench.run(['dead', 'purge', '--all', '--yes'])).stdout).toBe('1 dead letter removed\n')
    })

    test('queue purge for a person', async () => {
      expect(await bench.run(['queue', 'purge', 'default', '--yes'])).toEqual({
        code: 0,
        stdout: '2 jobs removed from default\n',
        stderr: '',
      })
    })

    test('health, both ways', async () => {
      // Python's worker has left a line.
      expect(await bench.run(['health'])).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^✓ worker of default .*j_ongoing=\d/) as string,
      })
      expect(await answered(['health', '--queue', 'reports'])).toMatchObject({
        code: 1,
        output: { ok: false, checks: [{ check: 'worker of reports', ok: false }] },
      })
      expect((await bench.run(['health', '--queue', 'reports'])).stdout).toMatch(/^✗ worker of reports/)
      expect((await bench.run(['health', '--deep'])).stdout).toMatch(/^✓ redis +redis:.* answered in \d+ ms$/m)
    })

    test('cron ls for a person', async () => {
      expect((await bench.run(['cron', 'ls'])).stderr).toBe('no live arq-ts worker has cron jobs\n')
      await serve(() => 1)
      expect((await bench.run(['cron', 'ls'])).stdout).toMatch(
        /^cron:nightly +hour=2 minute=0 +\d{4}-\d\d-\d\d \d\d:00:00 {2}\(in .*\) +default +1$/m,
      )
    })

    test('events for a person', async () => {
      const events = bench.start(['events', '--count', '2'])
      await events.line(/listening/)
      await serve(() => 1)
      expect(await events.exited).toBe(0)
      expect(events.lines).toEqual([
        'listening; Ctrl-C ends',
        expect.stringMatching(/^[\d:.]{12} +started +py-queued:py_echo +default +waited /) as string,
        expect.stringMatching(/^[\d:.]{12} +finished +py-queued:py_echo +default +ran /) as string,
      ])
    })

    test('top as JSON', async () => {
      const { code, output } = await answered(['top'])
      expect(code).toBe(0)
      expect(output).toMatchObject({
        queues: [
          { queueName: 'default', pending: 1, deferred: 1 },
          { queueName: 'reports', pending: 1 },
        ],
        workers: [],
        dead: [],
        countDead: 0,
      })
    })

    test('config as JSON', async () => {
      const rows = (await answered(['config', 'show'])).output as { key: string; value: unknown; source: string }[]
      expect(rows).toContainEqual({ key: 'max_jobs', value: 10, source: 'default' })
      expect(rows.find(({ key }) => key === 'redis_url')).toMatchObject({ source: '--redis' })
      expect(await answered(['config', 'check'])).toEqual({
        code: 0,
        output: { ok: true, file: null, given: expect.any(Number) as number },
      })
      expect(await answered(['config', 'check', '--config', 'nowhere.yaml'])).toMatchObject({
        code: 2,
        output: { ok: false, error: { code: 'ARQ_INVALID_CONFIG' } },
      })
      expect(await bench.json(['config', 'schema'])).toMatchObject({ type: 'object' })
    })
  },
)
