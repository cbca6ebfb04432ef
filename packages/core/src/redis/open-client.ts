/** Our ioredis client on a target. What it does over an outage and how it reads replies is ours, whatever the options say. */

import { Redis } from 'ioredis'
import type { ClusterOptions, RedisOptions } from 'ioredis'
import { reconnectDelayMs } from '../time/timer.ts'
import { SteadyCluster } from './cluster-client.ts'
import { readReplies } from './reply-handler.ts'
import { endWhenSilent } from './silent-peer.ts'
import type { TargetSettings } from './target.ts'

type Warn = (message: string) => void

/** Options that decide what comes back from a call. */
const replyOptions = {
  // With RESP2 there is one mapping of replies.
  protocol: 2,
  stringNumbers: false,
  keyPrefix: '',
  showFriendlyErrorStack: false,
  enableAutoPipelining: false,
  readOnly: false,
  monitor: false,
  scripts: undefined,
  himportFieldsets: undefined,
} satisfies RedisOptions

const ownOptions = {
  ...replyOptions,
  lazyConnect: true,
  enableOfflineQueue: false,
  offlineQueue: true,
  commandQueue: true,
  enableReadyCheck: true,
  autoResendUnfulfilledCommands: false,
  // ioredis would send SUBSCRIBE unasked, with nobody to hear its rejection when the connection drops before the reply.
  autoResubscribe: false,
  // Its own watch on failovers subscribes again in that way; ours is sentinel-watch.ts.
  failoverDetector: false,
  maxRetriesPerRequest: 0,
  commandTimeout: undefined,
  blockingTimeout: undefined,
  connectTimeout: 5_000,
  // Its timer outlives a socket that is closed already, and would keep a process up; `close` waits for QUIT itself.
  disconnectTimeout: 250,
  keepAlive: 5_000,
  // See silent-peer.ts.
  socketTimeout: undefined,
  retryStrategy: reconnectDelayMs,
  // A primary that became a replica is left by `Connection`, which says so once.
  reconnectOnError: null,
} satisfies RedisOptions

/** Time between two looks whether a server has loaded its data, in ms; ioredis would wait as long as the server estimates. */
const MAX_LOADING_RETRY_MS = 1_000

/** SELECT is refused on a connection that is subscribed, and a subscriber needs none. */
const channelOptions = { ...ownOptions, db: 0 } satisfies RedisOptions

/** Opens nothing yet: connect() does. A Cluster client has the same commands, and is typed as the one that most users have. */
export function openClient(settings: TargetSettings, use: 'commands' | 'channels', warn: Warn): Redis {
  const own = use === 'channels' ? channelOptions : ownOptions
  if (settings.kind === 'server') {
    const options = { maxLoadingRetryTime: MAX_LOADING_RETRY_MS, ...withoutMapping(settings.options), ...own }
    return prepared(new Redis(options), warn)
  }
  const { enableOfflineQueue, retryStrategy: _, himportFieldsets: __, readOnly: ___, ...nodeOptions } = own
  const options = {
    ...settings.options,
    lazyConnect: true,
    enableOfflineQueue,
    enableAutoPipelining: false,
    enableReadyCheck: true,
    keyPrefix: '',
    // Replicas lag: a worker would read a job that is gone.
    scaleReads: 'master',
    shardedSubscribers: false,
    scripts: undefined,
    himportFieldsets: undefined,
    clusterRetryStrategy: reconnectDelayMs,
    redisOptions: { ...withoutMapping(settings.options.redisOptions ?? {}), ...nodeOptions },
  } satisfies ClusterOptions
  const cluster = new SteadyCluster(settings.nodes, options)
  cluster.on('+node', (node: Redis) => prepared(node, warn))
  return cluster as unknown as Redis
}

function withoutMapping<T extends { replyMapping?: unknown }>(options: T): Omit<T, 'replyMapping'> {
  const others = { ...options }
  delete others.replyMapping
  return others
}

/** The reply to calls of a server that loads its data, which the ready check does not get: INFO is answered. */
const loading = () => Object.assign(new Error('LOADING Redis is loading the dataset in memory'), { name: 'ReplyError' })

/**
 * Answers for ioredis's own handshake, has replies read by our reader, and ends connections that have become silent.
 * The handshake writes some warnings to the console, past every logger (about a password that the server does not need, and
 * an INFO that the user may not send), and drops a reason (too many clients).
 */
function prepared(client: Redis, warn: Warn): Redis {
  const auth = client.auth.bind(client) as (...args: unknown[]) => Promise<unknown>
  const info = client.info.bind(client) as (...args: unknown[]) => Promise<unknown>
  const duplicate = client.duplicate.bind(client)
  client.auth = ((...args: unknown[]) =>
    auth(...args).catch((error: Error) => {
      if (
        !/no password is set|without any password configured|wrong number of arguments for 'auth'/.test(error.message)
      )
        throw error
      warn(`Redis needs no password, though one was given: ${error.message}`)
      return 'OK'
    })) as Redis['auth']
  // The ready check passes a callback.
  client.info = ((...args: unknown[]) => {
    const callback = args.at(-1) as (error: Error | null, text?: unknown) => void
    if (typeof callback !== 'function') return info(...args)
    return info(...args.slice(0, -1), (error: Error | null, text: unknown) => {
      // ioredis waits until the data are loaded, and says nothing.
      if (typeof text === 'string' && /^loading:1/m.test(text)) client.emit('error', loading())
      return error?.message.includes('NOPERM') ? callback(null, '') : callback(error, text)
    })
  }) as Redis['info']
  // The only command under way when the server has too many clients is one whose error ioredis drops.
  const clientCommand = client.client.bind(client) as (...args: unknown[]) => Promise<unknown>
  client.client = ((...args: unknown[]) =>
    clientCommand(...args).catch((error: Error) => {
      if (error.message.includes('max number of clients')) client.emit('error', error)
      throw error
    })) as Redis['client']
  readReplies(client)
  endWhenSilent(client)
  client.duplicate = (override) => prepared(duplicate(override), warn)
  return client
}
