/** What stands under `task_queue`: the keys of the operations guide, and ours. Durations are in seconds, as there. */
import parseDuration from 'parse-duration'
import { isTimeZone } from '@arq-ts/protocol/time'
import {
  array,
  boolean,
  dictionary,
  Field,
  integer,
  number,
  object,
  oneOf,
  pattern,
  positive,
  string,
  union,
} from '../options/field.ts'
import type { Input, Output } from '../options/field.ts'

const MAX_SECONDS = 3_155_760_000

/** A number, or numbers each with its unit; what parse-duration would pass over is refused. */
const DURATION =
  /^\s*(?:\d+(?:\.\d+)?|(?:(?:\d+(?:\.\d+)?|\.\d+)\s*(?:ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?|mo|months?|y|years?)(?![a-z])\s*)+)\s*$/i

/** Seconds as a number, or a string such as `90s`, `5m`, `1h 30m`. */
function seconds(min: number, max = MAX_SECONDS): Field<number, number | string> {
  const expected = `seconds, or a duration such as 30s, 5m or 2h, from ${min} to ${max} s`
  return new Field<number, number | string>(
    (value, report) => {
      const read = typeof value === 'string' ? secondsOf(value) : value
      if (typeof read === 'number' && read >= min && read <= max) return read
      report({ kind: 'value', keys: [], expected, isOfType: typeof read === 'number' })
      return min
    },
    { json: { type: ['number', 'string'] } },
  )
}

function secondsOf(text: string): number {
  return DURATION.test(text) ? (parseDuration(text, 's') ?? 0) : Number.NaN
}

const count = (min: number, max = Number.MAX_SAFE_INTEGER) => {
  const expected = `an integer from ${min}${max === Number.MAX_SAFE_INTEGER ? '' : ` to ${max}`}`
  return integer(expected, min, max)
}

const queueEntry = union([string(1), object({ name: string(1), weight: positive().optional() })])

/** `high=3,low` as the environment and flags write it. */
const queueList = union(
  [array(queueEntry, 1), string(1)],
  'a list of queues, or a string such as high=3,low',
).transform((value, refuse) => {
  const entries = typeof value === 'string' ? value.split(',').map((part) => part.trim()) : value
  return entries.map((entry) => {
    if (typeof entry !== 'string') return { name: entry.name, weight: entry.weight ?? 1 }
    const [, name = entry, weight = '1'] = /^(.+)=([\d.]+)$/.exec(entry) ?? []
    if (!(Number(weight) > 0)) refuse(`a weight above 0 in ${entry}`)
    return { name, weight: Number(weight) }
  })
})

const node = pattern(/^[^:\s]+(:\d+)?$/, 'host or host:port').refine(
  (text) => URL.canParse(`redis://${text}`),
  'a port from 1 to 65535',
)

/** A module of tasks, and what is handed to its `createTasks`. */
const taskEntry = union([string(1), object({ use: string(1), with: dictionary().optional() })])

const tls = object({
  ca_file: string().optional().describe('PEM file of the certificate authority.'),
  cert_file: string().optional().describe('PEM file of the client certificate.'),
  key_file: string().optional().describe("PEM file of the client certificate's key."),
  server_name: string().optional().describe('Name the certificate is checked for; default: the host.'),
  reject_unauthorized: boolean().optional().describe('False accepts any certificate. Default true.'),
})

/** `host:port,host:port` as the environment writes it. */
const nodeList = new Field<string[], string>(
  (value, report) => {
    if (typeof value === 'string')
      return array(node, 1).read(
        value.split(',').map((part) => part.trim()),
        report,
      )
    report({ kind: 'value', keys: [], expected: 'a string', isOfType: false })
    return []
  },
  { json: { type: 'string' } },
)

const sentinel = object({
  name: string(1).describe('The primary, as the sentinels know it.'),
  nodes: union([array(node, 1), nodeList]).describe('host:port of each sentinel.'),
  username: string().optional(),
  password: string().optional().describe("The sentinels' own password."),
})

/** What is wrong with a URL of Redis, as what was expected instead; undefined where it can be used. */
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

/** @internal */
export const taskQueueSchema = object({
  redis_url: pattern(/^(rediss?|unix):\/\/\S+$/, 'a URL such as redis://localhost:6379, rediss://… or unix:///path')
    .check(expectedOf)
    .default('redis://localhost:6379')
    .describe('Redis, Valkey or Dragonfly.'),
  redis_username: string().optional().describe('Wins over one in the URL.'),
  redis_password: string().optional().describe('Wins over one in the URL.'),
  redis_database: count(0).default(1).describe('Database for tasks; wins over one in the URL when given.'),
  key_prefix: string().default('').describe('Put before every key. Queues with one are not shared with Python.'),
  tls: tls.optional().describe('Settings of a rediss:// connection.'),
  sentinel: sentinel.optional().describe('Find the primary by Redis Sentinel; redis_url then gives no host.'),

  queue_name: string(1).default('default').describe("The queue: ARQ's queue name is its Redis key."),
  queues: queueList.optional().describe('Several queues for one worker, in order of priority; excludes queue_name.'),
  queue_order: oneOf('strict', 'weighted').default('strict').describe('strict: a later queue gets what is left.'),
  tasks: array(taskEntry)
    .default([])
    .describe(
      'Modules whose tasks the worker runs: packages, or paths relative to the configuration; `with` is handed to them.',
    ),

  worker_pool_size: count(1, 1_024).default(4).describe('Worker processes.'),
  max_jobs: count(1, 100_000).default(10).describe('Jobs at a time per worker process.'),
  job_timeout: seconds(0.001).default(3_600).describe('Seconds a job may run.'),
  job_ttl: seconds(0).default(86_400).describe('Seconds a result is kept; 0 keeps none.'),
  max_tries: count(1, 10).default(3).describe('Tries before a job is dead.'),
  retry_delay: seconds(0).default(60).describe('Seconds before the second try.'),
  retry_backoff: oneOf('exponential', 'fixed', 'none').default('exponential').describe('none: only Retry runs again.'),
  retry_jitter: number('a number', 0, 1).default(0).describe('Share of the delay drawn at random.'),
  retry_max_delay: seconds(0).default(86_400).describe('Upper bound of a delay in seconds.'),
  dead_letter: boolean().default(true).describe('Keep jobs that failed for good.'),
  dead_letter_max_age: seconds(1).default(604_800).describe('Seconds a dead letter is kept.'),
  dead_letter_max_count: count(1).default(10_000).describe('Dead letters kept at most.'),
  unknown_function: oneOf('fail', 'release').default('fail').describe('release: leave it to a worker that has it.'),

  codec: oneOf('msgpack', 'pickle', 'json')
    .default('msgpack')
    .describe("How jobs are written; Python's default is pickle."),
  max_payload_bytes: count(1_024, 536_870_912).default(67_108_864).describe('Bytes of a payload at most.'),
  max_decoded_bytes: count(1_048_576)
    .default(134_217_728)
    .describe('Memory in bytes that one decoded payload may take.'),
  lease: seconds(1, 2_147_483).default(30).describe("Seconds after which a dead worker's jobs run again."),
  poll_delay: seconds(0.001, 2_147_483).default(0.5).describe('Seconds between polls; wake-ups find most work sooner.'),
  health_check_interval: seconds(0.001).default(60).describe('Seconds between health lines.'),
  job_completion_wait: seconds(0).default(30).describe('Seconds that running jobs may continue after a stop.'),
  abort_grace: seconds(0, 2_147_483).default(5).describe('Seconds a handler may ignore its signal.'),
  expires_extra: seconds(0.001).default(86_400).describe('Seconds past its due time that a job may still start.'),
  time_zone: string()
    .refine(isTimeZone, 'an IANA time zone such as Europe/Berlin')
    .optional()
    .describe("Wall clock of cron jobs; default: the system's."),
  allow_abort_jobs: boolean().default(true).describe('Honour requests to abort; arq has false.'),
  log_results: boolean().default(true).describe('Show results in log lines.'),
  log_arguments: boolean().default(true).describe('Show arguments in log lines.'),
  recorder: boolean().default(true).describe('Record what jobs did, for the history and the dashboard.'),
})

/** The settings as they may be written: every key optional. */
export type TaskQueueInput = Input<typeof taskQueueSchema>

/** The settings, checked and with every default; durations in seconds. */
export type TaskQueueConfig = Output<typeof taskQueueSchema>

/** The schema of a whole configuration file, for editors: other sections belong to other programs. */
export function configJsonSchema(): Record<string, unknown> {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    type: 'object',
    properties: { task_queue: taskQueueSchema.facts.json },
    required: ['task_queue'],
    additionalProperties: {},
  }
}
