/** Replies that mean "not now": a failover, a start-up, a busy server. Everything else is a fault of the call. */
const TRANSIENT_REPLIES =
  /^(READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY |UNBLOCKED|MISCONF|NOREPLICAS|OOM|NOTREADY|Connection is closed|Connection is in|Stream isn't writeable|Socket timeout|Command timed out|Command aborted|None of startup nodes)/
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

/** True when the same call may succeed once Redis is well again. */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (
    error.name === 'MaxRetriesPerRequestError' ||
    error.name === 'ClusterAllFailedError' ||
    error.name === 'AbortError'
  )
    return true
  const code = (error as NodeJS.ErrnoException).code
  return (code !== undefined && TRANSIENT_CODES.has(code)) || TRANSIENT_REPLIES.test(error.message)
}
