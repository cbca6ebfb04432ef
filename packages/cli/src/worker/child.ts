/**
 * One process of a pool. It obeys its supervisor, and stops when the supervisor is gone.
 * What nobody catches while it works (a promise that a handler does not await, a listener of its signal that throws) is
 * logged, and the process continues: ending here would take the other jobs along, and the same job would end the next process.
 */
import { ArqError } from '@arq-ts/core'
import type { Worker } from '@arq-ts/core'
import { asError } from '@arq-ts/protocol/errors'
import { CommandError, EXIT } from '../exit.ts'
import type { WorkerMetrics } from '../metrics/worker-metrics.ts'
import type { FromChild, ToChild, WorkerPlan } from './plan.ts'
import { LEFT_PAUSED } from './pool-rules.ts'
import { makeWorker } from './run-worker.ts'
import { plainServed } from './served.ts'

/** Characters of an error's message in a line. */
const MAX_LENGTH = 1_000

let stop: (() => void) | undefined
let stopAsked = false
let metrics: WorkerMetrics | undefined

function send(message: FromChild): void {
  if (process.connected) process.send?.(message)
}

/** Resolves when it is on its way. */
function tellAndWait(message: FromChild): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected && process.send) process.send(message, undefined, undefined, () => resolve())
    else resolve()
  })
}

function stopWorker(): void {
  stopAsked = true
  stop?.()
}

function outliveStrayErrors({ log }: Worker): void {
  // Unhandled rejections come here, too.
  process.on('uncaughtException', (thrown: unknown, origin) => {
    const what =
      origin === 'unhandledRejection' ? 'a promise that nobody awaited was rejected' : 'nobody caught an error'
    const error = asError(thrown)
    try {
      log.error({ err: error }, `${what}, the worker continues: ${error.name}: ${error.message.slice(0, MAX_LENGTH)}`)
    } catch {
      // A logger of the user's may throw: the jobs are worth more than the line.
    }
  })
  // Where nobody reads what is logged, logging that they do not would never end.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
}

async function start(plan: WorkerPlan): Promise<void> {
  try {
    const { worker, served, stopMs, hurryMs } = await makeWorker(plan)
    send({ type: 'serves', served: plainServed(served) })
    const { leaseMs } = worker.describe()
    outliveStrayErrors(worker)
    if (plan.metrics) {
      const { WorkerMetrics } = await import('../metrics/worker-metrics.ts')
      metrics = new WorkerMetrics(worker)
    }
    worker.on('started', () => send({ type: 'ready', stopMs, hurryMs, leaseMs }))
    worker.on('redisDown', () => send({ type: 'redis', up: false }))
    worker.on('redisUp', () => send({ type: 'redis', up: true }))
    stop = () => void worker.stop()
    if (stopAsked) stop()
    await worker.run()
    // Jobs that ended since they were last asked for count too.
    if (metrics) await tellAndWait({ type: 'metrics', metrics: await metrics.read() })
    process.exit(worker.pausedQueues.length > 0 ? LEFT_PAUSED : EXIT.ok)
  } catch (error) {
    const isKnown = error instanceof CommandError || error instanceof ArqError
    const message = isKnown ? error.message : (asError(error).stack ?? '')
    if (isKnown) send({ type: 'refused', message })
    else process.stderr.write(`${message}\n`)
    // The message must be on its way before the process ends.
    setImmediate(() => process.exit(isKnown ? EXIT.cannot : EXIT.no))
  }
}

process.on('message', (message: ToChild) => {
  if (message.type === 'start') void start(message.plan)
  else if (message.type === 'stop') stopWorker()
  else if (message.type === 'ping') send({ type: 'pong' })
  else void metrics?.read().then((read) => send({ type: 'metrics', id: message.id, metrics: read }))
})
process.on('SIGTERM', stopWorker)
// A terminal sends it to the whole group; the supervisor says what to do.
process.on('SIGINT', () => {})
process.on('SIGHUP', () => {})
process.on('disconnect', stopWorker)
