import type { JobRecord } from '@arq-ts/protocol/jobs'
import type { JobContext } from '../tasks/context.ts'
import type { Middleware, RunContext } from './middleware.ts'
import { activeLayers } from './active-layers.ts'
import { callWithin } from './onion.ts'

type Handler = (ctx: JobContext, ...args: readonly unknown[]) => unknown

/** Data of a run that middleware needs. */
interface SurroundedRun {
  record: Pick<JobRecord, 'mark'>
  task: { name: string; handler: Handler }
}

/**
 * Gives the handler of a run with the middleware around it. `isSurrounded` says which functions have any: a refusal must
 * not stop the system tasks of the worker.
 */
export function handlerWithin(
  middleware: readonly Middleware[],
  isSurrounded: (functionName: string) => boolean,
): (run: SurroundedRun) => Handler {
  const layersNow = activeLayers(middleware, 'run')
  return (run) => {
    const { task } = run
    const layers = layersNow()
    if (layers.length === 0 || !isSurrounded(task.name)) return task.handler
    return (ctx, ...args) => callSurrounded(layers, run, ctx, () => task.handler(ctx, ...args))
  }
}

/**
 * Calls a whole try within the middleware: the binding of its arguments, hooks and the check of its result included. System
 * tasks are surrounded, too. The middleware gets the fields that name the try, and not the handler's own context: this is
 * not to lose state of the worker, of which it may have fields `metadata` and `functionName`.
 */
export function tryWithin(
  middleware: readonly Middleware[],
): (run: SurroundedRun, ctx: JobContext, call: () => unknown) => unknown {
  const layersNow = activeLayers(middleware, 'run')
  return (run, ctx, call) => {
    const layers = layersNow()
    if (layers.length === 0) return call()
    const { client, jobId, jobTry, queueName, signal } = ctx
    return callSurrounded(layers, run, { client, jobId, jobTry, queueName, signal } as JobContext, call)
  }
}

function callSurrounded(
  layers: readonly NonNullable<Middleware['run']>[],
  { record, task }: SurroundedRun,
  ctx: JobContext,
  call: () => unknown,
): Promise<unknown> {
  const core = () => {
    // The job may have been interrupted while a middleware held it: its run counts no longer.
    ctx.signal.throwIfAborted()
    return call()
  }
  return callWithin(layers, withMetadata(ctx, task.name, record), core, `job ${ctx.jobId} of '${task.name}'`)
}

/** The handler gets the very same object. No entries of it: they are no state that a chunk or a sandbox shares. */
function withMetadata(ctx: JobContext, functionName: string, { mark }: Pick<JobRecord, 'mark'>): RunContext {
  const own = { enumerable: false, configurable: true, writable: false }
  return Object.defineProperties(ctx, {
    functionName: { ...own, value: functionName },
    metadata: { ...own, value: metadataIn(mark) },
  }) as RunContext
}

/** Anybody may write a payload: what is no map is no metadata. */
export function metadataIn(mark: JobRecord['mark']): Readonly<Record<string, unknown>> {
  const metadata = mark?.['metadata']
  const isMap = Object.prototype.toString.call(metadata) === '[object Object]'
  return isMap ? (metadata as Readonly<Record<string, unknown>>) : {}
}
