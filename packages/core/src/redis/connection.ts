import { setTimeout as sleep } from 'node:timers/promises'
import { Cluster, Redis } from 'ioredis'
import type { RedisOptions } from 'ioredis'
import { RedisReplyError, RedisUnavailableError } from '../errors.ts'
import { Deadline } from '../time/deadline.ts'
import { isTransient, isWrongPassword, withoutCommand } from './transient.ts'

/** Where Redis is: a URL (`redis://`, `rediss://`), ioredis options (Sentinel included), or an ioredis client whose settings are copied. */
export type RedisTarget = string | RedisOptions | Redis | Cluster

type Log = {
  debug: (...args: unknown[]) => void
  warn: (...args: unknown[]) => void
  info: (...args: unknown[]) => void
}

/** How long a command may go without an answer before the connection is taken for dead, in ms. */
const SOCKET_TIMEOUT_MS = 15_000
const MAX_RECONNECT_DELAY_MS = 1_000

/**
 * One connection that outlives its server.
 *
 * connecting → ready ⇄ down → closed. While down it reconnects for ever; `run` waits, and sends again what was in
 * flight (ioredis's own queues are off: only the caller knows whether a call may be repeated, and tells its script so).
 */
export class Connection {
  readonly client: Redis
  #closed = false
  #down = false
  /** The server is there, and so is our database. */
  #isOpen = false
  #wasOpen = false
  /** Why the server is there and cannot be used. */
  #refused: RedisReplyError | undefined
  #waiters = new Set<() => void>()
  #log: Log
  readonly #isForChannels: boolean
  /** Called when the connection is lost and when it is back. */
  onDown: ((error: Error) => void) | undefined
  onUp: (() => void) | undefined

  /** `use`: commands, or the channels of one subscriber, which belong to no database. */
  constructor(target: RedisTarget, log: Log, use: 'commands' | 'channels' = 'commands') {
    this.#log = log
    this.#isForChannels = use === 'channels'
    this.client = openClient(target, this.#isForChannels ? channelOptions : ownOptions)
    this.client.on('ready', () => void this.#opened())
    this.client.on('error', (error: Error) => this.#failed(withoutCommand(error) as Error))
    this.client.on('close', () => {
      this.#isOpen = false
      this.#lost(new RedisUnavailableError('connection to Redis closed'))
    })
    this.client.connect().catch(() => {}) // reported by the 'error' event; retried by the retry strategy
  }

  /** The number of our database; a Cluster has 0 alone. */
  get database(): number {
    const { options } = this.client
    return 'db' in options ? (options.db ?? 0) : 0
  }

  /** ioredis goes on in database 0 where another one is refused: jobs must not. */
  async #opened(): Promise<void> {
    try {
      if (this.database !== 0 && !this.#isForChannels) await this.client.call('SELECT', this.database)
      this.#refused = undefined
    } catch (thrown) {
      const error = withoutCommand(thrown)
      if (error instanceof RedisReplyError && !isTransient(error)) {
        this.#refuse(error, `database ${this.database} cannot be used`)
      } else if (this.client.status !== 'ready') return // lost meanwhile, and opened again
    }
    this.#isOpen = true
    this.#wasOpen ||= !this.#refused
    if (this.#down && !this.#refused) {
      this.#down = false
      this.#log.info('redis connection is back')
      this.onUp?.()
    }
    for (const wake of this.#waiters) wake()
  }

  /** A password that never worked is a mistake, which a caller hears of at once; one that did is waited for. */
  #failed(error: Error): void {
    if (!this.#wasOpen && error instanceof RedisReplyError && isWrongPassword(error)) {
      this.#refuse(error, 'Redis refuses the user or the password')
      for (const wake of this.#waiters) wake()
    } else this.#lost(error)
  }

  #refuse(error: RedisReplyError, what: string): void {
    const isNew = this.#refused === undefined
    this.#refused = new RedisReplyError(error.message, what)
    if (isNew && !this.#closed) this.#log.warn({ err: this.#refused }, `${what}: ${error.message}`)
  }

  #lost(error: Error): void {
    if (this.#closed || this.#down || this.#refused) return
    this.#down = true
    this.#log.warn({ err: error }, `redis connection lost, reconnecting: ${error.message}`)
    this.onDown?.(error)
  }

  get isReady(): boolean {
    return this.#isOpen && this.#refused === undefined && this.client.status === 'ready'
  }

  /**
   * Runs `operation`, and again after an outage: `attempt` tells it that an earlier reply may have been lost. One that
   * goes on past the time is left to itself.
   *
   * @throws RedisUnavailableError when `timeoutMs` (default: for ever) has passed without an answer, or once closed;
   *   RedisReplyError when the server refuses.
   */
  async run<T>(
    operation: (client: Redis, attempt: number) => Promise<T>,
    options: { timeoutMs?: number | undefined; signal?: AbortSignal | undefined } = {},
  ): Promise<T> {
    const { signal } = options
    const deadline = new Deadline(options.timeoutMs)
    for (let attempt = 0; ; attempt++) {
      if (!this.isReady) await this.#ready(deadline, signal)
      try {
        return await deadline.race(operation(this.client, attempt), () => noAnswer(deadline))
      } catch (thrown) {
        const error = withoutCommand(thrown)
        if (!isTransient(error)) throw error
        if (this.#closed || signal?.aborted || deadline.isOver) {
          throw new RedisUnavailableError(`Redis call failed: ${(error as Error).message}`, { cause: error })
        }
        this.#log.debug({ err: error }, 'redis call failed, trying again')
        const delayMs = Math.min(50 * 2 ** Math.min(attempt, 5), MAX_RECONNECT_DELAY_MS)
        if (this.isReady) await sleep(Math.min(delayMs, deadline.leftMs))
      }
    }
  }

  /** Resolves when commands can be sent. */
  async #ready(deadline: Deadline, signal: AbortSignal | undefined): Promise<void> {
    if (this.#closed) throw closed()
    if (this.#refused) throw this.#refused
    let done = (_error?: Error) => {}
    const ready = new Promise<void>((resolve, reject) => {
      done = (error) => (error ? reject(error) : resolve())
    })
    const check = () => {
      if (this.#closed) done(closed())
      else if (this.#refused) done(this.#refused)
      else if (this.isReady) done()
    }
    const stop = () => done(new RedisUnavailableError('stopped while waiting for Redis'))
    this.#waiters.add(check)
    if (signal?.aborted) stop()
    else signal?.addEventListener('abort', stop)
    try {
      await deadline.race(ready, () => noAnswer(deadline))
    } finally {
      this.#waiters.delete(check)
      signal?.removeEventListener('abort', stop)
    }
  }

  /** Sends nothing more. Calls that wait are rejected. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const polite = this.isReady
      ? Promise.race([this.client.quit().catch(() => {}), sleep(1_000, undefined, { ref: false })])
      : undefined
    await polite
    this.client.disconnect()
    for (const wake of this.#waiters) wake()
  }
}

/** @internal What a call is told once its connection was closed. */
export function closed(): RedisUnavailableError {
  return new RedisUnavailableError('the connection to Redis was closed; create a new client')
}

/** @internal What a call is told that had no answer in its time. */
export function noAnswer(deadline: Deadline): RedisUnavailableError {
  return new RedisUnavailableError(`Redis did not answer within ${Math.round(deadline.ms)} ms; is it up?`)
}

const ownOptions = {
  protocol: 2,
  lazyConnect: true,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  // ioredis would send SUBSCRIBE by itself, with nobody to hear its rejection when the connection drops before the reply.
  autoResubscribe: false,
  maxRetriesPerRequest: 0,
  connectTimeout: 5_000,
  keepAlive: 5_000,
  socketTimeout: SOCKET_TIMEOUT_MS,
  // Full jitter: a fleet must not reconnect in step.
  retryStrategy: (times: number) =>
    Math.round(Math.random() * Math.min(50 * 2 ** Math.min(times, 5), MAX_RECONNECT_DELAY_MS)),
  // After a failover the old primary answers READONLY until the name resolves to the new one.
  reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
} satisfies RedisOptions

/** SELECT is refused on a connection that is subscribed, and a subscriber needs none. */
const channelOptions = { ...ownOptions, db: 0 } satisfies RedisOptions

/** A Cluster client has the same commands, and is typed as the one that most users have. */
function openClient(target: RedisTarget, own: typeof ownOptions): Redis {
  if (target instanceof Cluster) {
    const { lazyConnect, enableOfflineQueue, retryStrategy: _, ...nodeOptions } = own
    const { replyMapping: __, ...theirs }: RedisOptions = target.options.redisOptions ?? {}
    const redisOptions = { ...theirs, ...nodeOptions }
    return target.duplicate([], { lazyConnect, enableOfflineQueue, redisOptions }) as unknown as Redis
  }
  if (target instanceof Redis) return target.duplicate(own)
  if (typeof target === 'string') return new Redis(target, own)
  const { replyMapping: _, ...theirs } = target
  return new Redis({ ...theirs, ...own })
}
