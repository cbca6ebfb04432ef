/** The messages between a worker and its sandboxes; all cross by structured clone. */

/** An error in a form that crosses: the class is lost, name, code and fields stay. */
export interface PackedError {
  name: string
  message: string
  stack: string | undefined
  fields: Readonly<Record<string, unknown>>
  cause: PackedError | undefined
}

export interface SandboxedJob {
  jobId: string
  jobTry: number
  enqueueTimeMs: number
  score: number
  queueName: string
  kwargs: Readonly<Record<string, unknown>>
}

/** Methods of a context whose calls cross to the worker, where it has them. Calls of `emit` are answered. */
export const FORWARDED = ['progress', 'emit'] as const
export type Forwarded = (typeof FORWARDED)[number]

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const
export type ForwardedLevel = (typeof LOG_LEVELS)[number]

export type ToSandbox =
  | { type: 'load'; module: string; export: string; memoryMb: number | undefined }
  | {
      type: 'run'
      run: number
      job: SandboxedJob
      args: readonly unknown[]
      forwarded: readonly Forwarded[]
      levels: readonly ForwardedLevel[]
    }
  | { type: 'abort'; run: number; reason: PackedError }
  /** The worker has taken the piece of a result, or refused it. */
  | { type: 'emitted'; run: number; piece: number; error: PackedError | undefined }
  | { type: 'stop' }

export type FromSandbox =
  | { type: 'ready' }
  | { type: 'refused'; error: PackedError }
  | { type: 'returned'; run: number; value: unknown }
  | { type: 'unfit'; run: number; problem: string }
  | { type: 'threw'; run: number; error: PackedError }
  | { type: 'call'; run: number; method: 'progress'; args: readonly unknown[] }
  | { type: 'emit'; run: number; piece: number; value: unknown }
  | { type: 'log'; run: number; level: ForwardedLevel; bindings: readonly object[]; args: readonly unknown[] }
  /** An error that nobody caught; the sandbox ends. */
  | { type: 'crashed'; error: PackedError }
  /** The memory outside of the heap, too, is beyond its bound; for threads, which cannot be watched from outside. */
  | { type: 'too large' }

const SENDER = 'arq-ts'

/** A message as it crosses: the code of a job may send messages of its own by the same channel, as for a process manager. */
export function signed(message: FromSandbox): object {
  return { ...message, sender: SENDER }
}

/** A message that crossed; undefined for what the code of a job has sent. */
export function readSigned(crossed: unknown): FromSandbox | undefined {
  const isOurs = typeof crossed === 'object' && (crossed as { sender?: unknown } | null)?.sender === SENDER
  return isOurs ? (crossed as FromSandbox) : undefined
}
