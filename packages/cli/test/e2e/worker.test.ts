import { copyFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Client, createLogger } from '@arq-ts/core'
import { eventually, freePort } from '@arq-ts/test-support'
import type { Child } from '@arq-ts/test-support'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { fixtures, useCommand } from '../support/command.ts'

const bench = useCommand()
const settings = join(fixtures, 'tasks.ts')
const logger = createLogger({ level: 'silent' })
let client: Client

beforeEach(() => {
  client = new Client({ redis: bench.database().url, logger, queueName: 'default' })
})
afterEach(() => client.close())

/** Started, and all its processes poll. */
async function startPool(args: readonly string[] = [], size = 1): Promise<Child> {
  const child = bench.start([
    'worker',
    settings,
    '--queue',
    'default',
    '--workers',
    String(size),
    '--log-format',
    'pretty',
    ...args,
  ])
  await eventually(async () => (await client.workers.list()).length === size)
  return child
}

const pids = async () => (await client.workers.list()).map((worker) => worker.pid).sort()

describe('a settings module', () => {
  test('in TypeScript runs without a build step, and gives all the tasks it exports', async () => {
    await startPool()
    const [worker] = await client.workers.list()
    expect([...worker!.functions].sort()).toEqual(['bad', 'crash', 'cron:nightly', 'echo', 'hold', 'where'])
    const job = await client.enqueue('echo', [[1]])
    expect(await job!.result({ timeoutMs: 10_000 })).toEqual({ value: [1], mark: 'done' })
  })

  test('keeps its own settings, but for what the command line says', async () => {
    const core = dirname(createRequire(import.meta.url).resolve('@arq-ts/core/package.json'))
    writeFileSync(
      join(bench.folder(), 'settings.mjs'),
      `import { defineTask } from '${core}/dist/index.js'
       export default { tasks: [defineTask({ name: 'own', handler: () => 1 })], queueName: 'own', maxJobs: 3 }`,
    )
    bench.start(['worker', 'settings.mjs', '--workers', '1', '--max-jobs', '7'])
    await eventually(async () => (await client.workers.list()).length === 1)
    expect(await client.workers.list()).toMatchObject([{ queues: ['own'], maxJobs: 7, functions: ['own'] }])
  })

  test.each([
    ['that is not there', 'nowhere.ts', /there is no settings module .*nowhere\.ts/],
    [
      'that imports what is not there',
      'lost.ts',
      /lost\.ts cannot be loaded: Cannot find module '.*tsaks\.js' imported from/,
    ],
    [
      'that imports a package that is not there',
      'bare.mjs',
      /bare\.mjs cannot be loaded: Cannot find package 'nowhere'/,
    ],
    ['without tasks', 'empty.mjs', /exports neither worker settings nor tasks/],
    ['that throws', 'throws.mjs', /throws\.mjs cannot be loaded:[^]*out of order/],
    ['that throws nothing', 'nothing.mjs', /nothing\.mjs cannot be loaded:[^]*undefined/],
    ['with a wrong option', 'wrong.mjs', /Unknown option `maxJob`, did you mean `maxJobs`\?/],
  ])('%s is refused at once, with exit 2', async (_, name, message) => {
    writeFileSync(join(bench.folder(), 'empty.mjs'), 'export const x = 1')
    writeFileSync(join(bench.folder(), 'lost.ts'), `export { tasks } from './tsaks.js'`)
    writeFileSync(join(bench.folder(), 'bare.mjs'), `import 'nowhere'`)
    writeFileSync(join(bench.folder(), 'throws.mjs'), 'throw new Error("out of order")')
    writeFileSync(join(bench.folder(), 'nothing.mjs'), 'throw undefined')
    copyFileSync(settings, join(bench.folder(), 'tasks.ts'))
    writeFileSync(
      join(bench.folder(), 'wrong.mjs'),
      'export default { maxJob: 1, tasks: [{ name: "x", handler() {}, bind() {}, pack() {} }] }',
    )
    const { code, stderr } = await bench.run(['worker', name, '--workers', '2'])
    expect(stderr).toMatch(message)
    expect(code).toBe(2)
  })
})

describe('a pool', () => {
  test('runs jobs in all its processes, and drains on SIGTERM', async () => {
    const pool = await startPool(['--max-jobs', '1'], 2)
    const jobs = await Promise.all([1, 2].map(() => client.enqueue('hold', [1_500])))
    await eventually(async () =>
      (await Promise.all(jobs.map((job) => job!.status()))).every((status) => status === 'in_progress'),
    )
    pool.kill('SIGTERM')
    expect(await pool.exited).toBe(0)
    expect(await Promise.all(jobs.map((job) => job!.result({ timeoutMs: 1_000 })))).toEqual(['held', 'held'])
    expect(await client.workers.list()).toEqual([])
  })

  test('does not wait for running jobs at a second SIGTERM: they go back, uncounted', async () => {
    const pool = await startPool()
    const job = await client.enqueue('hold', [60_000])
    await eventually(async () => (await job!.status()) === 'in_progress')
    pool.kill('SIGTERM')
    await pool.line(/SIGTERM: draining/)
    pool.kill('SIGTERM')
    expect(await pool.exited).toBe(0)
    expect(await client.jobs.details(job!.jobId)).toMatchObject({ status: 'queued', jobTry: 0 })
  })

  test('brings a crashed process back', async () => {
    const pool = await startPool(['--max-jobs', '1'])
    const [before] = await pids()
    await client.enqueue('crash', [], { jobId: 'c' })
    await pool.line(/ended with exit code 3; again in 500 ms/)
    await client.jobs.remove('c', { force: true })
    await eventually(async () => (await pids()).some((pid) => pid !== before))
    const job = await client.enqueue('echo', [1])
    expect(await job!.result({ timeoutMs: 10_000 })).toMatchObject({ value: 1 })
  })

  test('brings a killed process back, and its job runs again within the lease', async () => {
    const configured = join(bench.folder(), 'arq-ts.yaml')
    writeFileSync(configured, 'task_queue:\n  lease: 1\n')
    await startPool()
    const job = await client.enqueue('hold', [500])
    await eventually(async () => (await job!.status()) === 'in_progress')
    const [pid] = await pids()
    process.kill(pid!, 'SIGKILL')
    expect(await job!.result({ timeoutMs: 20_000 })).toBe('held')
    expect((await client.jobs.details(job!.jobId)).jobTry).toBe(2)
  })

  test('gives up on a crash loop, and says so', async () => {
    writeFileSync(
      join(bench.folder(), 'loop.mjs'),
      'export default { tasks: [{ name: "x", handler() {}, bind() {}, pack() {} }], onStartup() { process.exit(7) } }',
    )
    const { code, stderr } = await bench.run(['worker', 'loop.mjs', '--workers', '1', '--log-format', 'pretty'])
    expect(stderr).toMatch(/ended 5 times in a row.*exit code 7; giving up/)
    expect(code).toBe(1)
  })

  test('reloads on SIGHUP, one by one, while running jobs continue', async () => {
    const pool = await startPool(['--max-jobs', '1'], 2)
    const before = await pids()
    const held = await client.enqueue('hold', [2_000])
    await eventually(async () => (await held!.status()) === 'in_progress')
    pool.kill('SIGHUP')
    await pool.line(/\breloaded\b/)
    const job = await client.enqueue<number>('where')
    expect(before).not.toContain(await job!.result({ timeoutMs: 10_000 }))
    expect(await held!.result({ timeoutMs: 10_000 })).toBe('held')
    expect((await client.jobs.details(held!.jobId)).jobTry).toBe(1)
  })

  test('keeps what runs when a reload fails', async () => {
    const core = dirname(createRequire(import.meta.url).resolve('@arq-ts/core/package.json'))
    const file = join(bench.folder(), 'live.mjs')
    const version = (result: string) => `import { defineTask } from '${core}/dist/index.js'
      export const version = defineTask({ name: 'version', handler: () => '${result}' })`
    writeFileSync(file, version('one'))
    const pool = bench.start([
      'worker',
      'live.mjs',
      '--workers',
      '1',
      '--queue',
      'default',
      '--watch',
      '.',
      '--log-format',
      'pretty',
    ])
    await pool.line(/watching/)
    await eventually(async () => (await client.workers.list()).length === 1)
    const ask = async () => (await client.enqueue<string>('version'))!.result({ timeoutMs: 10_000 })
    expect(await ask()).toBe('one')
    writeFileSync(file, 'this is no JavaScript')
    await pool.line(/reloading failed, the running processes continue/)
    expect(await ask()).toBe('one')
    writeFileSync(file, version('two'))
    await pool.line(/\breloaded\b/)
    expect(await ask()).toBe('two')
  })

  test('ends with its queues in a burst', async () => {
    for (let i = 0; i < 20; i++) await client.enqueue('echo', [i])
    const { code } = await bench.run(['worker', settings, '--queue', 'default', '--workers', '2', '--burst'])
    expect(code).toBe(0)
    expect(await client.queues.stats('default')).toMatchObject({ pending: 0, complete: 20 })
  })

  test('its processes end when the supervisor is killed', async () => {
    const pool = await startPool([], 2)
    pool.kill('SIGKILL')
    await pool.exited
    await eventually(async () => (await client.workers.list()).length === 0)
  })

  test('reports its state to Prometheus and its probes', async () => {
    const port = await freePort()
    const pool = await startPool(['--metrics-port', String(port)], 2)
    const get = async (path: string) => fetch(`http://127.0.0.1:${port}${path}`)
    await eventually(async () => (await get('/readyz')).status === 200)
    for (const name of ['echo', 'bad', 'echo', 'echo'])
      await (await client.enqueue(name, [1]))!.result({ timeoutMs: 10_000 }).catch(() => {})
    await client.enqueue('echo', [1], { deferByMs: 60_000 })
    const text = await (await get('/metrics')).text()
    expect(text).toContain('arq_jobs_finished_total{queue="default",function="bad",outcome="failed"} 1')
    expect(text).toContain('arq_jobs_finished_total{queue="default",function="echo",outcome="complete"} 3')
    expect(text).toContain('arq_job_run_seconds_count{queue="default",function="echo"} 3')
    expect(text).toContain('arq_jobs_dead_total{queue="default",function="bad"} 1')
    expect(text).toContain('arq_queue_jobs{queue="default",state="deferred"} 1')
    expect(text).toContain('arq_pool_processes 2')
    expect(text).toMatch(/arq_nodejs_eventloop_lag_seconds \d/)
    expect((await get('/healthz')).status).toBe(200)
    expect((await get('/')).status).toBe(404)
    const held = await client.enqueue('hold', [1_500])
    await eventually(async () => (await held!.status()) === 'in_progress')
    pool.kill('SIGTERM')
    await pool.line(/SIGTERM: draining/)
    const draining = await get('/readyz')
    expect([draining.status, (await draining.text()).trim()]).toEqual([503, 'draining'])
    await pool.exited
  })
})

describe('queues of the command line', () => {
  test('may have weights', async () => {
    bench.start(['worker', settings, '--workers', '1', '--queue', 'high=3', '--queue', 'low'])
    await eventually(async () => (await client.workers.list()).length === 1)
    expect(await client.workers.list()).toMatchObject([{ queues: ['high', 'low'] }])
  })
})

test('--check reports health as arq does', async () => {
  expect(await bench.run(['worker', settings, '--check'])).toMatchObject({ code: 1 })
  await startPool()
  const { code, stdout } = await bench.run(['worker', settings, '--check', '--queue', 'default'])
  expect(stdout).toContain('j_complete=0')
  expect(code).toBe(0)
})
