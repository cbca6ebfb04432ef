import { isError } from '@arq-ts/protocol/values'
import { RedisReplyError } from '../errors.ts'

/** Replies that mean "not now": a failover, a start-up, a busy server. Everything else is a fault of the call. */
const TRANSIENT_REPLIES =
  /^(READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY |UNBLOCKED|MISCONF|NOREPLICAS|OOM|NOTREADY|MOVED|ASK |ERR max number of clients|Too many Cluster redirections|Cluster isn't ready|Connection is closed|Connection is in|Stream isn't writeable|Socket timeout|Command timed out|Command aborted|None of startup nodes|Failed to refresh slots cache|Cluster is)/
const TRANSIENT_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'NR_CLOSED',
])

/** Fields that ioredis adds to its errors. */
interface Attached {
  /** The command with its arguments: a password, or a job's payload. */
  command?: unknown
  /** Reasons why a transaction was discarded. */
  previousErrors?: Error[]
  lastNodeError?: Error | null
}

/** True when the same call may succeed once Redis is well again. */
export function isTransient(error: unknown): boolean {
  if (!isError(error)) return false
  if (
    error.name === 'MaxRetriesPerRequestError' ||
    error.name === 'ClusterAllFailedError' ||
    error.name === 'AbortError' ||
    error.name === 'StrayReplyError'
  )
    return true
  const code = (error as NodeJS.ErrnoException).code
  return (code !== undefined && TRANSIENT_CODES.has(code)) || TRANSIENT_REPLIES.test(error.message)
}

/** Says that this user and password do not open the server. */
export function isWrongPassword(error: RedisReplyError): boolean {
  return error.prefix === 'WRONGPASS' || error.prefix === 'NOAUTH' || error.message === 'ERR invalid password'
}

/** Says that the server would refuse each call of the kind, whatever its keys and values: this user may not make it, say. */
export function isOfEveryCall(error: RedisReplyError): boolean {
  if (error.prefix === 'NOPERM') return !/\bkeys?\b/.test(error.message)
  return isWrongPassword(error) || /^ERR unknown command/i.test(error.message) || isTransient(error)
}

/** The reply in an error of ioredis: a cluster's client redirects a call 16 times, and names the last reply then. */
export function replyOf({ message }: Error): string {
  return /^Too many Cluster redirections\. Last error: (?:\w*Error: )?(.+)/.exec(message)?.[1] ?? message
}

/**
 * An error of ioredis as it may be logged and thrown: replies of the server by their code, and nothing with the command,
 * whose arguments are nobody's business.
 */
export function withoutCommand(error: unknown): unknown {
  if (!isError(error)) return error
  const attached = error as Attached
  const reason = attached.previousErrors?.[0] ?? error
  if (reason.name === 'ReplyError') return new RedisReplyError(reason.message)
  const reply = replyOf(reason)
  if (reply !== reason.message) return new RedisReplyError(reply)
  delete attached.command
  if (attached.lastNodeError) delete (attached.lastNodeError as Attached).command
  return error
}
