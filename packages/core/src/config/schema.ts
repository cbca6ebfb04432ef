/** The content of `task_queue`: the keys of the operations guide, and ours. Durations are in seconds, as there. */
import parseDuration from 'parse-duration'
import { retryDefaults } from '@arq-ts/protocol/defaults'
import { workerDefaults as own } from '../options/defaults.ts'
import * as z from '../options/zod.ts'
import { isTimeZone } from '@arq-ts/protocol/time'

const MAX_SECONDS = 3_155_760_000

/** A number, or numbers each with its unit; what parse-duration would pass over is refused. */
const DURATION =
  /^\s*(?:\d+(?:\.\d+)?|(?:(?:\d+(?:\.\d+)?|\.\d+)\s*(?:ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?|mo|months?|y|years?)(?![a-z])\s*)+)\s*$/i

/** Seconds as a number, or a string such as `90s`, `5m`, `1h 30m`. */
function seconds(min: number, max = MAX_SECONDS) {
  const expected = `Expected seconds, or a duration such as 30s, 5m or 2h, from ${min} to ${max} s`
  return z
    .union([z.number(), z.string()], expected)
    .transform((value) => (typeof value === 'number' ? value : secondsOf(value)))
    .refine((value) => value >= min && value <= max, expected)
}

function secondsOf(text: string): number {
  return DURATION.test(text) ? (parseDuration(text, 's') ?? 0) : Number.NaN
}

const count = (min: number, max = Number.MAX_SAFE_INTEGER) => {
  const expected = `Expected an integer from ${min}${max === Number.MAX_SAFE_INTEGER ? '' : ` to ${max}`}`
  return z.number(expected).int(expected).min(min, expected).max(max, expected)
}

const queueEntry = z.union([
  z.string().min(1),
  z.strictObject({ name: z.string().min(1), weight: z.number().positive().optional() }),
])

/** `high=3,low` as the environment and flags write it. */
const queueList = z
  .union([z.array(queueEntry).min(1), z.string().min(1)], 'Expected a list of queues, or a string such as high=3,low')
  .transform((value, issues) => {
    const entries = typeof value === 'string' ? value.split(',').map((part) => part.trim()) : value
    return entries.map((entry) => {
      if (typeof entry !== 'string') return { name: entry.name, weight: entry.weight ?? 1 }
      const [, name = entry, weight = '1'] = /^(.+)=([\d.]+)$/.exec(entry) ?? []
      if (!(Number(weight) > 0)) issues.addIssue({ code: 'custom', message: `Expected a weight above 0 in ${entry}` })
      return { name, weight: Number(weight) }
    })
  })

const node = z
  .string()
  .regex(/^[^:\s]+(:\d+)?$/, { error: 'Expected host or host:port', abort: true })
  .refine((text) => URL.canParse(`redis://${text}`), 'Expected a port from 1 to 65535')

/** A module of tasks, and what is handed to its `createTasks`. */
const taskEntry = z.union([
  z.string().min(1),
  z.strictObject({ use: z.string().min(1), with: z.record(z.string(), z.unknown()).optional() }),
])

const tls = z.strictObject({
  ca_file: z.string().optional().describe('PEM file of the certificate authority.'),
  cert_file: z.string().optional().describe('PEM file of the client certificate.'),
  key_file: z.string().optional().describe("PEM file of the client certificate's key."),
  server_name: z.string().optional().describe('Name the certificate is checked for; default: the host.'),
  reject_unauthorized: z.boolean().optional().describe('False accepts any certificate. Default true.'),
})

const sentinel = z.strictObject({
  name: z.string().min(1).describe('The primary, as the sentinels know it.'),
  nodes: z
    .union([
      z.array(node).min(1),
      z
        .string()
        .transform((text) => text.split(',').map((part) => part.trim()))
        .pipe(z.array(node)),
    ])
    .describe('host:port of each sentinel.'),
  username: z.string().optional(),
  password: z.string().optional().describe("The sentinels' own password."),
})

/** The form that a URL of Redis should have; undefined where the URL can be used. */
function expectedOf(text: string): string | undefined {
  if (text.startsWith('unix:')) {
    return URL.canParse(text) && new URL(text).host === '' ? undefined : 'a URL such as unix:///path'
  }
  if (!URL.canParse(text) || new URL(text).port === '0') {
    return 'a URL such as redis://user:password@host:6379/1, its port a number from 1 to 65535'
  }
  const { username, password, pathname } = new URL(text)
  try {
    decodeURIComponent(username + password)
  } catch {
    return 'a URL whose user and password have % written as %25'
  }
  return /^\/?$|^\/\d+$/.test(pathname) ? undefined : 'a URL whose path is a database, such as /1'
}

/** The database that a URL of Redis names, if any. */
export function databaseOf(url: unknown): number | undefined {
  if (typeof url !== 'string' || !/^rediss?:/.test(url) || !URL.canParse(url)) return undefined
  const [, database] = /^\/(\d+)$/.exec(new URL(url).pathname) ?? []
  return database === undefined ? undefined : Number(database)
}

/**
 * The guide's defaults stand here; those that are the worker's own are taken from there.
 *
 * @internal
 */
export const taskQueueSchema = z.strictObject({
  redis_url: z
    .string()
    .regex(/^(rediss?|unix):\/\/\S+$/, {
      error: 'Expected a URL such as redis://localhost:6379, rediss://… or unix:///path',
      abort: true,
    })
    .superRefine((text, issues) => {
      const expected = expectedOf(text)
      if (expected !== undefined) issues.addIssue({ code: 'custom', message: `Expected ${expected}` })
    })
    .default(own.redis)
    .describe('Redis, Valkey or Dragonfly.'),
  redis_username: z.string().optional().describe('Wins over one in the URL.'),
  redis_password: z.string().optional().describe('Wins over one in the URL.'),
  redis_database: count(0).default(1).describe('Database for tasks; wins over one in the URL when given.'),
  key_prefix: z
    .string()
    .default(own.keyPrefix)
    .describe('Put before every key. Queues with one are not shared with Python.'),
  partitions: count(1, 256)
    .default(own.partitions)
    .describe('Partitions of the namespace, for Redis Cluster; needs a key_prefix with a hash tag, such as {orders}:.'),
  tls: tls.optional().describe('Settings of a rediss:// connection.'),
  cluster: z
    .boolean()
    .default(false)
    .describe(
      'redis_url is a node of a Redis Cluster, which has database 0 alone; needs a key_prefix with a hash tag.',
    ),
  sentinel: sentinel.optional().describe('Find the primary by Redis Sentinel; redis_url then gives no host.'),

  queue_name: z.string().min(1).default('default').describe("The queue: ARQ's queue name is its Redis key."),
  queues: queueList.optional().describe('Several queues for one worker, in order of priority; excludes queue_name.'),
  queue_order: z
    .enum(['strict', 'weighted'])
    .default(own.queueOrder)
    .describe('strict: a later queue gets what is left.'),
  tasks: z
    .array(taskEntry)
    .default([])
    .describe(
      'Modules whose tasks the worker runs: packages, or paths relative to the configuration; `with` is handed to them.',
    ),

  worker_pool_size: count(1, 1_024).default(4).describe('Worker processes.'),
  max_jobs: count(1, 100_000).default(own.maxJobs).describe('Jobs at a time per worker process.'),
  job_timeout: seconds(0.001).prefault(3_600).describe('Seconds a job may run.'),
  job_ttl: seconds(0).prefault(86_400).describe('Seconds a result is kept; 0 keeps none.'),
  max_tries: count(1, 10).default(3).describe('Tries before a job is dead.'),
  retry_delay: seconds(0).prefault(60).describe('Seconds before the second try.'),
  retry_backoff: z
    .enum(['exponential', 'fixed', 'none'])
    .default(retryDefaults.backoff)
    .describe('none: only Retry runs again.'),
  retry_jitter: z.number().min(0).max(1).default(retryDefaults.jitter).describe('Share of the delay drawn at random.'),
  retry_max_delay: seconds(0)
    .prefault(retryDefaults.maxDelayMs / 1_000)
    .describe('Upper bound of a delay in seconds.'),
  dead_letter: z.boolean().default(true).describe('Keep jobs that failed for good.'),
  dead_letter_max_age: seconds(1)
    .prefault(own.deadLetter.maxAgeMs / 1_000)
    .describe('Seconds a dead letter is kept.'),
  dead_letter_max_count: count(1).default(own.deadLetter.maxCount).describe('Dead letters kept at most.'),
  unknown_function: z
    .enum(['fail', 'release'])
    .default(own.unknownFunction)
    .describe('release: leave it to a worker that has it.'),

  codec: z
    .enum(['msgpack', 'pickle', 'json'])
    .default(own.codec)
    .describe("How jobs are written; Python's default is pickle."),
  max_payload_bytes: count(1_024, 536_870_912).default(own.maxPayloadBytes).describe('Bytes of a payload at most.'),
  max_decoded_bytes: count(1_048_576)
    .default(own.maxDecodedBytes)
    .describe('Memory in bytes that one decoded payload may take.'),
  lease: seconds(1, 2_147_483)
    .prefault(own.leaseMs / 1_000)
    .describe("Seconds after which a dead worker's jobs run again."),
  poll_delay: seconds(0.001, 2_147_483)
    .prefault(own.pollDelayMs / 1_000)
    .describe('Seconds between polls; wake-ups find most work sooner.'),
  health_check_interval: seconds(0.001).prefault(60).describe('Seconds between health lines.'),
  job_completion_wait: seconds(0).prefault(30).describe('Seconds that running jobs may continue after a stop.'),
  abort_grace: seconds(0, 2_147_483)
    .prefault(own.abortGraceMs / 1_000)
    .describe('Seconds a handler may ignore its signal.'),
  expires_extra: seconds(0.001)
    .prefault(own.expiresExtraMs / 1_000)
    .describe('Seconds past its due time that a job may still start.'),
  time_zone: z
    .string()
    .refine(isTimeZone, 'Expected an IANA time zone such as Europe/Berlin')
    .optional()
    .describe("Wall clock of cron jobs; default: the system's."),
  allow_abort_jobs: z.boolean().default(own.allowAbortJobs).describe('Honour requests to abort; arq has false.'),
  log_results: z.boolean().default(own.logResults).describe('Show results in log lines.'),
  log_arguments: z.boolean().default(own.logArguments).describe('Show arguments in log lines.'),
  recorder: z.boolean().default(true).describe('Record what jobs did, for the history and the dashboard.'),
})

/** The settings as they may be written: every key optional. */
export type TaskQueueInput = z.input<typeof taskQueueSchema>

/** The settings, checked and with every default; durations in seconds. */
export type TaskQueueConfig = z.output<typeof taskQueueSchema>

/** The settings of an empty configuration: the defaults of the guide, else of the worker; durations in seconds. */
export function taskQueueDefaults(): TaskQueueConfig {
  return taskQueueSchema.parse({})
}

/** The schema of a whole configuration file, for editors: other sections belong to other programs. */
export function configJsonSchema(): Record<string, unknown> {
  const file = z.looseObject({ task_queue: taskQueueSchema })
  return z.toJSONSchema(file, { io: 'input', target: 'draft-7', unrepresentable: 'any' })
}
