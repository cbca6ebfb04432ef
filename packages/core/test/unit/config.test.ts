import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { configJsonSchema, redisOptionsOf, workerOptionsOf } from '../../src/config/index.ts'
import { useConfigs } from './config-harness.ts'
import type { ConfigSource } from './config-harness.ts'

const { folder, load, problems, setting } = useConfigs()

describe('without anything given', () => {
  test("the guide's defaults hold", () => {
    expect(load().config).toMatchObject({
      redis_url: 'redis://localhost:6379',
      redis_database: 1,
      max_jobs: 10,
      job_timeout: 3600,
      job_ttl: 86400,
      max_tries: 3,
      retry_delay: 60,
      retry_backoff: 'exponential',
      queue_name: 'default',
      worker_pool_size: 4,
      health_check_interval: 60,
    })
  })

  test('a worker gets them in its own terms', () => {
    expect(workerOptionsOf(load().config)).toMatchObject({
      redis: { host: 'localhost', port: 6379, db: 1 },
      queueName: 'default',
      maxJobs: 10,
      jobTimeoutMs: 3_600_000,
      keepResultMs: 86_400_000,
      maxTries: 3,
      retry: { delayMs: 60_000, backoff: 'exponential' },
    })
  })
})

describe('of several places', () => {
  test('the last wins, and each value says where it comes from', () => {
    const loaded = load({
      yaml: 'other: 1\ntask_queue:\n  max_jobs: 2\n  max_tries: 4\n  job_timeout: 5m\n',
      env: { ARQ_TS_TASK_QUEUE__MAX_JOBS: '3', ARQ_TS_TASK_QUEUE__MAX_TRIES: '5' },
      flags: { max_tries: 6, queue_name: undefined },
    })
    expect(setting(loaded, 'job_timeout')).toEqual({ value: 300, from: 'arq-ts.yaml:5' })
    expect(setting(loaded, 'max_jobs')).toEqual({ value: 3, from: 'ARQ_TS_TASK_QUEUE__MAX_JOBS' })
    expect(setting(loaded, 'max_tries')).toEqual({ value: 6, from: '--max-tries' })
    expect(setting(loaded, 'queue_name')).toEqual({ value: 'default', from: 'default' })
  })

  test('the environment may have a prototype of its own, as that of the process has', () => {
    const env = Object.assign(Object.create({}) as Record<string, string>, { ARQ_TS_TASK_QUEUE__MAX_JOBS: '7' })
    expect(load({ env }).config.max_jobs).toBe(7)
  })

  test('the prefix of the environment may be another', () => {
    const env = { AI_DOCS_TASK_QUEUE__REDIS_URL: 'redis://db:7000', ARQ_TS_TASK_QUEUE__REDIS_URL: 'redis://not:1' }
    expect(load({ env, envPrefix: 'AI_DOCS_' }).config.redis_url).toBe('redis://db:7000')
  })

  test('a prefix may leave its underscore out, and the environment may name it', () => {
    const env = { AI_DOCS_TASK_QUEUE__MAX_JOBS: '7' }
    expect(load({ env, envPrefix: 'AI_DOCS' }).config.max_jobs).toBe(7)
    expect(load({ env: { ...env, ARQ_TS_ENV_PREFIX: 'AI_DOCS_' } }).config.max_jobs).toBe(7)
    const both = { ...env, ARQ_TS_TASK_QUEUE__MAX_JOBS: '8', ARQ_TS_ENV_PREFIX: 'AI_DOCS_' }
    expect(load({ env: both, envPrefix: 'ARQ_TS_' }).config.max_jobs).toBe(8)
  })

  test('an empty variable gives nothing', () => {
    const loaded = load({
      yaml: 'task_queue: { redis_url: "redis://:theirs@db", max_jobs: 4 }',
      env: {
        ARQ_TS_TASK_QUEUE__MAX_JOBS: '',
        ARQ_TS_TASK_QUEUE__REDIS_PASSWORD: '',
        ARQ_TS_ENV_PREFIX: '',
        ARQ_TS_CONFIG: '',
      },
    })
    expect(loaded.config.max_jobs).toBe(4)
    expect(redisOptionsOf(loaded.config)).toMatchObject({ password: 'theirs' })
    expect(setting(loaded, 'redis_password')).toEqual({ value: undefined, from: 'default' })
  })

  test('a file may merge maps by <<, its own keys first', () => {
    const loaded = load({
      yaml: 'base: &base\n  max_jobs: 2\n  max_tries: 4\ntask_queue:\n  <<: *base\n  max_tries: 5\n',
    })
    expect(loaded.config).toMatchObject({ max_jobs: 2, max_tries: 5 })
    expect(setting(loaded, 'max_jobs').from).toBe('arq-ts.yaml:2')
    expect(setting(loaded, 'max_tries').from).toBe('arq-ts.yaml:6')
  })

  test("a file's other sections may have tags of their own", () => {
    expect(load({ yaml: 'other: !Ref x\ntask_queue:\n  max_jobs: 2\nmore: !Sub y\n' }).config.max_jobs).toBe(2)
  })

  test('the environment may name the file', () => {
    writeFileSync(join(folder(), 'mine.yml'), 'task_queue: { max_jobs: 7 }')
    expect(load({ env: { ARQ_TS_CONFIG: join(folder(), 'mine.yml') } }).config.max_jobs).toBe(7)
  })

  test('one queue on the command line wins over several in the file', () => {
    const loaded = load({ yaml: 'task_queue:\n  queues: [a, b]\n', flags: { queue_name: 'high_priority' } })
    expect(workerOptionsOf(loaded.config)).toMatchObject({ queueName: 'high_priority' })
  })

  test.each([
    ['yaml', 'task_queue:\n  max_jobs: 8\n  tls:\n    server_name: redis.internal\n', 4],
    ['toml', 'title = "x"\n[task_queue]\nmax_jobs = 8\n[task_queue.tls]\nserver_name = "redis.internal"\n', 5],
    ['json', '{\n "task_queue": {\n  "max_jobs": 8,\n  "tls": { "server_name": "redis.internal" } } }', 4],
  ])('a file may be %s, and lines are reported', (kind, text, line) => {
    const loaded = load({ [kind]: text })
    expect(loaded.config.max_jobs).toBe(8)
    expect(setting(loaded, 'tls.server_name')).toEqual({ value: 'redis.internal', from: `arq-ts.${kind}:${line}` })
  })
})

describe('a value of the environment is a string', () => {
  test.each([
    ['MAX_JOBS', '20', 'max_jobs', 20],
    ['JOB_TIMEOUT', '90', 'job_timeout', 90],
    ['JOB_TIMEOUT', '1h 30m', 'job_timeout', 5400],
    ['DEAD_LETTER', 'false', 'dead_letter', false],
    ['REDIS_PASSWORD', '0123', 'redis_password', '0123'],
    [
      'QUEUES',
      'high=3,low',
      'queues',
      [
        { name: 'high', weight: 3 },
        { name: 'low', weight: 1 },
      ],
    ],
    ['TASKS', '["@arq-ts/qdrant"]', 'tasks', ['@arq-ts/qdrant']],
    ['TLS__REJECT_UNAUTHORIZED', 'false', 'tls', { reject_unauthorized: false }],
    ['SENTINEL__NODES', 'a:1,b', 'sentinel', { name: 'm', nodes: ['a:1', 'b'] }],
  ] as const)('%s=%s', (name, value, key, expected) => {
    const env = {
      [`ARQ_TS_TASK_QUEUE__${name}`]: value,
      ...(key === 'sentinel' ? { ARQ_TS_TASK_QUEUE__SENTINEL__NAME: 'm' } : {}),
    }
    expect(load({ env }).config[key]).toEqual(expected)
  })
})

describe('Redis', () => {
  test.each([
    ['redis://u:p%40ss@db:7000/3', {}, { host: 'db', port: 7000, db: 3, username: 'u', password: 'p@ss' }],
    ['redis://u:old@db/3', { redis_password: 'new', redis_database: 5 }, { password: 'new', db: 5 }],
    ['rediss://db', {}, { tls: {}, port: 6379, db: 0 }],
    ['unix:///run/redis.sock', {}, { path: '/run/redis.sock', db: 0 }],
    ['redis://[::1]:7000', {}, { host: '::1' }],
    ['rediss://u:p@node:7000', { cluster: true }, { cluster: [{ host: 'node', port: 7000 }], username: 'u', tls: {} }],
    [
      'redis://unused',
      { sentinel: { name: 'main', nodes: ['s1', 's2:5000'] } },
      {
        name: 'main',
        sentinels: [
          { host: 's1', port: 26379 },
          { host: 's2', port: 5000 },
        ],
      },
    ],
  ])('%s %j', (url, flags, expected) => {
    expect(redisOptionsOf(load({ flags: { redis_url: url, ...flags } }).config)).toMatchObject(expected)
  })
})

describe('the database', () => {
  const db = (options: ConfigSource) => load(options).config.redis_database
  test.each([
    ['is 1, the guide says', {}, 1],
    ['is 1 with a URL in a file that names none', { yaml: 'task_queue: { redis_url: "redis://db" }' }, 1],
    ['is what the URL says', { yaml: 'task_queue: { redis_url: "redis://db/4" }' }, 4],
    ['is the setting next to the URL', { yaml: 'task_queue: { redis_url: "redis://db/4", redis_database: 5 }' }, 5],
    ['is 0 for a URL of the command line without one', { flags: { redis_url: 'redis://db' } }, 0],
    ['is of the URL that wins', { yaml: 'task_queue: { redis_database: 5 }', flags: { redis_url: 'redis://db/6' } }, 6],
  ])('%s', (_, options, expected) => expect(db(options)).toBe(expected))
})

describe('a fault is reported with its place, its key and a remedy', () => {
  test.each<[string, ConfigSource, string[]]>([
    [
      'an unknown key',
      { yaml: 'task_queue:\n  max_job: 3\n' },
      ['arq-ts.yaml:2: Unknown option `max_job`, did you mean `max_jobs`?'],
    ],
    [
      'a nested unknown key',
      { yaml: 'task_queue:\n  tls:\n    cafile: x\n' },
      ['arq-ts.yaml:3: Unknown option `tls.cafile`, did you mean `ca_file`?'],
    ],
    [
      'camel case',
      { yaml: 'task_queue:\n  maxJobs: 3\n' },
      ['arq-ts.yaml:2: Unknown option `maxJobs`, did you mean `max_jobs`?'],
    ],
    [
      'a wrong type',
      { toml: '[task_queue]\nmax_jobs = "many"\n' },
      ['arq-ts.toml:2: Expected `max_jobs` to be an integer from 1 to 100000, got `"many"`'],
    ],
    [
      'a bad duration',
      { yaml: 'task_queue:\n  job_timeout: soon\n' },
      [
        'arq-ts.yaml:2: Expected `job_timeout` to be seconds, or a duration such as 30s, 5m or 2h, from 0.001 to 3155760000 s, got `"soon"`',
      ],
    ],
    ...['60ss', '1m xyz', '60 60', '-5s', ''].map((text): [string, ConfigSource, string[]] => [
      `the duration '${text}'`,
      { flags: { job_timeout: text } },
      [
        `--job-timeout: Expected \`job_timeout\` to be seconds, or a duration such as 30s, 5m or 2h, from 0.001 to 3155760000 s, got \`"${text}"\``,
      ],
    ]),
    [
      'too many tries',
      { yaml: 'task_queue:\n  max_tries: 11\n' },
      ['arq-ts.yaml:2: Expected `max_tries` to be at most 10, got `11`'],
    ],
    [
      'a variable',
      { env: { ARQ_TS_TASK_QUEUE__MAX_TRIES: '0' } },
      ['ARQ_TS_TASK_QUEUE__MAX_TRIES: Expected `max_tries` to be at least 1, got `0`'],
    ],
    [
      'an unknown variable',
      { env: { ARQ_TS_TASK_QUEUE__MAX_TRYS: '1' } },
      ['ARQ_TS_TASK_QUEUE__MAX_TRYS: Unknown option `max_trys`, did you mean `max_tries`?'],
    ],
    [
      'a flag',
      { flags: { redis_url: 'http://x' } },
      [
        '--redis: Expected `redis_url` to be a URL such as redis://localhost:6379, rediss://… or unix:///path, got `"http://x"`',
      ],
    ],
    [
      'several at once',
      { yaml: 'task_queue:\n  max_jobs: 0\n  codec: xml\n' },
      [
        'arq-ts.yaml:2: Expected `max_jobs` to be at least 1, got `0`',
        "arq-ts.yaml:3: Expected `codec` to be 'msgpack' or 'pickle' or 'json', got `\"xml\"`",
      ],
    ],
    [
      'one queue and several',
      { yaml: 'task_queue:\n  queue_name: a\n  queues: [b]\n' },
      ['arq-ts.yaml:3: give `queue_name` or `queues`, not both'],
    ],
    [
      'a tag that may be a password',
      { yaml: 'task_queue:\n  redis_password: !hunter2\n' },
      ['arq-ts.yaml:2: Unknown tag; put a string that begins with `!` in quotes'],
    ],
    [
      'an alias that may be a password',
      { yaml: 'task_queue:\n  redis_password: *hunter2\n' },
      ['arq-ts.yaml:2: Unknown alias; name an anchor above, or put a string that begins with `*` in quotes'],
    ],
    ['broken YAML', { yaml: 'task_queue:\n  a: [1\n' }, [expect.stringContaining('arq-ts.yaml:') as string]],
    [
      'a key twice',
      { yaml: 'task_queue:\n  max_jobs: 1\n  max_jobs: 2\n' },
      ['arq-ts.yaml:3: Map keys must be unique'],
    ],
    ['broken TOML', { toml: '[task_queue]\nmax_jobs =\n' }, [expect.stringContaining('arq-ts.toml:2') as string]],
    [
      'no section',
      { yaml: 'taskqueue: {}\n' },
      ['arq-ts.yaml: has no section `task_queue`; put the settings under it'],
    ],
    ['a section that is no map', { yaml: 'task_queue: 3\n' }, ['arq-ts.yaml:1: Expected a map of settings']],
    ['no file', { file: '/nowhere/arq-ts.yaml' }, ['/nowhere/arq-ts.yaml: cannot be read: there is no such file']],
  ])('%s', (_, options, expected) => {
    expect(problems(options)).toEqual(expected)
  })
})

describe('an address that cannot be used is refused', () => {
  test.each([
    ['redis://localhost:abc', 'a URL such as redis://user:password@host:6379/1, its port a number from 1 to 65535'],
    ['redis://h:99999', 'a URL such as redis://user:password@host:6379/1, its port a number from 1 to 65535'],
    ['redis://h:0', 'a URL such as redis://user:password@host:6379/1, its port a number from 1 to 65535'],
    ['redis://:p%zz@h', 'a URL whose user and password have % written as %25'],
    ['redis://h/one', 'a URL whose path is a database, such as /1'],
    ['unix://run/redis.sock', 'a URL such as unix:///path'],
  ])('%s', (url, expected) => {
    expect(problems({ flags: { redis_url: url } })).toEqual([
      expect.stringContaining(`--redis: Expected \`redis_url\` to be ${expected}, got \``) as string,
    ])
  })

  test.each([
    [['b:99999'], '`sentinel.nodes.0` to be a port from 1 to 65535'],
    ['a,b:x', '`sentinel.nodes.1` to be host or host:port'],
  ])('of sentinels: %j', (nodes, expected) => {
    expect(problems({ flags: { sentinel: { name: 'main', nodes } } })[0]).toContain(
      `--sentinel-nodes: Expected ${expected}`,
    )
  })
})

test('the JSON schema describes every key, for editors', () => {
  const schema = configJsonSchema() as {
    properties: { task_queue: { properties: Record<string, unknown>; additionalProperties: unknown } }
  }
  const section = schema.properties.task_queue
  expect(section.additionalProperties).toBe(false)
  expect(section.properties).toMatchObject({
    max_jobs: { type: 'integer', default: 10, minimum: 1 },
    codec: { enum: ['msgpack', 'pickle', 'json'] },
    job_timeout: { default: 3600, type: ['number', 'string'] },
  })
})
