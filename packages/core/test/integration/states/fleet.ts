import { z } from 'zod'
import { Client, createLogger, cron, defineTask, flow, Retry, Worker } from '../../../src/index.ts'
import { next } from '../support.ts'
import { publicCalls } from '../../support/public-calls.ts'
import { PREFIX } from './states.ts'

/** Time in which a call of the hasty client must be answered, in ms. */
export const CALL_MS = 1_500

/** Line of a log that is worth a look. */
export interface Warning {
  level: number
  msg: string
  err?: { code?: string; message: string }
}

/** A worker with all its services, a client, and what both did: how often each job ran, and what they logged. */
export async function openFleet(url: string) {
  const warnings: Warning[] = []
  const write = (line: string) => void warnings.push(JSON.parse(line) as Warning)
  const logger = createLogger({ level: 'warn', destination: { write } } as never)
  const runs = new Map<string, number>()
  let release = () => {}
  const released = new Promise<void>((resolve) => (release = resolve))
  const ran = (jobId: string) => runs.set(jobId, (runs.get(jobId) ?? 0) + 1)
  const count = defineTask({ name: 'count', handler: (ctx) => void ran(ctx.jobId) })
  const hold = defineTask({
    name: 'hold',
    handler: async (ctx) => {
      ran(ctx.jobId)
      await released
      return 'held'
    },
  })
  const tasks = [
    count,
    hold,
    defineTask({
      name: 'log',
      record: { logs: true },
      handler: (ctx) => {
        ran(ctx.jobId)
        ctx.log.info('a line')
      },
    }),
    defineTask({
      name: 'again',
      handler: (ctx) => {
        if (ctx.jobTry === 1) throw new Retry({ deferMs: 10 })
        ran(ctx.jobId)
      },
    }),
    defineTask({
      name: 'limited',
      params: z.object({}),
      limits: [{ name: 'one', concurrency: 1 }],
      handler: (ctx) => void ran(ctx.jobId),
    }),
  ]
  const options = { redis: url, keyPrefix: PREFIX, logger }
  const worker = new Worker({
    ...options,
    tasks,
    cron: [cron('cron:each', { second: null, microsecond: 0 }, () => {})],
    handleSignals: false,
    pollDelayMs: 50,
    abortGraceMs: 50,
    recorder: { intervalMs: 100 },
    handOff: true,
  })
  let hasEnded = false
  const started = next(worker, 'started')
  const running = worker.run().finally(() => (hasEnded = true))
  await Promise.race([started, running])
  const client = new Client({ ...options, commandTimeoutMs: 20_000 })
  const hasty = new Client({ ...options, commandTimeoutMs: CALL_MS })

  return {
    client,
    /** Waits as long as a call may take, and no longer. */
    hasty,
    worker,
    runs,
    warnings,
    release: () => release(),
    hasEnded: () => hasEnded,
    /** A flow of two members, of which the second comes after the first. */
    startFlow: (flowId: string) => {
      const two = flow('two', { onUnknown: 'fail' })
      two.call('count', [], { after: two.call('count', []) })
      return client.start(two, { flowId })
    },
    async stop(): Promise<void> {
      release()
      await worker.stop()
      await running
    },
    async close(): Promise<void> {
      await client.close()
      await hasty.close()
    },
  }
}

/** Every public call of a client. */
export const callsOf = (client: Client) =>
  publicCalls({
    Client: client,
    CronJobs: client.cron,
    DeadLetters: client.deadLetters,
    Doctor: client.doctor,
    FlowRun: client.flows.get('surface'),
    Flows: client.flows,
    History: client.history,
    Job: client.job('surface'),
    Jobs: client.jobs,
    Limits: client.limits,
    Queues: client.queues,
    Reversals: client.reversals,
    Schedules: client.schedules,
    Workers: client.workers,
  })

export type Fleet = Awaited<ReturnType<typeof openFleet>>
