import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { RedisReplyError, RedisUnavailableError } from '../errors.ts'
import { Deadline } from '../time/deadline.ts'
import { MAX_TIMER_MS, reconnectDelayMs } from '../time/timer.ts'
import { Timeouts } from '../time/timeouts.ts'
import type { SteadyCluster } from './cluster-client.ts'
import { loadDriver, loadedDriver } from './driver.ts'
import { advised, isVague, reasonOf, withAdvice } from './reasons.ts'
import { listeningPlace, readRefusal } from './refusal.ts'
import type { SentinelWatch } from './sentinel-watch.ts'
import { addressOf, readTarget } from './target.ts'
import type { RedisTarget, TargetSettings } from './target.ts'
import { isTransient, isWrongPassword, withoutCommand } from './transient.ts'
import { Troubles } from './troubles.ts'

export type { RedisTarget } from './target.ts'

type Log = {
  debug: (...args: unknown[]) => void
  warn: (...args: unknown[]) => void
  info: (...args: unknown[]) => void
}

/** The longest pause between two attempts of a call, in ms. */
const MAX_RETRY_DELAY_MS = 1_000
/** Interval at which an outage that lasts is logged again, in ms. */
const REPEAT_MS = 60_000
/** A server that takes no writes is left at most this often: it may be the only one there is. */
const LEAVE_REPLICA_MS = 1_000

/**
 * One connection that outlives its server.
 *
 * loading (the driver, in the first connection of a process) → connecting → ready ⇄ down → closed. While down it
 * reconnects for ever; `run` waits, and sends again what was in flight (ioredis's own queues are off: only the caller
 * knows whether a call may be repeated, and says so to its script).
 */
export class Connection {
  #client: Redis | undefined
  readonly #settings: TargetSettings
  /** Address of Redis, for messages. */
  readonly address: string
  readonly #isForChannels: boolean
  readonly #isCluster: boolean
  readonly #troubles: Troubles
  #sentinels: SentinelWatch | undefined
  readonly #place: ReturnType<typeof listeningPlace>
  #isReadingRefusal = false
  #closed = false
  #down = false
  /** The server is there, and so is our database. */
  #isOpen = false
  #wasOpen = false
  /** Reason why the server answers and cannot be used. */
  #refused: RedisReplyError | undefined
  /** Reason why the server does not answer, as far as is known, and when that was last logged. */
  #failure: Error | undefined
  #loggedAtMs = 0
  #loggedVaguely = false
  /** Time at which a server that takes no writes was last left for another; the connection comes back at once. */
  #leftAtMs = -Infinity
  #isLeaving = false
  /** Number of times that the client gave up since it was last open, and the timer that has it connect again. */
  #ends = 0
  #connecting: NodeJS.Timeout | undefined
  readonly #onClient: ((client: Redis) => void)[] = []
  #waiters = new Set<() => void>()
  readonly #timeouts = new Timeouts()
  #log: Log
  /** Called when the connection is lost and when it is back. */
  onDown: ((error: Error) => void) | undefined
  onUp: (() => void) | undefined

  /** `use`: commands, or the channels of one subscriber, which belong to no database. */
  constructor(target: RedisTarget, log: Log, use: 'commands' | 'channels' = 'commands') {
    const settings = readTarget(target)
    this.#log = log
    this.#isForChannels = use === 'channels'
    this.#isCluster = settings.kind === 'cluster'
    this.address = addressOf(settings)
    this.#troubles = new Troubles(log, this.address)
    this.#settings = settings
    this.#place = listeningPlace(settings)
    const driver = loadedDriver()
    if (driver) this.#connect(driver)
    else
      loadDriver().then(
        (loaded) => this.#connect(loaded),
        (error: Error) => this.#failed(error),
      )
  }

  #connect({ openClient, SentinelWatch }: Awaited<ReturnType<typeof loadDriver>>): void {
    if (this.#closed) return
    const use = this.#isForChannels ? 'channels' : 'commands'
    const client = openClient(this.#settings, use, (message) => this.#log.warn(message))
    this.#client = client
    this.#sentinels = SentinelWatch.of(this.#settings, () => this.#leave())
    client.on('ready', () => void this.#opened())
    client.on('error', (error: Error) => this.#failed(withoutCommand(error) as Error))
    client.on('close', () => {
      const wasOpen = this.#isOpen
      this.#isOpen = false
      this.#lost(this.#failure ?? new RedisUnavailableError('the connection was closed'))
      if (!wasOpen) void this.#findRefusal()
    })
    client.on('end', () => this.#connectAnew(client))
    for (const listen of this.#onClient) listen(client)
    client.connect().catch(() => {}) // reported by the 'error' event; retried by the retry strategy
  }

  /**
   * ioredis gives up where it has to leave its server while it still asks Sentinel for one, and where all Sentinels are
   * away and a strategy of the user's has it ask no more. Only `close` ends a connection for good.
   */
  #connectAnew(client: Redis): void {
    if (this.#closed) return
    clearTimeout(this.#connecting)
    this.#connecting = setTimeout(() => client.connect().catch(() => {}), reconnectDelayMs(++this.#ends))
  }

  /** Calls `listen` with the client before it connects, or at once where it was made before. */
  onClient(listen: (client: Redis) => void): void {
    if (this.#client) listen(this.#client)
    else this.#onClient.push(listen)
  }

  /** The client underneath, once `isReady` was true. */
  get client(): Redis {
    if (!this.#client) throw new RedisUnavailableError(`the connection to Redis at ${this.address} is not open yet`)
    return this.#client
  }

  /** The number of our database; a Cluster has 0 alone. */
  get database(): number {
    const { kind, options } = this.#settings
    return kind === 'server' ? (options.db ?? 0) : 0
  }

  /** ioredis continues in database 0 where another one is refused: jobs must not. */
  async #opened(): Promise<void> {
    try {
      if (this.database !== 0 && !this.#isForChannels) await this.client.call('SELECT', this.database)
      this.#refused = undefined
    } catch (thrown) {
      const error = withoutCommand(thrown)
      if (error instanceof RedisReplyError && !isTransient(error)) {
        this.#refuse(error, `database ${this.database} of Redis at ${this.address} cannot be used`)
      } else if (this.client.status !== 'ready') return // lost meanwhile, and opened again
    }
    this.#isOpen = true
    this.#isLeaving = false
    this.#ends = 0
    this.#failure = undefined
    this.#wasOpen ||= !this.#refused
    if (this.#down && !this.#refused) {
      this.#down = false
      this.#log.info(`redis connection to ${this.address} is back`)
      this.onUp?.()
    }
    for (const wake of this.#waiters) wake()
  }

  /** Fails fast if authentication never succeeded; otherwise it keeps trying. */
  #failed(error: Error): void {
    if (this.#failure === undefined || !isVague(error)) this.#failure = error
    const reply = error instanceof RedisReplyError ? error : withoutCommand(lastNodeError(error))
    if (!this.#wasOpen && reply instanceof RedisReplyError && isWrongPassword(reply)) {
      this.#refuse(reply, `Redis refuses the user or the password at ${this.address}`)
      for (const wake of this.#waiters) wake()
    } else this.#lost(error)
  }

  /** A connection that ended before it was open, without a reason, may have been refused with one that was never read. */
  async #findRefusal(): Promise<void> {
    if (!this.#place || this.#closed || this.#isReadingRefusal) return
    if (this.#failure !== undefined && !isVague(this.#failure)) return
    this.#isReadingRefusal = true
    const refusal = await readRefusal(this.#place).catch(() => undefined)
    this.#isReadingRefusal = false
    if (refusal && !this.#isOpen) this.#failed(refusal)
  }

  #refuse(error: RedisReplyError, what: string): void {
    const isNew = this.#refused === undefined
    this.#refused = new RedisReplyError(withAdvice(error.message), what)
    if (isNew && !this.#closed) this.#log.warn({ err: this.#refused }, this.#refused.message)
  }

  /** Logs an outage when it begins, and sparingly while it lasts. */
  #lost(error: Error): void {
    if (this.#closed || this.#refused) return
    const now = performance.now()
    const isNew = !this.#down
    if (isNew && this.#isLeaving && this.#failure === undefined) return
    const saysMore = this.#loggedVaguely && !isVague(error)
    if (!isNew && !saysMore && now - this.#loggedAtMs < REPEAT_MS) return
    this.#down = true
    this.#loggedAtMs = now
    this.#loggedVaguely = isVague(error)
    const what = this.#wasOpen ? 'lost, reconnecting' : 'cannot be opened, trying again'
    this.#log.warn(
      { err: error },
      `redis connection to ${this.address} ${isNew ? what : `still ${what}`}: ${reasonOf(error)}`,
    )
    if (isNew) this.onDown?.(error)
  }

  /** Leaves a server that is no primary any more: its name, or its Sentinel, may lead to another one. */
  #leave(): void {
    const now = performance.now()
    if (this.#closed || now - this.#leftAtMs < LEAVE_REPLICA_MS) return
    this.#leftAtMs = now
    if (this.#isCluster) {
      ;(this.client as unknown as SteadyCluster).refreshSlotsCache()
      return
    }
    this.#isLeaving = true
    this.client.disconnect(true)
  }

  /** True for a Redis Cluster. */
  get isCluster(): boolean {
    return this.#isCluster
  }

  get isReady(): boolean {
    return this.#isOpen && this.#refused === undefined && this.#client?.status === 'ready'
  }

  /**
   * Runs `operation`, and again after an outage: `attempt` says that an earlier reply may have been lost. One that
   * continues past the time is left alone.
   *
   * @throws RedisUnavailableError when `timeoutMs` (default: for ever) has passed without an answer, or once closed;
   *   RedisReplyError when the server refuses.
   */
  run<T>(
    operation: (client: Redis, attempt: number) => Promise<T>,
    options: { timeoutMs?: number | undefined; signal?: AbortSignal | undefined } = {},
  ): Promise<T> {
    const { signal, timeoutMs } = options
    const nowMs = performance.now()
    if (!this.isReady) return this.#repeat(operation, new Deadline(timeoutMs, nowMs), signal)
    // Nearly every call ends here, and is spared what a repetition keeps.
    return new Promise<T>((resolve, reject) => {
      let isLate = false
      const late = () => {
        isLate = true
        reject(this.noAnswer(new Deadline(timeoutMs, nowMs)))
      }
      const isBounded = timeoutMs !== undefined && timeoutMs <= MAX_TIMER_MS
      const wait = isBounded ? this.#timeouts.begin(timeoutMs, nowMs, late) : undefined
      operation(this.client, 0).then(
        (value) => {
          if (wait) this.#timeouts.end(wait)
          resolve(value)
        },
        (error: unknown) => {
          if (isLate) return
          if (wait) this.#timeouts.end(wait)
          resolve(this.#repeat(operation, new Deadline(timeoutMs, nowMs), signal, { error }))
        },
      )
    })
  }

  /** The attempts of a call from the first on, or behind a first one that failed. */
  async #repeat<T>(
    operation: (client: Redis, attempt: number) => Promise<T>,
    deadline: Deadline,
    signal: AbortSignal | undefined,
    failed?: { error: unknown },
  ): Promise<T> {
    let trouble: string | undefined
    let last: Error | undefined
    for (let attempt = 0; ; attempt++) {
      const isOver = () => this.#closed || signal?.aborted || deadline.isOver
      const earlier = attempt === 0 ? failed : undefined
      if (!earlier && !this.isReady) await this.#ready(deadline, signal, last)
      try {
        if (earlier) throw earlier.error
        const reply = await deadline.race(operation(this.client, attempt), () => this.noAnswer(deadline, last))
        if (trouble !== undefined) this.#troubles.passed(trouble)
        return reply
      } catch (thrown) {
        const error = withoutCommand(thrown)
        if (!isTransient(error)) throw error instanceof RedisReplyError ? advised(error) : error
        if (error instanceof RedisReplyError) {
          last = error
          trouble = error.prefix
          this.#troubles.met(error)
          if (trouble === 'READONLY') this.#leave()
        }
        if (!isOver()) {
          this.#log.debug({ err: error }, 'redis call failed, trying again')
          const delayMs = Math.min(50 * 2 ** Math.min(attempt, 5), MAX_RETRY_DELAY_MS)
          if (this.isReady) await sleep(Math.min(delayMs, deadline.leftMs))
        }
        if (isOver()) {
          // A connection that was left for another server says less than why it was left.
          const cause = last && isVague(error as Error) ? last : (error as Error)
          const reason = this.#reasonOf(cause)
          throw new RedisUnavailableError(`Redis call failed at ${this.address}: ${reason}`, { cause })
        }
      }
    }
  }

  /** Resolves when commands can be sent. `refusal`: what an earlier attempt of the call was answered. */
  async #ready(deadline: Deadline, signal: AbortSignal | undefined, refusal: Error | undefined): Promise<void> {
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
      await deadline.race(ready, () => this.noAnswer(deadline, refusal))
    } finally {
      this.#waiters.delete(check)
      signal?.removeEventListener('abort', stop)
    }
  }

  /** True while the server has a connection of ours, and so stands still, or is busy. */
  get #isAccepted(): boolean {
    return this.#client?.status === 'connect' || this.#client?.status === 'ready'
  }

  /** The reason of a failed call; of a cluster, with the nodes that are away. */
  #reasonOf(error: Error): string {
    return [reasonOf(error), ...(isVague(error) ? this.#away : [])].join('; ')
  }

  /** The nodes of a cluster that are away, as a clause; empty where there are none. */
  get #away(): string[] {
    const nodes = this.#isCluster && this.#client ? (this.#client as unknown as SteadyCluster).nodesAway : []
    return nodes.length === 0 ? [] : [`there is no connection to its node ${nodes.join(', ')}`]
  }

  /** True while a server that was never reached has yet to answer the beginning of TLS. */
  get #isHandshaking(): boolean {
    const { kind, options } = this.#settings
    return !this.#wasOpen && kind === 'server' && Boolean(options.tls)
  }

  /** The error of a call that had no answer in its time. `refusal`: what an earlier attempt of the call was answered. */
  noAnswer(deadline: Deadline, refusal?: Error): RedisUnavailableError {
    const failure = this.#failure ?? refusal
    const reason = failure
      ? this.#reasonOf(failure)
      : this.#isHandshaking
        ? 'no answer to TLS; does the port speak it?'
        : (this.#away[0] ?? (this.#isAccepted ? 'it takes connections and answers nothing' : 'is it up?'))
    const message = `Redis at ${this.address} did not answer within ${Math.round(deadline.ms)} ms: ${reason}`
    return new RedisUnavailableError(message, failure && { cause: failure })
  }

  /** Sends nothing more. Calls that wait are rejected. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#connecting)
    this.#sentinels?.stop()
    const polite = this.isReady
      ? Promise.race([this.client.quit().catch(() => {}), sleep(1_000, undefined, { ref: false })])
      : undefined
    await polite
    this.#client?.disconnect()
    for (const wake of this.#waiters) wake()
  }
}

/** @internal Error of a call after its connection was closed. */
export function closed(): RedisUnavailableError {
  return new RedisUnavailableError('the connection to Redis was closed; create a new client')
}

/** The reason for which a cluster could not be asked, where one node gave it. */
function lastNodeError(error: Error): unknown {
  return (error as { lastNodeError?: unknown }).lastNodeError
}
