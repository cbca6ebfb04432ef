/** Parameters of arq with their counterparts here. Refusals, the reference page and the comparison with arq read this table. */

/** A parameter of arq that has no counterpart: the reason, as the end of "Unknown option `x`: …". */
interface Gone {
  readonly gone: string
}

/** Parameters by the callable of arq that takes them: our name (`tls.ca` is within an option), or the reason for none. */
export const ARQ_PARAMETERS = {
  Worker: {
    functions: 'tasks',
    queue_name: 'queueName',
    cron_jobs: 'cron',
    redis_settings: 'redis',
    redis_pool: 'redis',
    burst: 'burst',
    on_startup: 'onStartup',
    on_shutdown: 'onShutdown',
    on_job_start: 'onJobStart',
    on_job_end: 'onJobEnd',
    after_job_end: 'afterJobEnd',
    handle_signals: 'handleSignals',
    job_completion_wait: 'jobCompletionWaitMs',
    max_jobs: 'maxJobs',
    job_timeout: 'jobTimeoutMs',
    keep_result: 'keepResultMs',
    keep_result_forever: 'keepResultForever',
    poll_delay: 'pollDelayMs',
    queue_read_limit: 'queueReadLimit',
    max_tries: 'maxTries',
    health_check_interval: 'healthCheckIntervalMs',
    health_check_key: 'healthCheckKey',
    ctx: 'ctx',
    retry_jobs: 'retryJobs',
    allow_abort_jobs: 'allowAbortJobs',
    max_burst_jobs: 'maxBurstJobs',
    job_serializer: 'codec',
    job_deserializer: 'codec',
    expires_extra_ms: 'expiresExtraMs',
    timezone: 'timeZone',
    log_results: 'logResults',
  },
  create_pool: {
    settings_: 'redis',
    retry: { gone: 'a client reconnects until it is closed' },
    job_serializer: 'codec',
    job_deserializer: 'codec',
    default_queue_name: 'queueName',
    expires_extra_ms: 'expiresExtraMs',
  },
  RedisSettings: {
    host: 'host',
    port: 'port',
    unix_socket_path: 'path',
    database: 'db',
    username: 'username',
    password: 'password',
    ssl: 'tls',
    ssl_keyfile: 'tls.key',
    ssl_certfile: 'tls.cert',
    ssl_cert_reqs: 'tls.rejectUnauthorized',
    ssl_ca_certs: 'tls.ca',
    ssl_ca_data: 'tls.ca',
    ssl_check_hostname: 'tls.checkServerIdentity',
    conn_timeout: 'connectTimeout',
    conn_retries: { gone: 'a client reconnects until it is closed' },
    conn_retry_delay: { gone: 'a client reconnects until it is closed' },
    max_connections: { gone: 'a client has one connection for its calls and one that listens' },
    sentinel: 'sentinels',
    sentinel_master: 'name',
    retry_on_timeout: { gone: 'a call waits for Redis up to `commandTimeoutMs`' },
    retry_on_error: { gone: 'a call waits for Redis up to `commandTimeoutMs`' },
    retry: { gone: 'a call waits for Redis up to `commandTimeoutMs`' },
  },
  enqueue_job: {
    _job_id: 'jobId',
    _queue_name: 'queueName',
    _defer_until: 'deferUntil',
    _defer_by: 'deferByMs',
    _expires: 'expiresMs',
    _job_try: 'jobTry',
  },
  func: {
    coroutine: 'handler',
    name: 'name',
    keep_result: 'keepResultMs',
    timeout: 'timeoutMs',
    keep_result_forever: 'keepResultForever',
    max_tries: 'maxTries',
  },
  cron: {
    name: { gone: 'the name is the first argument' },
    month: 'month',
    day: 'day',
    weekday: 'weekday',
    hour: 'hour',
    minute: 'minute',
    second: 'second',
    microsecond: 'microsecond',
    run_at_startup: 'runAtStartup',
    unique: 'unique',
    job_id: 'jobId',
    timeout: 'timeoutMs',
    keep_result: 'keepResultMs',
    keep_result_forever: 'keepResultForever',
    max_tries: 'maxTries',
  },
  Retry: { defer: 'deferMs' },
  Job: {
    _queue_name: 'queueName',
    _deserializer: { gone: 'a reader recognizes the codec by the first byte' },
  },
  'Job.result': {
    timeout: 'timeoutMs',
    poll_delay: { gone: 'a waiting call is notified of the end, and also asks every 500 ms' },
    pole_delay: { gone: 'a waiting call is notified of the end, and also asks every 500 ms' },
  },
  'Job.abort': {
    timeout: 'timeoutMs',
    poll_delay: { gone: 'a waiting call is notified of the end, and also asks every 500 ms' },
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, string | Gone>>>>

type Parameters = Readonly<Record<string, string | Gone>>

/**
 * The counterpart of a name of arq in the options that take it, or the reason for none; undefined for other names. A name
 * without a counterpart counts only if most of its neighbours are known: `retry` is no option of `enqueue_job`.
 */
export function counterpartOf(name: string, known: readonly string[]): string | Gone | undefined {
  const isKnown = (ours: string | Gone | undefined) => typeof ours === 'string' && known.includes(ours.split('.')[0]!)
  const having = Object.values<Parameters>(ARQ_PARAMETERS).filter((parameters) => Object.hasOwn(parameters, name))
  const ours = having.map((parameters) => parameters[name]).find(isKnown)
  if (ours !== undefined) return ours
  const place = having.find((parameters) => {
    const names = Object.values(parameters).filter((each) => typeof each === 'string')
    return typeof parameters[name] === 'object' && 2 * names.filter(isKnown).length >= names.length
  })
  return place?.[name]
}
