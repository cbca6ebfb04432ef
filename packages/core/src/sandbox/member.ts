import { ArgumentsError, RemoteError, ResultError } from '../errors.ts'
import type { Logger } from '../logging/logger.ts'
import type { JobContext } from '../tasks/context.ts'
import { packError, problemOf, unpackError } from './crossing.ts'
import { errorOfEnd } from './ends.ts'
import type { HostEnd } from './ends.ts'
import { startHost } from './host.ts'
import type { Host } from './host.ts'
import { FORWARDED, LOG_LEVELS } from './messages.ts'
import { guardedLogger } from '../logging/guarded-logger.ts'
import { describeError } from '../logging/log-lines.ts'
import type { FromSandbox, PackedError } from './messages.ts'
import type { Sandbox } from './sandbox.ts'

/** Time in which a module has to load, and its `onStart` to end, in ms. */
const LOAD_MS = 60_000
/** Time in which `onStop` has to end, in ms. */
const STOP_MS = 1_000

export interface MemberOptions {
  functionName: string
  hasSchema: boolean
  sandbox: Sandbox
  /** Time between the signal of a job and the end of its code, in ms. */
  abortGraceMs: number
  /** Called once, when it is gone; `isUnexpected` where it died, or had to be killed, with a loaded module. */
  onEnd: (end: HostEnd, isUnexpected: boolean) => void
}

interface Run {
  id: number
  ctx: JobContext
  log: Logger
  resolve: (value: unknown) => void
  reject: (error: Error) => void
  dispose: () => void
}

/**
 * One thread or process of a pool.
 *
 * starting → idle ⇄ busy; idle → stopping; any → ended, by its own end, a kill or the end of its stop
 */
export class Member {
  /** Resolves once the module is loaded. Rejects with what it failed by. */
  readonly ready: Promise<void>
  /** Resolves when it is gone. */
  readonly gone: Promise<void>
  /** Jobs that it has run. */
  runs = 0
  readonly #options: MemberOptions
  readonly #host: Host
  #state: 'starting' | 'idle' | 'busy' | 'stopping' | 'ended' = 'starting'
  #run: Run | undefined
  /** Reason why it is gone. */
  #ended: Error | undefined
  #onReady: () => void = () => {}
  #onRefused: (error: Error) => void = () => {}
  #loadTimer: NodeJS.Timeout
  #stopTimer: NodeJS.Timeout | undefined

  constructor(options: MemberOptions) {
    this.#options = options
    const { sandbox } = options
    this.ready = new Promise((resolve, reject) => {
      this.#onReady = resolve
      this.#onRefused = reject
    })
    this.ready.catch(() => {})
    let onGone = () => {}
    this.gone = new Promise((resolve) => (onGone = resolve))
    this.#host = startHost(sandbox, options.functionName, {
      message: (message) => this.#hear(message),
      end: (end) => {
        this.#end(end)
        onGone()
      },
    })
    this.#loadTimer = setTimeout(() => this.kill(`it was not loaded within ${LOAD_MS} ms`), LOAD_MS)
    const { export: exported, memoryMb, module } = sandbox
    this.#host.send({ type: 'load', module, export: exported, memoryMb })
  }

  get isBusy(): boolean {
    return this.#state === 'busy'
  }

  get hasEnded(): boolean {
    return this.#state === 'ended'
  }

  /**
   * Runs a job of an idle member, and ends its code when its signal has fired and the grace is over.
   *
   * @throws ArgumentsError for arguments that do not cross; ResultError for such a result; the handler's error; what the
   *   thread or process ended by.
   */
  async run(ctx: JobContext, args: readonly unknown[]): Promise<unknown> {
    const { functionName, hasSchema } = this.#options
    const { enqueueTime, jobId, jobTry, log, queueName, score, signal } = ctx
    const kwargs = hasSchema ? {} : ctx.kwargs
    const problem = problemOf(hasSchema ? args[0] : args) ?? problemOf(kwargs)
    if (problem !== undefined)
      throw new ArgumentsError(`${functionName}() got an argument that does not cross to its sandbox: ${problem}`)
    signal.throwIfAborted()
    // Code that an earlier job left behind may have ended it since it was given to this job.
    if (this.#ended) throw this.#ended
    const id = ++this.runs
    this.#state = 'busy'
    const value = new Promise<unknown>((resolve, reject) => {
      let killTimer: NodeJS.Timeout | undefined
      const onAbort = () => {
        this.#host.send({ type: 'abort', run: id, reason: packError(signal.reason) })
        const { abortGraceMs } = this.#options
        const about = `it continued for ${abortGraceMs} ms (abortGraceMs) after its signal had fired`
        killTimer = setTimeout(() => this.kill(about), abortGraceMs)
      }
      const dispose = () => {
        clearTimeout(killTimer)
        signal.removeEventListener('abort', onAbort)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.#run = { id, ctx, log, resolve, reject, dispose }
    })
    const forwarded = FORWARDED.filter(
      (name) => typeof (ctx as unknown as Record<string, unknown>)[name] === 'function',
    )
    const levels = LOG_LEVELS.filter((level) => log.isLevelEnabled(level))
    const job = { jobId, jobTry, enqueueTimeMs: enqueueTime.getTime(), score, queueName, kwargs }
    try {
      this.#host.send({ type: 'run', run: id, job, args, forwarded, levels })
    } catch (error) {
      const about = `the arguments of ${functionName}() do not cross to its sandbox: ${(error as Error).message}`
      this.#settle(() => this.#run?.reject(new ArgumentsError(about)))
    }
    return value
  }

  /** Ends it for certain. Idempotent. */
  kill(reason: string): void {
    if (!this.hasEnded) this.#host.kill(reason)
  }

  /** Lets the module's `onStop` end, and ends it then. Its job, if it has one, is not waited for. */
  stop(): void {
    if (this.#state === 'stopping' || this.#state === 'ended') return
    if (this.#state !== 'idle') return this.kill('its worker ended')
    this.#state = 'stopping'
    this.#host.send({ type: 'stop' })
    this.#stopTimer = setTimeout(() => this.kill('it did not stop'), STOP_MS)
  }

  #hear(message: FromSandbox): void {
    if (message.type === 'ready') {
      clearTimeout(this.#loadTimer)
      if (this.#state === 'starting') this.#state = 'idle'
      return this.#onReady()
    }
    if (message.type === 'refused') {
      this.#onRefused(unpackError(message.error))
      return this.kill('its module cannot be loaded')
    }
    const run = this.#run
    // Code that a handler left behind may send while the next job runs.
    if (!run || !('run' in message) || message.run !== run.id) return
    switch (message.type) {
      case 'returned':
        return this.#settle(() => run.resolve(message.value))
      case 'unfit':
        return this.#settle(() => {
          const { functionName } = this.#options
          run.reject(
            new ResultError(`${functionName}() returned what does not cross from its sandbox: ${message.problem}`),
          )
        })
      case 'threw':
        return this.#settle(() => run.reject(asThrown(unpackError(message.error))))
      case 'emit':
        return void this.#emit(run, message)
      default:
        return forward(run, message)
    }
  }

  /** Emits a piece for the job, and answers when it is taken: its handler is no faster than Redis. */
  async #emit(run: Run, { piece, value }: Extract<FromSandbox, { type: 'emit' }>): Promise<void> {
    let error: PackedError | undefined
    try {
      await run.ctx.emit(value)
    } catch (refusal) {
      error = packError(refusal)
    }
    if (this.#run === run) this.#host.send({ type: 'emitted', run: run.id, piece, error })
  }

  #settle(how: () => void): void {
    this.#run?.dispose()
    how()
    this.#run = undefined
    if (this.#state === 'busy') this.#state = 'idle'
  }

  #end(end: HostEnd): void {
    clearTimeout(this.#loadTimer)
    clearTimeout(this.#stopTimer)
    const run = this.#run
    const isUnexpected = this.#state === 'idle' || this.#state === 'busy'
    this.#state = 'ended'
    const error = errorOfEnd(end, this.#options.sandbox)
    this.#ended = error
    this.#onRefused(end.error ?? error)
    this.#settle(() => run?.reject(error))
    this.#options.onEnd(end, isUnexpected)
  }
}

/** A Python exception that the handler chose stays one. */
function asThrown(
  error: Error & { code?: unknown; pythonType?: unknown; args?: unknown; attributes?: unknown },
): Error {
  const { args, attributes, code, message, pythonType } = error
  if (code !== 'ARQ_REMOTE' || typeof pythonType !== 'string' || !Array.isArray(args)) return error
  return new RemoteError(pythonType, args, { message, attributes })
}

/** Makes a call of the sandbox in the worker. Never throws: nobody hears it there, and it would end the worker. */
function forward({ ctx, log }: Run, message: Extract<FromSandbox, { type: 'call' | 'log' }>): void {
  try {
    if (message.type === 'log') return write(log, message)
    const methods = ctx as unknown as Record<string, ((...args: readonly unknown[]) => void) | undefined>
    methods[message.method]?.(...message.args)
  } catch (error) {
    const call = message.type === 'log' ? `log.${message.level}` : message.method
    guardedLogger(log).warn({ err: error }, `a call of ctx.${call}() in a sandbox failed: ${describeError(error)}`)
  }
}

function write(log: Logger, { args, bindings, level }: Extract<FromSandbox, { type: 'log' }>): void {
  const child = bindings.reduce<Logger>((parent, more) => parent.child(more), log)
  ;(child[level] as (...args: readonly unknown[]) => void)(...args.map(loggable))
}

/** A field of a line: errors cross packed. */
function loggable(value: unknown): unknown {
  const packed = (value as { packedError?: Parameters<typeof unpackError>[0] } | null | undefined)?.packedError
  if (packed) return unpackError(packed)
  const inner = (value as { err?: { packedError?: Parameters<typeof unpackError>[0] } } | null | undefined)?.err
    ?.packedError
  return inner ? { ...(value as object), err: unpackError(inner) } : value
}
