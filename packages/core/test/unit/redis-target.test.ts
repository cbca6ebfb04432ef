import { Cluster, Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { Client, OptionsError } from '../../src/index.ts'
import { openClient } from '../../src/redis/open-client.ts'
import { addressOf, readTarget } from '../../src/redis/target.ts'

const keyPrefix = 'app:'
const lazy = { lazyConnect: true, keyPrefix }

describe("ioredis's own keyPrefix is refused, with a hint at ours:", () => {
  test.each([
    ['in options', { host: 'h', keyPrefix }],
    ['in a URL', `redis://h/1?keyPrefix=${keyPrefix}`],
    ['in a URL without a scheme', `h:6379?keyPrefix=${keyPrefix}`],
    ['in the path of a socket', `/run/redis.sock?keyPrefix=${keyPrefix}`],
    ['in a client', new Redis(lazy)],
    ['in a cluster', new Cluster(['redis://h'], lazy)],
    ['in the nodes of a cluster', new Cluster(['redis://h'], { lazyConnect: true, redisOptions: { keyPrefix } })],
  ])('%s', (_, redis) => {
    const make = () => new Client({ redis })
    expect(make).toThrow(OptionsError)
    expect(make).toThrow(/Expected `redis` to be settings without `keyPrefix`: .* option `keyPrefix` next to `redis`/)
  })

  test('an empty one prefixes nothing', async () => {
    const client = new Client({ redis: { keyPrefix: '', port: 1 }, logLevel: 'silent' })
    await client.close()
  })
})

/** A client of another library or version, by what it has. */
const like = (fields: object) =>
  Object.assign(Object.create({ connect() {}, duplicate() {}, sendCommand() {} }), fields)

describe('a target that cannot be used is refused with a reason:', () => {
  test.each<[string, unknown, RegExp]>([
    ['an unknown option', { prt: 7391 }, /Unknown option `redis\.prt`, did you mean `port`\?/],
    ['a url in an object', { url: 'redis://h' }, /the URL itself, not an object with a `url`/],
    ["node-redis's option", { database: 2 }, /the number of the database as `db`/],
    [
      'a node-redis client',
      like({ options: { socket: { host: 'h' } }, isOpen: false }),
      /another library \(node-redis\)/,
    ],
    ['a database that is no number', 'redis://h:6379/abc', /whose database is a number from 0, not 'abc'/],
    ['a database that is no number, in options', { db: 1.5 }, /whose database is a number from 0, not '1.5'/],
    ['a port that is no number', { port: 'abc' }, /whose port is a number from 0 to 65535, not 'abc'/],
    ['an unknown query', 'redis://h?prt=1', /Unknown option `redis\.prt`/],
    ['a password with #', 'redis://user:12#34@h:6379', /a URL without `#`: percent-encode it as %23/],
    ['a password with /', 'redis://user:12/34@h:6379/0', /whose database is a number from 0/],
    ['a password with ?', 'redis://user:12?34@h:6379', /Unknown option/],
    ['a password with %', 'redis://:50%off@h:6379', /percent-encoded: write a `%` in it as %25/],
    ['another scheme', 'http://h:6379', /a URL such as redis:/],
    ['a number', 6379, /a URL such as redis:/],
    ['a map', new Map(), /a URL such as redis:/],
    ['an array', [{ host: 'h' }], /a URL such as redis:/],
    ['a cluster without nodes', { cluster: [] }, /whose `cluster` is a list of nodes/],
    ['a cluster with a host', { cluster: ['redis://h'], host: 'h' }, /without `host` next to `cluster`/],
    ['a cluster with an unknown option', { cluster: ['redis://h'], prt: 1 }, /Unknown option `redis\.prt`/],
    ['nothing', '', /a URL such as redis:/],
    ['a host that is a number', { host: 5 }, /whose `host` is a string, not a number/],
    ['a host that is an array', { host: ['h'] }, /whose `host` is a string, not an array/],
    ['a host that comes later', { host: Promise.resolve('h') }, /whose `host` is a string, not a Promise; await it/],
    [
      'a password that is a number',
      { password: 123_456 },
      /whose `password` is a string, not a number, got `an object`$/,
    ],
    ['a password by a function', { password: () => 'p' }, /whose `password` is a string, not a function/],
    ['a port that is true', { port: true }, /whose port is a number from 0 to 65535, not a boolean/],
    ['a port that is a symbol', { port: Symbol.iterator }, /not a symbol/],
    ['a port that is an array', { port: [1] }, /not an array/],
    ['a database that is true', { db: true }, /whose database is a number from 0, not a boolean/],
    ['TLS that is text', { tls: 'yes' }, /whose `tls` is an object, not a string/],
    ['one sentinel', { sentinels: { host: 'h' } }, /whose `sentinels` are an array/],
  ])('%s', (_, redis, reason) => {
    const make = () => new Client({ redis: redis as string })
    expect(make).toThrow(OptionsError)
    expect(make).toThrow(reason)
  })
})

describe('a target is read the same in every form:', () => {
  const theirs = { host: 'h', port: 7391, db: 2, username: 'u', password: 'p/w' }
  test.each<[string, unknown]>([
    ['a URL', 'redis://u:p%2Fw@h:7391/2'],
    ['a URL with a query', 'redis://h:7391?db=2&username=u&password=p%2Fw'],
    ['a host and port', 'u:p%2Fw@h:7391?db=2'],
    ['options', theirs],
    ['options as strings', { ...theirs, port: '7391', db: '2' }],
    ['a client', new Redis({ ...theirs, lazyConnect: true })],
    [
      'a client of another ioredis',
      like({ options: { ...theirs, dropBufferSupport: false }, status: 'wait', connector: {} }),
    ],
  ])('%s', (_, target) => {
    const settings = readTarget(target)
    expect(settings.options).toMatchObject(theirs)
    expect(settings.options).not.toHaveProperty('dropBufferSupport')
    expect(addressOf(settings)).toBe('h:7391')
  })

  test('with TLS, on a socket, by Sentinel, as a cluster of another ioredis', () => {
    expect(readTarget('rediss://h').options).toMatchObject({ tls: {} })
    expect(readTarget('redis://[::1]:1').options).toMatchObject({ host: '::1', port: 1 })
    expect(addressOf(readTarget('redis://[::1]:1'))).toBe('[::1]:1')
    expect(readTarget('/run/redis.sock?db=3').options).toMatchObject({ path: '/run/redis.sock', db: 3 })
    expect(addressOf(readTarget({ name: 'jobs', sentinels: [{ host: 's', port: 1 }] }))).toBe(
      "'jobs' by Sentinel at s:1",
    )
    const cluster = like({ options: { maxRedirections: 3 }, startupNodes: [{ host: 'a', port: 1 }], status: 'wait' })
    expect(readTarget(cluster)).toMatchObject({ kind: 'cluster', options: { maxRedirections: 3 } })
    expect(addressOf(readTarget(cluster))).toBe('the cluster at a:1')
  })
})

/** Options of ioredis that change replies, or lose or repeat calls. */
const meddling = {
  stringNumbers: true,
  showFriendlyErrorStack: true,
  enableAutoPipelining: true,
  lazyConnect: false,
  enableOfflineQueue: true,
  autoResubscribe: true,
  autoResendUnfulfilledCommands: true,
  failoverDetector: true,
  maxRetriesPerRequest: 20,
  commandTimeout: 1,
  protocol: 3,
  replyMapping: 'resp3',
  readOnly: true,
  monitor: true,
  retryStrategy: () => null,
  reconnectOnError: () => 2 as const,
} as const

describe('options that change replies or calls are overruled', () => {
  const { lazyConnect: _, ...rest } = meddling
  test.each<[string, unknown]>([
    ['in options', meddling],
    ['in a URL', 'redis://localhost?stringNumbers=true&enableAutoPipelining=true&maxRetriesPerRequest=20'],
    ['in a client', new Redis({ ...rest, lazyConnect: true })],
  ])('%s', (_form, target) => {
    const { options } = openClient(readTarget(target), 'commands', () => {})
    const expected = {
      stringNumbers: false,
      showFriendlyErrorStack: false,
      enableAutoPipelining: false,
      lazyConnect: true,
      enableOfflineQueue: false,
      autoResubscribe: false,
      autoResendUnfulfilledCommands: false,
      failoverDetector: false,
      maxRetriesPerRequest: 0,
      protocol: 2,
      readOnly: false,
      monitor: false,
      reconnectOnError: null,
    }
    expect(options).toMatchObject(expected)
    expect(options.commandTimeout).toBeUndefined()
    expect(options.replyMapping).toBe('legacy')
    expect(options.retryStrategy!(5)).toEqual(expect.any(Number))
  })

  test('in the nodes of a cluster', () => {
    const { enableOfflineQueue: _1, readOnly: _2, retryStrategy: _3, ...redisOptions } = meddling
    const theirs = new Cluster(['redis://h'], {
      lazyConnect: true,
      enableAutoPipelining: true,
      scaleReads: 'slave',
      clusterRetryStrategy: () => null,
      redisOptions,
    })
    const ours = openClient(readTarget(theirs), 'commands', () => {}) as unknown as Cluster
    expect(ours.options).toMatchObject({ enableAutoPipelining: false, scaleReads: 'master', enableOfflineQueue: false })
    expect(ours.options.redisOptions).toMatchObject({ stringNumbers: false, protocol: 2, autoResubscribe: false })
    expect(ours.options.redisOptions).not.toHaveProperty('replyMapping')
    expect(ours.options.clusterRetryStrategy!(9)).toEqual(expect.any(Number))
  })
})
