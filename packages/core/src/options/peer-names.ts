/**
 * Names that BullMQ, Celery and others give to our options, for those who come from there. Of several counterparts the one
 * counts that the options at hand have. Names that resemble ours are found without this table.
 */
const PEER_NAMES: Readonly<Record<string, readonly string[]>> = {
  // BullMQ
  delay: ['deferByMs'],
  attempts: ['maxTries'],
  backoff: ['retry'],
  concurrency: ['maxJobs'],
  connection: ['redis'],
  deduplication: ['unique'],
  lockDuration: ['leaseMs'],
  pattern: ['cron'],
  prefix: ['keyPrefix'],
  removeOnComplete: ['keepResultMs'],
  // Celery
  broker: ['redis'],
  countdown: ['deferByMs'],
  crontab: ['cron'],
  eta: ['deferUntil'],
  max_retries: ['maxTries'],
  soft_time_limit: ['timeoutMs', 'jobTimeoutMs'],
  task_id: ['jobId'],
  time_limit: ['timeoutMs', 'jobTimeoutMs'],
  worker_concurrency: ['maxJobs'],
  // Other libraries, and guesses
  id: ['jobId'],
  input: ['params'],
  maxRetries: ['maxTries'],
  processor: ['handler'],
  retries: ['maxTries'],
  run: ['handler'],
  runAt: ['deferUntil'],
  schema: ['params'],
  tz: ['timeZone'],
  url: ['redis'],
}

/** The option among `known` that other libraries call `name`. */
export function peerCounterpartOf(name: string, known: readonly string[]): string | undefined {
  return Object.hasOwn(PEER_NAMES, name) ? PEER_NAMES[name]!.find((ours) => known.includes(ours)) : undefined
}
