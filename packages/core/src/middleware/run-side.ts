import type { JobRecord } from '@arq-ts/protocol/jobs'
import type { JobContext } from '../tasks/context.ts'
import type { Middleware, RunContext } from './middleware.ts'
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
  const layers = middleware.flatMap(({ run }) => run ?? [])
  if (layers.length === 0) return ({ task }) => task.handler
  return ({ record, task }) => {
    if (!isSurrounded(task.name)) return task.handler
    return (ctx, ...args) => {
      const call = () => {
        // The job may have been interrupted while a middleware held it: its run counts no longer.
        ctx.signal.throwIfAborted()
        return task.handler(ctx, ...args)
      }
      return callWithin(layers, withMetadata(ctx, task.name, record), call, `job ${ctx.jobId} of '${task.name}'`)
    }
  }
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
function metadataIn(mark: JobRecord['mark']): Readonly<Record<string, unknown>> {
  const metadata = mark?.['metadata']
  const isMap = Object.prototype.toString.call(metadata) === '[object Object]'
  return isMap ? (metadata as Readonly<Record<string, unknown>>) : {}
}
