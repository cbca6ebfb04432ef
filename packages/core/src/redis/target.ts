/** The option `redis`: where Redis is, in the forms that callers have it, read into settings of our own ioredis. */

import type { ClusterOptions, RedisOptions } from 'ioredis'
import type { Cluster, Redis } from 'ioredis'
import { isPromise, optionNames } from '@arq-ts/protocol/values'
import { CLUSTER_KEYS, REDIS_KEYS } from './target-keys.ts'

/** A Redis Cluster by some of its nodes, as URLs or as host and port; the other options are those of each node. */
export interface ClusterTarget extends Omit<RedisOptions, 'host' | 'port' | 'path' | 'db' | 'sentinels' | 'name'> {
  cluster: readonly ClusterNode[]
}

/** A URL (`redis://`, `rediss://`), ioredis options (Sentinel included), nodes of a Cluster, or an ioredis client whose settings are copied. */
export type RedisTarget = string | RedisOptions | ClusterTarget | Redis | Cluster

/** A node as ioredis's Cluster takes it. */
export type ClusterNode = string | number | { host?: string; port?: number }

/** Address of Redis, as plain data. */
export type TargetSettings =
  | { kind: 'server'; options: RedisOptions }
  | { kind: 'cluster'; nodes: ClusterNode[]; options: ClusterOptions }

/** The target cannot be used. The message is a predicate of "Expected `redis` to be". */
export class TargetError extends Error {
  /** An option that ioredis does not have, and those that it has. */
  readonly unknown: { key: string; known: readonly string[] } | undefined

  constructor(message: string, unknown?: { key: string; known: readonly string[] }) {
    super(message)
    this.unknown = unknown
  }
}

/** Reads a target; clients are recognized by their members, since they may come from another copy or version of ioredis. @throws TargetError */
export function readTarget(target: unknown): TargetSettings {
  if (typeof target === 'string') return { kind: 'server', options: checked(fromText(target)) }
  if (isClientClass(target)) throw new TargetError(`a client, not its class: write \`new ${target.name}(…)\``)
  if (typeof target !== 'object' || target === null || Array.isArray(target)) throw new TargetError(EXPECTED)
  if (isClusterClient(target)) {
    const { startupNodes, options } = target
    return { kind: 'cluster', nodes: [...startupNodes], options: known(options, CLUSTER_KEYS) as ClusterOptions }
  }
  if (isRedisClient(target)) return { kind: 'server', options: checked(known(target.options, REDIS_KEYS)) }
  if (isNodeRedisClient(target)) {
    throw new TargetError(
      'a URL, ioredis options or an ioredis client; this is a client of another library (node-redis): give its URL, arq-ts opens connections of its own',
    )
  }
  if (Object.prototype.toString.call(target) !== '[object Object]' || isStranger(target))
    throw new TargetError(EXPECTED)
  if ('cluster' in target) return fromNodes(target as ClusterTarget)
  for (const key of optionNames(target)) {
    if (key === 'url') throw new TargetError('the URL itself, not an object with a `url`: redis: `redis://host:6379/0`')
    if (key === 'database') throw new TargetError('options with the number of the database as `db`')
    if (!(key in REDIS_KEYS)) throw new TargetError('', { key, known: Object.keys(REDIS_KEYS) })
  }
  return { kind: 'server', options: checked(target as RedisOptions) }
}

function fromNodes({ cluster, ...nodeOptions }: ClusterTarget): TargetSettings {
  if (!Array.isArray(cluster) || cluster.length === 0)
    throw new TargetError("a target whose `cluster` is a list of nodes, such as ['redis://host:6379']")
  const own = ['host', 'port', 'path', 'db', 'sentinels', 'name'].find((key) => key in nodeOptions)
  if (own !== undefined) throw new TargetError(`a target without \`${own}\` next to \`cluster\``)
  const unknown = optionNames(nodeOptions).find((key) => !(key in REDIS_KEYS))
  if (unknown !== undefined) throw new TargetError('', { key: unknown, known: ['cluster', ...Object.keys(REDIS_KEYS)] })
  return { kind: 'cluster', nodes: [...cluster], options: { redisOptions: checked(nodeOptions) } }
}

/** Address of Redis for messages: `host:port`, a socket's path, the name of a Sentinel's primary, the nodes of a cluster. */
export function addressOf(settings: TargetSettings): string {
  if (settings.kind === 'cluster') return `the cluster at ${settings.nodes.slice(0, 3).map(nodeText).join(', ')}`
  const { sentinels, name, path, host, port } = settings.options
  if (sentinels && sentinels.length > 0) {
    const all = sentinels.slice(0, 3).map((each) => hostPort(each.host ?? '127.0.0.1', each.port ?? 26_379))
    return `'${name}' by Sentinel at ${all.join(', ')}`
  }
  return path ? path : hostPort(host ?? 'localhost', port ?? 6_379)
}

const EXPECTED =
  'a URL such as redis://user:password@host:6379/0 (a password percent-encoded), ioredis options, or an ioredis client'

/** ioredis would put it before the keys of plain commands, and not before those of our scripts. */
const PREFIXED = 'settings without `keyPrefix`: give it as the option `keyPrefix` next to `redis`'

const MAX_PORT = 65_535
/** Options that ioredis passes on unchecked: wrong values fail late, or with messages of other libraries. */
const TEXTS = ['host', 'path', 'username', 'password', 'name', 'sentinelUsername', 'sentinelPassword'] as const

function checked(options: RedisOptions): RedisOptions {
  if (options.keyPrefix) throw new TargetError(PREFIXED)
  const { db, port, sentinels, tls } = options
  if (!isWhole(db, Infinity)) throw new TargetError(`a target whose database is a number from 0, not ${kindText(db)}`)
  if (!isWhole(port, MAX_PORT))
    throw new TargetError(`a target whose port is a number from 0 to ${MAX_PORT}, not ${kindText(port)}`)
  const wrong = TEXTS.find((key) => typeof (options[key] ?? '') !== 'string')
  if (wrong !== undefined)
    throw new TargetError(`a target whose \`${wrong}\` is a string, not ${kindOf(options[wrong])}`)
  if (typeof (tls ?? {}) !== 'object') throw new TargetError(`a target whose \`tls\` is an object, not ${kindOf(tls)}`)
  if (!Array.isArray(sentinels ?? []))
    throw new TargetError('a target whose `sentinels` are an array of { host, port }')
  return { ...options, ...(db == null ? {} : { db: Number(db) }), ...(port == null ? {} : { port: Number(port) }) }
}

/** True for a whole number from 0, given as a number or as digits, and for undefined. */
function isWhole(value: unknown, max: number): boolean {
  if (value === undefined || value === null) return true
  if (typeof value !== 'number' && typeof value !== 'string') return false
  return value !== '' && Number.isInteger(Number(value)) && Number(value) >= 0 && Number(value) <= max
}

/** Describes a value that is no valid number. */
function kindText(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? `'${value}'` : kindOf(value)
}

/** The kind of a value, which may be a secret. */
function kindOf(value: unknown): string {
  if (isPromise(value)) return 'a Promise; await it first'
  return Array.isArray(value) ? 'an array' : typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

/** `redis://`, `rediss://`, `host:port`, or the path of a socket; ioredis options may follow as a query. */
function fromText(text: string): RedisOptions {
  if (text.startsWith('/') && !text.startsWith('//')) {
    const [path, query] = split(text, '?')
    return { ...fromQuery(new URLSearchParams(query)), path }
  }
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text)
  if (text === '' || (hasScheme && !/^rediss?:/i.test(text))) throw new TargetError(EXPECTED)
  let url: URL
  try {
    url = new URL(hasScheme ? text : `redis://${text.replace(/^\/\//, '')}`)
  } catch {
    throw new TargetError(EXPECTED)
  }
  // A password with one of these ends the host early: what follows would be taken for something else.
  if (url.hash !== '') throw new TargetError('a URL without `#`: percent-encode it as %23 in a password')
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const path = decoded(url.pathname.slice(1))
  return {
    ...fromQuery(url.searchParams),
    ...(url.username || url.password ? { username: decoded(url.username), password: decoded(url.password) } : {}),
    ...(host ? { host } : {}),
    ...(url.port ? { port: Number(url.port) } : {}),
    ...(path ? { db: path as unknown as number } : {}),
    ...(/^rediss:/i.test(text) ? { tls: {} } : {}),
  }
}

function fromQuery(query: URLSearchParams): RedisOptions {
  const options: Record<string, unknown> = {}
  for (const [key, value] of query) {
    if (!(key in REDIS_KEYS)) throw new TargetError('', { key, known: Object.keys(REDIS_KEYS) })
    options[key] = value === 'true' || (value === 'false' ? false : /^\d+$/.test(value) ? Number(value) : value)
  }
  return options
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new TargetError('a URL whose password is percent-encoded: write a `%` in it as %25')
  }
}

function split(text: string, at: string): [string, string] {
  const index = text.indexOf(at)
  return index === -1 ? [text, ''] : [text.slice(0, index), text.slice(index + 1)]
}

/** The options that our ioredis has too: an older or newer one may have others. */
function known(options: object, keys: Readonly<Record<string, unknown>>): Record<string, unknown> {
  if ('keyPrefix' in options && options.keyPrefix) throw new TargetError(PREFIXED)
  const nodeOptions = 'redisOptions' in options ? (options.redisOptions as RedisOptions | undefined) : undefined
  if (nodeOptions?.keyPrefix) throw new TargetError(PREFIXED)
  return Object.fromEntries(Object.entries(options).filter(([key]) => key in keys))
}

function isRedisClient(value: object): value is { options: RedisOptions } {
  return isClient(value) && 'status' in value && 'connector' in value
}

function isClusterClient(value: object): value is { options: ClusterOptions; startupNodes: ClusterNode[] } {
  return isClient(value) && 'startupNodes' in value && Array.isArray(value.startupNodes)
}

/** A client, cluster, sentinel or pool of node-redis: `sendCommand`, before 4 also `send_command`. */
function isNodeRedisClient(value: object): boolean {
  return (
    'sendCommand' in value || 'send_command' in value || ('connect' in value && typeof value.connect === 'function')
  )
}

/** True for a client of any version of ioredis or node-redis, which is no object of options. */
export function isClientOfRedis(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return isClusterClient(value) || isRedisClient(value) || isNodeRedisClient(value)
}

/** True for an instance of a class without visible fields: it would count as empty options. */
function isStranger(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null
  return !isPlain && Object.keys(value).length === 0
}

function isClientClass(value: unknown): value is { name: string } {
  return (
    typeof value === 'function' && typeof value.prototype === 'object' && isNodeRedisClient(value.prototype as object)
  )
}

function isClient(value: object): value is { options: object } {
  return (
    'options' in value &&
    typeof value.options === 'object' &&
    value.options !== null &&
    'sendCommand' in value &&
    'duplicate' in value
  )
}

function nodeText(node: ClusterNode): string {
  if (typeof node === 'number') return hostPort('127.0.0.1', node)
  if (typeof node === 'string') return node.replace(/^rediss?:\/\/([^@/]*@)?/, '')
  return hostPort(node.host ?? '127.0.0.1', node.port ?? 6_379)
}

function hostPort(host: string, port: number | string): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
