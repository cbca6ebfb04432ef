import { setTimeout as sleep } from 'node:timers/promises'
import { Cluster, Redis } from 'ioredis'
import type { RedisOptions } from 'ioredis'
import { RedisUnavailableError } from '../errors.ts'
import { isTransient } from './transient.ts'

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
  #waiters = new Set<() => void>()
  #log: Log
  /** Called when the connection is lost and when it is back. */
  onDown: ((error: Error) => void) | undefined
  onUp: (() => void) | undefined

  constructor(target: RedisTarget, log: Log) {
    this.#log = log
    this.client = openClient(target)
    this.client.on('ready', () => {
      if (this.#down) {
        this.#down = false
        this.#log.info('redis connection is back')
        this.onUp?.()
      }
      for (const wake of this.#waiters) wake()
    })
    this.client.on('error', (error: Error) => this.#lost(error))
    this.client.on('close', () => this.#lost(new RedisUnavailableError('connection to Redis closed')))
    this.client.connect().catch(() => {}) // reported by the 'error' event; retried by the retry strategy
  }

  #lost(error: Error): void {
    if (this.#closed || this.#down) return
    this.#down = true
    this.#log.warn({ err: error }, `redis connection lost, reconnecting: ${error.message}`)
    this.onDown?.(error)
  }

  get isReady(): boolean {
    return this.client.status === 'ready'
  }

  /** Resolves when commands can be sent. Rejects with RedisUnavailableError after `timeoutMs`, or once closed. */
  async ready(timeoutMs = Infinity, signal?: AbortSignal): Promise<void> {
    if (this.isReady) return
    if (this.#closed) throw new RedisUnavailableError('the connection to Redis was closed; create a new client')
    await new Promise<void>((resolve, reject) => {
      const done = (error?: Error) => {
        this.#waiters.delete(check)
        clearTimeout(timer)
        signal?.removeEventListener('abort', stop)
        if (error) reject(error)
        else resolve()
      }
      const check = () => {
        if (this.#closed) done(new RedisUnavailableError('the connection to Redis was closed; create a new client'))
        else if (this.isReady) done()
      }
      const stop = () => done(new RedisUnavailableError('stopped while waiting for Redis'))
      const timer =
        timeoutMs === Infinity
          ? undefined
          : setTimeout(
              () =>
                done(new RedisUnavailableError(`Redis did not answer within ${Math.round(timeoutMs)} ms; is it up?`)),
              Math.max(timeoutMs, 0),
            )
      this.#waiters.add(check)
      if (signal?.aborted) stop()
      else signal?.addEventListener('abort', stop)
    })
  }

  /**
   * Runs `operation`, and again after an outage: `attempt` tells it that an earlier reply may have been lost.
   * @throws RedisUnavailableError when `timeoutMs` (default: for ever) has passed without an answer.
   */
  async run<T>(
    operation: (client: Redis, attempt: number) => Promise<T>,
    options: { timeoutMs?: number | undefined; signal?: AbortSignal | undefined } = {},
  ): Promise<T> {
    const deadline = options.timeoutMs === undefined ? Infinity : performance.now() + options.timeoutMs
    for (let attempt = 0; ; attempt++) {
      if (!this.isReady) await this.ready(deadline - performance.now(), options.signal)
      try {
        return await operation(this.client, attempt)
      } catch (error) {
        if (!isTransient(error)) throw error
        if (this.#closed || options.signal?.aborted || performance.now() >= deadline) {
          throw new RedisUnavailableError(`Redis call failed: ${(error as Error).message}`, { cause: error })
        }
        this.#log.debug({ err: error }, 'redis call failed, trying again')
        if (this.isReady) await sleep(Math.min(50 * 2 ** Math.min(attempt, 5), MAX_RECONNECT_DELAY_MS))
      }
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

const ownOptions = {
  protocol: 2,
  lazyConnect: true,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
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

/** A Cluster client has the same commands, and is typed as the one that most users have. */
function openClient(target: RedisTarget): Redis {
  if (target instanceof Cluster) {
    const { lazyConnect, enableOfflineQueue, retryStrategy: _, ...nodeOptions } = ownOptions
    const { replyMapping: __, ...theirs }: RedisOptions = target.options.redisOptions ?? {}
    const redisOptions = { ...theirs, ...nodeOptions }
    return target.duplicate([], { lazyConnect, enableOfflineQueue, redisOptions }) as unknown as Redis
  }
  if (target instanceof Redis) return target.duplicate(ownOptions)
  if (typeof target === 'string') return new Redis(target, ownOptions)
  const { replyMapping: _, ...theirs } = target
  return new Redis({ ...theirs, ...ownOptions })
}
