import { eventually } from '@arq-ts/test-support'
import { Client, createLogger, cron, defineTask, flow, Retry, Worker } from '../../../src/index.ts'
import { next, silent } from '../support.ts'

/** Time in which a job must end, in ms: generous, for machines that are busy. */
const RESULT_MS = 10_000

/** A user of Redis, and a database that is its own. */
export interface Role {
  user: string
  url: string
}

/** Errors of a role's calls, and lines that it logged. */
export interface Met {
  errors: string[]
  lines: string[]
  /** All that was to be done was done. */
  isDone: boolean
}

const untilAborted = (signal: AbortSignal) =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))

const tasks = () => [
  defineTask({
    name: 'echo',
    record: { logs: true },
    handler: (ctx, value: unknown) => (ctx.log.info('a line'), value),
  }),
  defineTask({
    name: 'again',
    handler: (ctx) => {
      if (ctx.jobTry === 1) throw new Retry({ deferMs: 10 })
      return ctx.jobTry
    },
  }),
  defineTask({ name: 'bad', maxTries: 1, handler: () => Promise.reject(new Error('bad')) }),
  defineTask({ name: 'limited', limits: [{ name: 'one', concurrency: 1 }], handler: () => 1 }),
  defineTask({ name: 'slow', handler: (ctx) => untilAborted(ctx.signal) }),
]

function logOf(lines: string[]) {
  const write = (line: string) => {
    const { level, msg, err } = JSON.parse(line) as { level: number; msg: string; err?: { message: string } }
    if (level >= 40) lines.push(`${msg}: ${err?.message ?? ''}`)
  }
  return createLogger({ level: 'warn', destination: { write } } as never)
}

/** Lets a worker of this role do all that workers do. `enough` says when it need not go on. */
export async function work(role: Role, helper: string, enough: (met: Met) => Promise<boolean>): Promise<Met> {
  const met: Met = { errors: [], lines: [], isDone: false }
  const note = (error: unknown) => void met.errors.push(String((error as Error).message))
  const worker = new Worker({
    redis: role.url,
    tasks: tasks(),
    cron: [cron('cron:each', { second: null, microsecond: 0 }, () => {})],
    logger: logOf(met.lines),
    handleSignals: false,
    pollDelayMs: 50,
    abortGraceMs: 20,
    leaseMs: 1_000,
    recorder: { intervalMs: 100 },
    handOff: true,
    allowAbortJobs: true,
  })
  const client = new Client({ redis: helper, logger: silent })
  const running = worker.run().catch(note)
  await Promise.race([next(worker, 'started'), running])
  let isOver = false
  const using = use(client, RESULT_MS)
    .then(() => useFlows(client, RESULT_MS))
    .then(() => (met.isDone = true))
  void using.catch(() => {}).finally(() => (isOver = true))
  await eventually(async () => isOver || (await enough(met)), { timeoutMs: 60_000, intervalMs: 50 })
  await worker.stop().catch(note)
  await running
  await client.close()
  return met
}

/** Lets a producer of this role do all that producers do; its worker may do everything. */
export async function produce(role: Role, helper: string): Promise<Met> {
  const met: Met = { errors: [], lines: [], isDone: false }
  const note = (error: unknown) => void met.errors.push(String((error as Error).message))
  const worker = new Worker({
    redis: helper,
    tasks: tasks(),
    logger: silent,
    handleSignals: false,
    pollDelayMs: 50,
    abortGraceMs: 20,
    handOff: true,
    allowAbortJobs: true,
  })
  const running = worker.run()
  await next(worker, 'started')
  const client = new Client({ redis: role.url, logger: logOf(met.lines), commandTimeoutMs: RESULT_MS })
  await use(client, RESULT_MS).then(() => (met.isDone = true), note)
  await client.close()
  await worker.stop()
  await running
  return met
}

/** Uses a client as producers do: enqueues, waits, asks, aborts. */
export async function use(client: Client, resultMs: number): Promise<void> {
  const wait = { timeoutMs: resultMs }
  for (const name of ['echo', 'again', 'limited']) await (await client.enqueue(name, []))?.result(wait)
  const together = await client.enqueueMany([
    ['echo', [1]],
    ['echo', [2]],
  ])
  for (const outcome of together) if ('job' in outcome) await outcome.job?.result(wait)
  const later = await client.enqueue('echo', [], { deferByMs: 50 })
  await later?.result(wait)
  await (await client.enqueue('bad', []))?.result(wait).catch(() => {})
  const slow = await client.enqueue('slow', [])
  await eventually(async () => (await slow?.status()) === 'in_progress', { timeoutMs: resultMs })
  await slow?.info()
  await slow?.abort(wait)
}

/** Flows need more than the rights of producers. */
async function useFlows(client: Client, resultMs: number): Promise<void> {
  const chain = flow('chain', { onUnknown: 'fail' })
  chain.call('echo', [], { after: chain.call('echo', []) })
  await (await client.start(chain)).result({ timeoutMs: resultMs })
}
