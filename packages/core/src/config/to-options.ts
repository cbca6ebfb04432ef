import { readFileSync } from 'node:fs'
import type { RedisOptions } from 'ioredis'
import { ConfigError } from '../errors.ts'
import type { ClientOptions } from '../options/client.ts'
import { clientDefaults, given } from '../options/defaults.ts'
import type { WorkerOptions } from '../options/worker.ts'
import type { ClusterTarget } from '../redis/target.ts'
import type { RetryPolicy } from '@arq-ts/protocol/jobs'
import type { TaskQueueConfig } from './schema.ts'

const ms = (seconds: number) => Math.round(seconds * 1_000)

/** The address of Redis, in the form of the option `redis`. @throws ConfigError when a TLS file cannot be read. */
export function redisOptionsOf(config: TaskQueueConfig): RedisOptions | ClusterTarget {
  const url = new URL(config.redis_url)
  const username = config.redis_username ?? decodeURIComponent(url.username)
  const password = config.redis_password ?? decodeURIComponent(url.password)
  const options: RedisOptions = { db: config.redis_database }
  if (username !== '') options.username = username
  if (password !== '') options.password = password
  if (url.protocol === 'rediss:' || config.tls) options.tls = tlsOf(config.tls ?? {})
  if (config.sentinel) {
    const { name, nodes, username: sentinelUsername, password: sentinelPassword } = config.sentinel
    return {
      ...options,
      name,
      sentinels: nodes.map(hostAndPort),
      ...(sentinelUsername === undefined ? {} : { sentinelUsername }),
      ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
    }
  }
  if (url.protocol === 'unix:') return { ...options, path: url.pathname }
  const node = { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 6379) }
  if (!config.cluster) return { ...options, ...node }
  // A Cluster has only database 0.
  const { db: _, ...nodeOptions } = options
  return { ...nodeOptions, cluster: [node] }
}

/** Queues of a worker with these settings, in order. */
export function queueNamesOf(config: TaskQueueConfig): string[] {
  return config.queues?.map((queue) => queue.name) ?? [config.queue_name]
}

/** Options of a Client with these settings. */
export function clientOptionsOf(config: TaskQueueConfig): ClientOptions {
  const shared = Object.entries(allWorkerOptionsOf(config)).filter(([name]) => name in clientDefaults)
  return { ...(Object.fromEntries(shared) as ClientOptions), queueName: queueNamesOf(config)[0]! }
}

/** The option of a worker that each setting becomes: seconds where its name ends in `Ms`, else as it is. */
const OPTIONS = {
  redis_url: 'redis',
  redis_username: 'redis',
  redis_password: 'redis',
  redis_database: 'redis',
  tls: 'redis',
  sentinel: 'redis',
  cluster: 'redis',
  key_prefix: 'keyPrefix',
  partitions: 'partitions',
  queue_name: 'queueName',
  queues: 'queues',
  queue_order: 'queueOrder',
  max_jobs: 'maxJobs',
  job_timeout: 'jobTimeoutMs',
  job_ttl: 'keepResultMs',
  max_tries: 'maxTries',
  retry_delay: 'retry',
  retry_backoff: 'retry',
  retry_jitter: 'retry',
  retry_max_delay: 'retry',
  dead_letter: 'deadLetter',
  dead_letter_max_age: 'deadLetter',
  dead_letter_max_count: 'deadLetter',
  unknown_function: 'unknownFunction',
  codec: 'codec',
  max_payload_bytes: 'maxPayloadBytes',
  max_decoded_bytes: 'maxDecodedBytes',
  lease: 'leaseMs',
  poll_delay: 'pollDelayMs',
  health_check_interval: 'healthCheckIntervalMs',
  job_completion_wait: 'jobCompletionWaitMs',
  abort_grace: 'abortGraceMs',
  expires_extra: 'expiresExtraMs',
  time_zone: 'timeZone',
  allow_abort_jobs: 'allowAbortJobs',
  log_results: 'logResults',
  log_arguments: 'logArguments',
  recorder: 'recorder',
} as const satisfies Partial<Record<keyof TaskQueueConfig, keyof WorkerOptions>>

/**
 * Options of a Worker with these settings; `tasks` and `cron` are the caller's.
 *
 * @param keys - only the options that these settings decide; default: all.
 */
export function workerOptionsOf(config: TaskQueueConfig, keys?: Iterable<string>): WorkerOptions {
  const all = allWorkerOptionsOf(config)
  if (keys === undefined) return all
  const wanted = new Set([...keys].map((key) => OPTIONS[key.split('.')[0] as keyof typeof OPTIONS]))
  return Object.fromEntries(Object.entries(all).filter(([name]) => wanted.has(name as never)))
}

/** Options that several settings make up. */
const COMPOSED = {
  redis: redisOptionsOf,
  queueName: ({ queues, queue_name: name }) => (queues ? undefined : name),
  retry: retryPolicyOf,
  deadLetter: (config) =>
    config.dead_letter && { maxAgeMs: ms(config.dead_letter_max_age), maxCount: config.dead_letter_max_count },
} as const satisfies { [K in keyof WorkerOptions]?: (config: TaskQueueConfig) => WorkerOptions[K] | undefined }

function allWorkerOptionsOf(config: TaskQueueConfig): WorkerOptions {
  const options: Record<string, unknown> = {}
  for (const [setting, option] of Object.entries(OPTIONS)) {
    const value = config[setting as keyof typeof OPTIONS]
    if (option in COMPOSED) options[option] ??= COMPOSED[option as keyof typeof COMPOSED](config)
    else options[option] = option.endsWith('Ms') && typeof value === 'number' ? ms(value) : value
  }
  return given(options) as WorkerOptions
}

function retryPolicyOf(config: TaskQueueConfig): RetryPolicy | undefined {
  const { retry_backoff: backoff } = config
  if (backoff === 'none') return undefined
  return {
    delayMs: ms(config.retry_delay),
    backoff,
    jitter: config.retry_jitter,
    maxDelayMs: ms(config.retry_max_delay),
  }
}

function tlsOf(tls: NonNullable<TaskQueueConfig['tls']>): NonNullable<RedisOptions['tls']> {
  const read = (key: 'ca_file' | 'cert_file' | 'key_file') => {
    const file = tls[key]
    if (file === undefined) return undefined
    try {
      return readFileSync(file)
    } catch (error) {
      const message = `\`tls.${key}\` cannot be read: ${(error as Error).message}`
      throw new ConfigError([{ where: file, path: `tls.${key}`, message }])
    }
  }
  const options = {
    ca: read('ca_file'),
    cert: read('cert_file'),
    key: read('key_file'),
    servername: tls.server_name,
    rejectUnauthorized: tls.reject_unauthorized,
  }
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

function hostAndPort(node: string): { host: string; port: number } {
  const [host = '', port = '26379'] = node.split(':')
  return { host, port: Number(port) }
}
