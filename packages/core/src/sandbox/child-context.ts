import { inspect } from 'node:util'
import { packError, problemOf } from './crossing.ts'
import type { Forwarded, ForwardedLevel, FromSandbox, SandboxedJob } from './messages.ts'
import type { Pieces } from './pieces.ts'

/** Levels that cross whatever the worker's logger shows: what a job logs may be recorded. */
const ALWAYS: ReadonlySet<string> = new Set(['info', 'warn', 'error', 'fatal'])

interface Wanted {
  pieces: Pick<Pieces, 'emit'>
  forwarded: readonly Forwarded[]
  levels: readonly ForwardedLevel[]
}

/** Makes the contexts of a sandbox's jobs. */
export class Contexts {
  readonly #post: (message: FromSandbox) => void

  constructor(post: (message: FromSandbox) => void) {
    this.#post = post
  }

  make(run: number, job: SandboxedJob, signal: AbortSignal, extra: object, wanted: Wanted): object {
    const { forwarded, levels, pieces } = wanted
    const { enqueueTimeMs, ...fields } = job
    const calls = {
      progress: (...args: readonly unknown[]) => {
        const problem = problemOf(args)
        if (problem !== undefined) throw new TypeError(`ctx.progress() got what does not cross: ${problem}`)
        this.#post({ type: 'call', run, method: 'progress', args })
      },
      emit: (value: unknown) => pieces.emit(value),
    }
    return {
      ...extra,
      ...fields,
      enqueueTime: new Date(enqueueTimeMs),
      signal,
      log: this.#log(run, [], new Set(levels)),
      ...Object.fromEntries(forwarded.map((method) => [method, calls[method]])),
    }
  }

  #log(run: number, bindings: readonly object[], enabled: ReadonlySet<string>): object {
    const line =
      (level: ForwardedLevel) =>
      (...args: readonly unknown[]) => {
        if (!enabled.has(level) && !ALWAYS.has(level)) return
        this.#post({ type: 'log', run, level, bindings, args: args.map(crossable) })
      }
    return {
      trace: line('trace'),
      debug: line('debug'),
      info: line('info'),
      warn: line('warn'),
      error: line('error'),
      fatal: line('fatal'),
      isLevelEnabled: (level: string) => enabled.has(level),
      child: (more: object) => this.#log(run, [...bindings, crossable(more) as object], enabled),
    }
  }
}

/** A value of a line as it crosses: an error packed, as the line itself or as its `err`; what cannot cross as a string. */
function crossable(value: unknown): unknown {
  if (value instanceof Error) return { packedError: packError(value) }
  if (problemOf(value) === undefined && !hasError(value)) return value
  if (typeof value !== 'object' || value === null) return inspect(value)
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      if (inner instanceof Error) return [key, { packedError: packError(inner) }]
      return [key, problemOf(inner) === undefined ? inner : inspect(inner)]
    }),
  )
}

function hasError(value: unknown): boolean {
  return typeof value === 'object' && value !== null && (value as { err?: unknown }).err instanceof Error
}
