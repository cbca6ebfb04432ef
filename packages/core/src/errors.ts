/**
 * Every error this library throws, with its stable code. `docs/reference/errors.md` lists exactly these;
 * a test holds the two together.
 */

import { ArqError } from '@arq-ts/protocol/errors'

// By name: bundlers lose an `export *` from another package in files that entries share.
export {
  ArgumentsError,
  ArqError,
  DecodeError,
  EncodeError,
  JobAbortedError,
  JobFailedError,
  JobTimeoutError,
  NonRetryableError,
  OptionsError,
  RemoteError,
  Retry,
  RetryJob,
} from '@arq-ts/protocol/errors'

/** One thing that is wrong with a configuration. */
export interface ConfigProblem {
  /** File and line, environment variable or flag. */
  where: string
  /** The key below `task_queue`; empty when it is the file as a whole. */
  path: string
  /** The expected value, and the one that came. */
  message: string
}

/** The `task_queue` configuration is wrong; `problems` has everything that is. */
export class ConfigError extends ArqError {
  readonly code = 'ARQ_INVALID_CONFIG'
  readonly problems: readonly ConfigProblem[]

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(({ where, message }) => `${where}: ${message}`).join('\n'))
    this.problems = problems
  }
}

/** A result does not fit the `returns` of its task. The run fails for good on the worker; the producer's wait fails. */
export class ResultError extends ArqError {
  readonly code = 'ARQ_RESULT'
}

/** The module of a sandboxed task cannot be loaded: it ends a worker at its start. */
export class SandboxLoadError extends ArqError {
  readonly code = 'ARQ_SANDBOX_LOAD'
}

/** The thread or process of a sandboxed job took more memory than `sandbox.memoryMb`; the job alone has failed. */
export class SandboxMemoryError extends ArqError {
  readonly code = 'ARQ_SANDBOX_MEMORY'
}

/** The thread or process of a sandboxed job ended before the job did; the job alone has failed. */
export class SandboxDiedError extends ArqError {
  readonly code = 'ARQ_SANDBOX_DIED'
  /** The exit code, null where a signal ended the process. */
  readonly exitCode: number | null
  /** The signal that ended the process, `SIGSEGV` say; null where it exited. */
  readonly signal: string | null

  constructor(message: string, how: { exitCode?: number | null; signal?: string | null; cause?: unknown } = {}) {
    super(message, how.cause === undefined ? undefined : { cause: how.cause })
    this.exitCode = how.exitCode ?? null
    this.signal = how.signal ?? null
  }
}

/** A wait (`job.result`, `job.abort`) ran past its own `timeoutMs`; the job itself continues. */
export class TimeoutError extends ArqError {
  readonly code = 'ARQ_TIMEOUT'
}

/** No result is stored and the job is not queued: it never existed, its result expired, or none is kept. arq's `ResultNotFound`. */
export class ResultNotFoundError extends ArqError {
  readonly code = 'ARQ_RESULT_NOT_FOUND'
}

/** The reason of `ctx.signal` when another worker took the job over; what this run returns is discarded. */
export class LeaseLostError extends ArqError {
  readonly code = 'ARQ_LEASE_LOST'
}

/** The reason of `ctx.signal` when the worker stops; the job goes back to the queue, uncounted as a try. */
export class WorkerStoppedError extends ArqError {
  readonly code = 'ARQ_WORKER_STOPPED'
}

/** Redis did not answer in time, or the connection was closed for good. */
export class RedisUnavailableError extends ArqError {
  readonly code = 'ARQ_REDIS_UNAVAILABLE'
}

/**
 * Redis refused a call, and would refuse it again: a key of another kind, a command the user may not use. The message is
 * the server's.
 */
export class RedisReplyError extends ArqError {
  readonly code = 'ARQ_REDIS_REPLY'
  /** The first word of the reply, which says the kind: `WRONGTYPE`, `NOPERM`, `ERR`. */
  readonly prefix: string

  constructor(reply: string, what?: string) {
    super(what === undefined ? reply : `${what}: ${reply}`)
    // Redis 7.0 begins the refusal of a command within a script with ERR.
    const isDenied = reply.startsWith("ERR The user executing the script can't")
    this.prefix = isDenied ? 'NOPERM' : (/^[A-Z]+/.exec(reply)?.[0] ?? 'ERR')
  }
}

/** A request that does not fit the state of a flow: there is none of that id, it has not ended, or the job is in none. */
export class FlowError extends ArqError {
  readonly code = 'ARQ_FLOW'
}

/** A flow ended without success; `members` says which of its members failed, and why. */
export class FlowFailedError extends ArqError {
  readonly code = 'ARQ_FLOW_FAILED'
  /** Members that failed, by their names; those that could not run since others failed are left out. */
  readonly members: readonly { name: string; jobId: string; outcome: string; error: string | null }[]

  constructor(message: string, members: FlowFailedError['members']) {
    super(message)
    this.members = members
  }
}

/** A middleware broke the rules of `next`: it called it twice, or enqueued nothing and threw nothing. */
export class MiddlewareError extends ArqError {
  readonly code = 'ARQ_MIDDLEWARE'
}

/** `worker.runCheck()` found failed jobs. arq's `FailedJobs`. */
export class FailedJobsError extends ArqError {
  readonly code = 'ARQ_FAILED_JOBS'
  /** Number of jobs that failed in this run. */
  readonly count: number

  constructor(count: number, reasons: readonly string[]) {
    super(
      count === 1 ? `1 job failed: ${reasons[0] ?? 'no result kept'}` : `${count} jobs failed:\n${reasons.join('\n')}`,
    )
    this.count = count
  }
}
