import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from '@arq-ts/test-support'
import { afterEach, describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { defineTask, Worker } from '../../src/index.ts'
import type { Job, JobContext, SandboxOptions, TaskOptions, WorkerOptions } from '../../src/index.ts'
import { Member } from '../../src/sandbox/member.ts'
import { SandboxPool } from '../../src/sandbox/pool.ts'
import { resolveSandbox } from '../../src/sandbox/sandbox.ts'
import { silent, useHarness } from './support.ts'

const bench = useHarness()
const fixture = (name: string) => new URL(`../fixtures/${name}`, import.meta.url)
const KINDS = ['process', 'thread'] as const

/** A task whose jobs do what they are asked for, in a sandbox. */
function actTask(sandbox: Partial<SandboxOptions>, options: TaskOptions & { limits?: never[] } = {}) {
  return defineTask({
    name: 'act',
    params: z.looseObject({ act: z.string() }),
    sandbox: { module: fixture('sandbox-acts.mjs'), ...sandbox },
    ...options,
  })
}

const free = defineTask({ name: 'free', handler: (_ctx, value: number) => value })
const act = async (task: ReturnType<typeof actTask>, name: string, more: object = {}) =>
  (await bench.client().enqueue(task, { act: name, ...more })) as Job
const end = (job: Job) => job.result({ timeoutMs: 20_000 }).catch((error: unknown) => error)

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe.each(KINDS)('a job in a %s', (kind) => {
  test('gets its context, what onStart returned, and values that a structured clone carries', async () => {
    const task = actTask({ kind, max: 1 })
    const worker = await bench.worker({ tasks: [task] })
    const job = await act(task, 'context')
    expect(await end(job)).toMatchObject({
      greeting: 'hello',
      jobId: job.jobId,
      jobTry: 1,
      kwargs: {},
      queueName: 'arq:queue',
      isAborted: false,
    })
    const where = String(await end(await act(task, 'where')))
    expect(where.startsWith(`${process.pid}/`)).toBe(kind === 'thread')
    const values = actTask({ kind })
    const client = bench.client({ codec: 'pickle' })
    const valued = await client.enqueue(values, { act: 'values' })
    expect(await valued!.result({ timeoutMs: 20_000 })).toEqual({
      at: new Date(0),
      bytes: new Uint8Array([1, 2]),
      big: 2n ** 70n,
      map: new Map([[1, new Set([2])]]),
      none: null,
    })
    expect(worker.sandboxes.get('act')).toMatchObject({ kind, size: 1, busy: 0, died: 0 })
  })

  test('fails by the error that its handler throws, and is retried by one', async () => {
    const task = actTask({ kind, max: 1 })
    await bench.worker({ tasks: [task] })
    const failed = (await end(await act(task, 'fail'))) as Error
    expect(failed).toMatchObject({ code: 'E_FUNDS' })
    expect(failed.message).toContain('declined')
    expect(await end(await act(task, 'retry'))).toBe(2)
    expect(await end(await act(task, 'unfit'))).toMatchObject({
      code: 'ARQ_RESULT',
      message: expect.stringContaining('act() returned what does not cross from its sandbox: `list.1.run`: a function'),
    })
    expect(await end(await act(task, 'instance'))).toMatchObject({
      message: expect.stringContaining('`at`: an instance of Point'),
    })
  })

  test('logs and reports its progress by its worker', async () => {
    const task = actTask({ kind, max: 1 }, { record: { logs: true } })
    await bench.worker({ tasks: [task] })
    const job = await act(task, 'report')
    const entries: object[] = []
    for await (const entry of job.events({ signal: AbortSignal.timeout(20_000) })) entries.push(entry)
    expect(entries).toMatchObject([
      { kind: 'log', level: 'info', message: 'half of 2', fields: { step: 1 } },
      { kind: 'log', level: 'warn', message: 'a warning', fields: { part: 'b', err: 'TypeError: odd' } },
      { kind: 'progress', fraction: 0.5, message: 'half' },
      { kind: 'end', outcome: 'complete' },
    ])
  })

  test('cannot end its worker by a call that the worker refuses', async () => {
    const task = actTask({ kind, max: 1 })
    await bench.worker({ tasks: [task] })
    expect(await end(await act(task, 'misuse'))).toBe('went well')
  })

  test('that computes for ever is ended at its timeout; the leases and other jobs of its process stay', async () => {
    const task = actTask({ kind, max: 2 }, { timeoutMs: 2_000 })
    const runs: number[] = []
    let finish = () => {}
    const finished = new Promise<void>((resolve) => (finish = resolve))
    const neighbor = defineTask({
      name: 'neighbor',
      handler: async (ctx) => {
        runs.push(ctx.jobTry)
        await finished
        return 'stayed'
      },
    })
    const worker = await bench.worker({ tasks: [task, neighbor, free], leaseMs: 1_000 })
    const lost: string[] = []
    worker.on('leaseLost', ({ jobId }) => lost.push(jobId))
    const client = bench.client()
    const other = (await client.enqueue(neighbor, []))!
    const loop = await act(task, 'loop')
    await eventually(() => worker.sandboxes.get('act')!.busy === 1)
    expect(await end(await act(task, 'echo', { value: 7 }))).toBe(7)
    expect(await (await client.enqueue(free, [1]))!.result({ timeoutMs: 20_000 })).toBe(1)
    const error = await end(loop)
    expect(error).toMatchObject({ message: 'TimeoutError: the job ran longer than its timeout of 2000 ms' })
    await eventually(() => worker.sandboxes.get('act')!.busy === 0)
    expect(worker.sandboxes.get('act')).toMatchObject({ died: 1 })
    finish()
    expect(await other.result({ timeoutMs: 20_000 })).toBe('stayed')
    expect([runs, lost]).toEqual([[1], []])
  })

  test('that is aborted ends by its signal, or is killed after the grace', async () => {
    const task = actTask({ kind, max: 2 })
    const worker = await bench.worker({ tasks: [task] })
    for (const name of ['clean', 'hang', 'loop']) {
      const job = await act(task, name)
      await eventually(() => worker.sandboxes.get('act')!.busy === 1)
      expect([name, await job.abort({ timeoutMs: 20_000 })]).toEqual([name, true])
      await eventually(() => worker.sandboxes.get('act')!.busy === 0)
    }
    expect(worker.sandboxes.get('act')!.died).toBe(2)
  })

  test('that ends its sandbox fails alone, by what ended it, and the next one has a new sandbox', async () => {
    const task = actTask({ kind, max: 2, memoryMb: 32 })
    const worker = await bench.worker({ tasks: [task] })
    const other = await act(task, 'clean')
    await eventually(() => worker.sandboxes.get('act')!.busy === 1)
    const ends: [string, string, string][] = [
      ['exit', 'ARQ_SANDBOX_DIED', `the ${kind} of the job ended with exit code 3 before the job ended`],
      ['stray', 'ARQ_SANDBOX_DIED', `the ${kind} of the job ended by an error that nobody caught: RangeError: stray`],
      ['heap', 'ARQ_SANDBOX_MEMORY', `the ${kind} of the job took more than its 32 MiB (sandbox.memoryMb)`],
      ['buffers', 'ARQ_SANDBOX_MEMORY', `the ${kind} of the job took more than its 32 MiB (sandbox.memoryMb)`],
    ]
    if (kind === 'process') ends.push(['crash', 'ARQ_SANDBOX_DIED', 'the process of the job was killed by SIGABRT'])
    for (const [name, code, message] of ends) {
      const error = await end(await act(task, name))
      expect(error).toMatchObject({ code, message: expect.stringContaining(message) })
    }
    expect(await end(await act(task, 'echo', { value: 1 }))).toBe(1)
    expect(await other.status()).toBe('in_progress')
    expect(worker.sandboxes.get('act')!.died).toBe(ends.length)
    await other.abort({ timeoutMs: 20_000 })
  }, 60_000)
})

describe('a pool', () => {
  const pause = (sandbox: Partial<SandboxOptions>, options: TaskOptions = {}) =>
    defineTask({
      name: 'pause',
      sandbox: { module: fixture('sandbox-acts.mjs'), export: 'pause', ...sandbox },
      ...options,
    })

  test('grows to its bound, lets jobs wait outside of their timeouts, and shrinks when it is idle', async () => {
    // The last of them starts after more than their timeout.
    const task = pause({ kind: 'thread', max: 2, idleMs: 50 }, { timeoutMs: 1_500 })
    const worker = await bench.worker({ tasks: [task], maxJobs: 10 })
    const stats = () => worker.sandboxes.get('pause')!
    const outcomes = await bench.client().enqueueMany(Array.from({ length: 8 }, () => [task, [500]] as const))
    await eventually(() => stats().busy === 2 && stats().waiting === 6)
    for (const outcome of outcomes) if ('job' in outcome) expect(await end(outcome.job as Job)).toBe(process.pid)
    await eventually(() => stats().size === 0)
    expect(stats()).toMatchObject({ busy: 0, waiting: 0, died: 0 })
  })

  test('replaces a process after a number of jobs', async () => {
    const task = actTask({ max: 1, recycleAfter: 2 })
    const worker = await bench.worker({ tasks: [task] })
    const counts = []
    for (let n = 0; n < 5; n++) counts.push(await end(await act(task, 'count')))
    expect(counts).toEqual([1, 2, 1, 2, 1])
    expect(worker.sandboxes.get('act')).toMatchObject({ recycled: 2, died: 0 })
  })

  test('ends the wait of a job that is aborted; it does not run', async () => {
    const task = actTask({ kind: 'thread', max: 1 })
    const worker = await bench.worker({ tasks: [task] })
    const first = await act(task, 'clean')
    await eventually(() => worker.sandboxes.get('act')!.busy === 1)
    const second = await act(task, 'echo', { value: 1 })
    await eventually(() => worker.sandboxes.get('act')!.waiting === 1)
    expect(await second.abort({ timeoutMs: 20_000 })).toBe(true)
    expect(worker.sandboxes.get('act')).toMatchObject({ busy: 1, waiting: 0 })
    expect(await first.abort({ timeoutMs: 20_000 })).toBe(true)
  })
})

test('a process that is gone ends its job, although a program that the job started still runs', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'arq-sandbox-'))
  const file = join(folder, 'pid')
  const task = actTask({ max: 1 })
  const worker = await bench.worker({ tasks: [task] })
  const error = await end(await act(task, 'leave', { file }))
  const left = Number(readFileSync(file, 'utf8'))
  onTestFinished(() => {
    process.kill(left)
    rmSync(folder, { recursive: true })
  })
  expect([isAlive(left), error]).toEqual([true, expect.objectContaining({ code: 'ARQ_SANDBOX_DIED' })])
  expect(await end(await act(task, 'echo', { value: 1 }))).toBe(1)
  expect(worker.sandboxes.get('act')).toMatchObject({ size: 1, died: 1 })
})

describe('a sandbox', () => {
  const options = { functionName: 'act', hasSchema: true, abortGraceMs: 100, log: silent }
  const sandbox = resolveSandbox({ module: fixture('sandbox-acts.mjs') })

  test('that ended between two jobs rejects the next one at once', async () => {
    const member = new Member({ ...options, sandbox, onEnd: () => {} })
    await member.ready
    member.kill('the test ends it')
    await member.gone
    const ctx = { enqueueTime: new Date(), log: silent, signal: new AbortController().signal }
    await expect(member.run(ctx as JobContext, [{ act: 'echo' }])).rejects.toMatchObject({
      code: 'ARQ_SANDBOX_DIED',
      message: 'the process of the job was killed: the test ends it',
    })
  })

  test('that the system refuses to start holds each job that waits for it', async () => {
    const pool = new SandboxPool({ ...options, sandbox })
    const { execPath } = process
    process.execPath = ''
    try {
      const turns = [pool.acquire(), pool.acquire()]
      const held = { kind: 'failed', error: expect.objectContaining({ code: 'ARQ_SANDBOX_LOAD' }) }
      expect(await Promise.all(turns.map((turn) => turn.acquired))).toMatchObject([held, held])
    } finally {
      process.execPath = execPath
    }
    expect(pool.stats).toMatchObject({ size: 0, waiting: 0 })
  })
})

test('a pool that could not grow tries it again after the pause, while its other members are busy', async () => {
  const options = { functionName: 'act', hasSchema: true, abortGraceMs: 100, log: silent }
  const sandbox = resolveSandbox({ module: fixture('sandbox-acts.mjs'), kind: 'process', max: 2 })
  const pool = new SandboxPool({ ...options, sandbox })
  onTestFinished(() => pool.stop())
  expect(await pool.acquire().acquired).toMatchObject({ kind: 'member' })
  const { execPath } = process
  process.execPath = ''
  const second = pool.acquire()
  process.execPath = execPath
  expect(await second.acquired).toMatchObject({ kind: 'member' })
})

describe('a module that cannot be loaded', () => {
  const start = (sandbox: SandboxOptions) =>
    new Worker({
      redis: bench.database().url,
      tasks: [defineTask({ name: 'broken', sandbox })],
      logger: silent,
      handleSignals: false,
    })
      .run()
      .catch((error: unknown) => error)

  test.each(KINDS)('ends the start of its worker, with path and cause (%s)', async (kind) => {
    const error = await start({ module: fixture('sandbox-broken.mjs'), kind })
    expect(error).toMatchObject({ code: 'ARQ_SANDBOX_LOAD' })
    expect(String(error)).toMatch(
      /'broken' cannot start: its module "\/.*sandbox-broken\.mjs" .*: this module is broken$/,
    )
  })

  test('is one that is not there, and one without the export', async () => {
    expect(String(await start({ module: fixture('nowhere.mjs') }))).toMatch(/nowhere\.mjs" .*Cannot find module/)
    expect(String(await start({ module: fixture('sandbox-acts.mjs'), export: 'run' }))).toContain(
      "it has no function as its export 'run', it has: default, onStart, pause",
    )
  })
})

describe('a sandbox that no longer starts', () => {
  const folder = mkdtempSync(join(tmpdir(), 'arq-sandbox-'))
  const gate = join(folder, 'gate')
  process.env.SANDBOX_GATE = gate
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  test('holds its jobs, without a try, until it starts again', async () => {
    writeFileSync(gate, '')
    const task = defineTask({ name: 'gated', sandbox: { module: fixture('sandbox-gated.mjs'), max: 1, idleMs: 0 } })
    const worker = await bench.worker({ tasks: [task] })
    await eventually(() => worker.sandboxes.get('gated')!.size === 0)
    rmSync(gate)
    const job = (await bench.client().enqueue(task, []))!
    await eventually(async () =>
      (await bench.client().jobs.explain(job.jobId))?.reasons.some(({ check }) => check === 'sandbox'),
    )
    // While it is looked at again, its try is counted for a moment.
    await eventually(async () => (await bench.database().redis.exists(`arq:retry:${job.jobId}`)) === 0)
    writeFileSync(gate, '')
    expect(await job.result({ timeoutMs: 20_000 })).toBe('started')
  })
})

describe('a worker that stops', () => {
  const stopAt = async (name: string, options: Partial<WorkerOptions>) => {
    const task = actTask({ max: 1 })
    const pids: number[] = []
    const worker = await bench.worker({ tasks: [task], ...options })
    pids.push(Number(String(await end(await act(task, 'where'))).split('/')[0]))
    const running = await act(task, name)
    await eventually(() => worker.sandboxes.get('act')!.busy === 1)
    const waiting = await act(task, 'echo')
    await eventually(() => worker.sandboxes.get('act')!.waiting === 1)
    await worker.stop()
    return { pids, running, waiting }
  }

  test('kills what ignores its signal, returns the jobs without a try, and leaves no process', async () => {
    const { pids, running, waiting } = await stopAt('loop', {})
    for (const job of [running, waiting]) expect(await job.status()).toBe('queued')
    const keys = [running, waiting].map(({ jobId }) => `arq:retry:${jobId}`)
    expect(await bench.database().redis.exists(...keys)).toBe(0)
    await eventually(() => pids.every((pid) => !isAlive(pid)))
  })
})

test('a job whose arguments do not cross fails with their place, and a limit is asked once it has its sandbox', async () => {
  const params = z.object({ at: z.string().transform((text) => new URL(text)) })
  const module = fixture('sandbox-acts.mjs')
  const task = defineTask({
    name: 'f',
    params,
    sandbox: { module, kind: 'thread' },
    limits: [{ name: 'one', concurrency: 1 }],
  })
  await bench.worker({ tasks: [task] })
  const job = await bench.client().enqueue(task, { at: 'https://x.test/' })
  expect(await end(job as Job)).toMatchObject({
    pythonType: 'builtins.TypeError',
    message: expect.stringContaining(
      'f() got an argument that does not cross to its sandbox: `at`: an instance of URL',
    ),
  })
  await eventually(async () => (await bench.client().limits.get('one')).running === 0)
})

test('a lease that is lost while its job waits for a sandbox starts nothing', async () => {
  const task = actTask({ kind: 'thread', max: 1 })
  const worker = await bench.worker({ tasks: [task], leaseMs: 1_000 })
  const first = await act(task, 'clean')
  await eventually(() => worker.sandboxes.get('act')!.busy === 1)
  const second = await act(task, 'count')
  await eventually(() => worker.sandboxes.get('act')!.waiting === 1)
  const lost = new Promise<string>((resolve) => worker.once('leaseLost', ({ jobId }) => resolve(jobId)))
  // As another worker's claim would.
  const { redis } = bench.database()
  await redis.set(`arq:in-progress:${second.jobId}`, 'another', 'PX', 60_000)
  const leases = new Set<number>()
  await eventually(async () => leases.add(await redis.pexpiretime(`arq:in-progress:${first.jobId}`)).size === 3)
  await first.abort({ timeoutMs: 20_000 })
  expect(await lost).toBe(second.jobId)
  // It would have counted in the same thread.
  expect(await end(await act(task, 'count'))).toBe(1)
})
