/** Decides what the end of a thread or process means, without one. */
import { fileURLToPath } from 'node:url'
import { SandboxDiedError, SandboxLoadError, SandboxMemoryError } from '../errors.ts'
import type { Sandbox } from './sandbox.ts'

/** End of a thread or process. */
export interface HostEnd {
  exitCode: number | null
  signal: NodeJS.Signals | null
  /** The error that nobody caught. */
  error: Error | undefined
  /** True where it had more memory than its bound. */
  isOutOfMemory: boolean
  /** The reason for which the worker killed it. */
  killedFor: string | undefined
}

const MIN_BACKOFF_MS = 500
const MAX_BACKOFF_MS = 30_000

/** Pause before the next start after this many failed ones in a row, in ms: a broken module never starts in a loop. */
export function startPauseMs(failures: number): number {
  return Math.min(MIN_BACKOFF_MS * 2 ** (failures - 1), MAX_BACKOFF_MS)
}

/** The error of the job that was running as its thread or process ended. */
export function errorOfEnd(end: HostEnd, { kind, memoryMb }: Sandbox): Error {
  const { error, exitCode, killedFor, signal } = end
  if (end.isOutOfMemory) {
    const bound = memoryMb === undefined ? 'the memory that Node gives it' : `its ${memoryMb} MiB (sandbox.memoryMb)`
    return new SandboxMemoryError(`the ${kind} of the job took more than ${bound}`)
  }
  if (killedFor !== undefined) return new SandboxDiedError(`the ${kind} of the job was killed: ${killedFor}`, end)
  if (error) {
    const about = `the ${kind} of the job ended by an error that nobody caught: ${error.name}: ${error.message}`
    return new SandboxDiedError(about, { ...end, cause: error })
  }
  const how = signal === null ? `ended with exit code ${exitCode}` : `was killed by ${signal}`
  const why =
    signal === 'SIGKILL'
      ? '; the system does so when its memory is used up'
      : signal === null
        ? ' before the job ended'
        : ''
  return new SandboxDiedError(`the ${kind} of the job ${how}${why}`, end)
}

/** The error of a sandbox that cannot start. */
export function loadError(functionName: string, { kind, module }: Sandbox, cause: Error): SandboxLoadError {
  const about = `the sandbox of '${functionName}' cannot start: its module "${pathOf(module)}" fails to load in a ${kind}`
  return new SandboxLoadError(`${about}: ${cause.name}: ${cause.message}`, { cause })
}

function pathOf(url: string): string {
  try {
    return fileURLToPath(url)
  } catch {
    return url
  }
}
