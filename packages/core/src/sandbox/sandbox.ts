import { availableParallelism } from 'node:os'
import { pathToFileURL } from 'node:url'
import { isAbsolute } from 'node:path'
import { count, once, timer } from '../options/check.ts'
import * as z from '../options/zod.ts'
import type { JobContext } from '../tasks/context.ts'
import type { AnyContract, CallOf, EmitsOf } from '../tasks/contract.ts'

/** The module that runs the jobs of a task, and the threads or processes it runs in. */
export interface SandboxOptions {
  /** The module: a `file:` URL (`new URL('./ocr.js', import.meta.url)`) or an absolute path. */
  module: URL | string
  /** The export of the module that is the handler. Default `default`. */
  export?: string
  /** `process` (default): a process of its own for each running job. `thread`: a worker thread; cheaper, and less apart. */
  kind?: 'process' | 'thread'
  /** Threads or processes at most, each with one job at a time, at least 1. Default: the number of cores. */
  max?: number
  /** Memory that each may take beyond what it has once the module is loaded, in MiB, at least 16. Default: no bound. */
  memoryMb?: number
  /** Jobs after which a thread or process is replaced, at least 1. Default: never. */
  recycleAfter?: number
  /** Time after which an idle one ends, in ms. Default 60,000. */
  idleMs?: number
}

const aModule = z.custom<URL | string>(
  (value) =>
    value instanceof URL
      ? value.protocol === 'file:'
      : typeof value === 'string' && (isAbsolute(value) || value.startsWith('file:')),
  'Expected a `file:` URL or an absolute path',
)

/** @internal */
export const sandboxSchema = once(() =>
  z.strictObject({
    module: aModule,
    export: z.string().min(1).optional(),
    kind: z.enum(['process', 'thread']).optional(),
    max: count(1).optional(),
    memoryMb: count(16).optional(),
    recycleAfter: count(1).optional(),
    idleMs: timer(0).optional(),
  }),
)

/** A sandbox with every default in place. @internal */
export interface Sandbox {
  /** A `file:` URL. */
  readonly module: string
  readonly export: string
  readonly kind: 'process' | 'thread'
  readonly max: number
  readonly memoryMb: number | undefined
  readonly recycleAfter: number
  readonly idleMs: number
}

/** @internal */
export function resolveSandbox(options: SandboxOptions): Sandbox {
  const { module } = options
  return {
    module: typeof module === 'string' && !module.startsWith('file:') ? pathToFileURL(module).href : String(module),
    export: options.export ?? 'default',
    kind: options.kind ?? 'process',
    max: options.max ?? availableParallelism(),
    memoryMb: options.memoryMb,
    recycleAfter: options.recycleAfter ?? Infinity,
    idleMs: options.idleMs ?? 60_000,
  }
}

/**
 * View of a handler in a sandbox of its job. `Extra` is what `onStart` of its module returns.
 * After `signal` and `abortGraceMs` the code is ended; lines of `log` cross to the worker.
 */
export type SandboxContext<Extra extends object = Record<never, never>, Emits = unknown> = Extra &
  Pick<
    JobContext,
    'jobId' | 'jobTry' | 'enqueueTime' | 'score' | 'queueName' | 'kwargs' | 'signal' | 'log' | 'progress'
  > & {
    /**
     * Hands out a piece of the result, as `ctx.emit` of any handler, where the worker can. Await it: it crosses to the worker,
     * and resolves once that has taken it.
     */
    emit?(value: Emits): Promise<void>
  }

/** The type of a handler in a sandbox, by the contract it implements: `export default … satisfies SandboxHandler<typeof resize>`. */
export type SandboxHandler<C extends AnyContract, Extra extends object = Record<never, never>> = (
  ctx: SandboxContext<Extra, EmitsOf<C>>,
  ...args: CallOf<C>['args']
) => CallOf<C>['given'] | Promise<CallOf<C>['given']>

/** The threads or processes of one task. */
export interface SandboxStats {
  kind: 'process' | 'thread'
  /** Threads or processes, those that start or end included. */
  size: number
  /** Members that run a job. */
  busy: number
  /** Jobs that wait for one, each in a slot of the worker. */
  waiting: number
  /** Members that were replaced after `recycleAfter` jobs, since the start. */
  recycled: number
  /** Members that died or were killed, since the start. */
  died: number
}
