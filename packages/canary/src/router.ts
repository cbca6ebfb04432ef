import { createHash } from 'node:crypto'
import { ArgumentsError, checkOptions, RedisUnavailableError } from '@arq-ts/core'
import type { Redis } from 'ioredis'
import { z } from 'zod'
import { keys } from './keys.ts'
import type { Keys } from './keys.ts'
import { summarise } from './metrics.ts'
import { keyPrefixSchema, nowSchema, openRedis, redisSchema } from './redis.ts'
import type { RedisTarget } from './redis.ts'
import { RequestCounts } from './requests.ts'
import type { RequestOutcome } from './requests.ts'
import { SESSION_S, sessionCollection, sessionText } from './sessions.ts'
import type { Metrics } from './types.ts'

const TIMEOUT_MS = 250
/** After a Redis that did not answer, `handle` does not ask it for so long. */
const REST_MS = 1_000

/** What is kept of a route, by the Python application's names. */
export interface Route {
  deployment_id: string
  alias: string
  old_collection: string
  new_collection: string
  percentage: number
  status: string
  /** Unix seconds. */
  updated_at: number
}

/** Who asks: a user stays with what was decided while the deployment lasts, a request is decided by itself. */
export type Caller = { userId: string } | { requestId: string }

/** Where a request goes. */
export interface Decision {
  collection: string
  /** Null where no deployment runs: the collection is the alias itself. */
  deploymentId: string | null
  isCanary: boolean
}

/** Options of `new CanaryRouter()`. */
export interface CanaryRouterOptions {
  redis: RedisTarget
  /** Put before every key. Default none, as in Python. */
  keyPrefix?: string
  /** How long Redis may take, in ms; `handle` then sends the request to the alias. Default 250. */
  timeoutMs?: number
  /** Unix ms; default: this machine's clock. It decides which minute a request counts for. */
  now?: () => number
}

const optionsSchema = z.strictObject({
  redis: redisSchema,
  keyPrefix: keyPrefixSchema.optional(),
  timeoutMs: z.number('Expected a number of milliseconds').min(1).max(2_147_483_647).optional(),
  now: nowSchema.optional(),
})

/** The share a caller falls into, 0 to 99: the first 8 hex digits of md5 of `alias:caller`, as in Python. */
export function bucketOf(alias: string, caller: string): number {
  return Number.parseInt(createHash('md5').update(`${alias}:${caller}`).digest('hex').slice(0, 8), 16) % 100
}

/**
 * Sends requests of an alias to the old or the new collection while a deployment runs, and counts how they fare. Made for
 * services that search; the same keys and decisions as the Python application's router, which may run beside it.
 *
 * ```ts
 * const router = new CanaryRouter({ redis })
 * const hits = await router.handle('products', { userId }, (collection) => search(collection, query))
 * ```
 */
export class CanaryRouter {
  readonly #redis: Redis
  readonly #keys: Keys
  readonly #counts: RequestCounts
  readonly #timeoutMs: number
  readonly #now: () => number
  /** Until then Redis is left alone; by `performance.now()`. */
  #restsUntil = 0

  /** @throws OptionsError */
  constructor(options: CanaryRouterOptions) {
    const checked = checkOptions('CanaryRouter', optionsSchema, options)
    const { keyPrefix = '', now = Date.now, redis, timeoutMs = TIMEOUT_MS } = checked
    // A search must not wait for a connection: what cannot be sent fails at the first attempt to reconnect.
    this.#redis = openRedis(redis, { maxRetriesPerRequest: 0 })
    this.#keys = keys(keyPrefix)
    this.#counts = new RequestCounts(this.#redis, this.#keys)
    this.#timeoutMs = timeoutMs
    this.#now = now
  }

  /** Where this request goes. @throws ArgumentsError for a caller without a name; RedisUnavailableError. */
  async route(alias: string, caller: Caller): Promise<Decision> {
    const { id, user } = nameOf(alias, caller)
    const names = [this.#keys.route(alias), ...(user === undefined ? [] : [this.#keys.sticky(alias, user)])]
    const [stored, session] = await this.#inTime(this.#redis.mget(names))
    const route = readRoute(stored ?? null)
    if (!route || route.status !== 'running') return { collection: alias, deploymentId: null, isCanary: false }
    const kept = sessionCollection(session ?? null, route)
    const chosen = bucketOf(alias, id) < route.percentage ? route.new_collection : route.old_collection
    if (user !== undefined && kept === null) {
      const text = sessionText(chosen, route.deployment_id, this.#now())
      // Decided the same way when it is lost.
      await this.#inTime(this.#redis.set(this.#keys.sticky(alias, user), text, 'EX', SESSION_S)).catch(() => {})
    }
    const collection = kept ?? chosen
    return { collection, deploymentId: route.deployment_id, isCanary: collection === route.new_collection }
  }

  /** Counts one request of a deployment in the current minute. @throws ArgumentsError; RedisUnavailableError. */
  async record(request: RequestOutcome): Promise<void> {
    await this.#inTime(this.#counts.add(request, this.#now()))
  }

  /**
   * Route, call, record: runs `call` with the collection, and counts how long it took and whether it threw. What it throws
   * is thrown on. The answer does not wait for the count. A Redis that does not answer within `timeoutMs` sends the request
   * to the alias, and those of the next second without asking it: searching goes on.
   *
   * @throws ArgumentsError for a caller without a name
   */
  async handle<T>(
    alias: string,
    caller: Caller,
    call: (collection: string, decision: Decision) => Promise<T>,
  ): Promise<T> {
    const decision = await this.#decide(alias, caller)
    const { collection, deploymentId } = decision
    if (deploymentId === null) return call(collection, decision)
    const before = performance.now()
    const count = (isError: boolean) => {
      const latencyMs = performance.now() - before
      void this.record({ deploymentId, collection, latencyMs, isError }).catch(() => this.#rest())
    }
    try {
      const result = await call(collection, decision)
      count(false)
      return result
    } catch (error) {
      count(true)
      throw error
    }
  }

  /** Numbers of one collection since `sinceMs` (unix ms), by whole minutes. They are kept for two hours. */
  async metrics(deploymentId: string, collection: string, sinceMs: number): Promise<Metrics> {
    return summarise(await this.#counts.read(deploymentId, collection, sinceMs, this.#now()))
  }

  /** The route of an alias, or null when none is set. */
  async getRoute(alias: string): Promise<Route | null> {
    return readRoute(await this.#redis.get(this.#keys.route(alias)))
  }

  /** Waits for what is still to be counted. */
  async close(): Promise<void> {
    await this.#inTime(this.#redis.quit()).catch(() => this.#redis.disconnect())
  }

  async #decide(alias: string, caller: Caller): Promise<Decision> {
    nameOf(alias, caller) // a mistake of the caller's is told whether Redis answers or not
    const fallback: Decision = { collection: alias, deploymentId: null, isCanary: false }
    if (performance.now() < this.#restsUntil) return fallback
    try {
      return await this.route(alias, caller)
    } catch {
      this.#rest()
      return fallback
    }
  }

  #rest(): void {
    this.#restsUntil = performance.now() + REST_MS
  }

  /** @throws RedisUnavailableError when the answer fails, or does not come in time. */
  async #inTime<T>(answer: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      const error = new RedisUnavailableError(`Redis did not answer within ${this.#timeoutMs} ms`)
      timer = setTimeout(() => reject(error), this.#timeoutMs)
    })
    try {
      return await Promise.race([answer, late])
    } catch (error) {
      if (error instanceof ArgumentsError || error instanceof RedisUnavailableError) throw error
      throw new RedisUnavailableError(`Redis: ${(error as Error).message}`, { cause: error })
    } finally {
      clearTimeout(timer)
    }
  }
}

/** Whom the decision is for, and the user, where it is one. @throws ArgumentsError */
function nameOf(alias: string, caller: Caller): { id: string; user: string | undefined } {
  const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''
  if (!isText(alias)) throw new ArgumentsError('route: expected `alias` to be a text that is not empty')
  const { requestId, userId } = (caller ?? {}) as { requestId?: unknown; userId?: unknown }
  const id = userId === undefined ? requestId : userId
  if (!isText(id)) {
    throw new ArgumentsError('route: expected { userId } or { requestId } with a text that is not empty')
  }
  return { id, user: userId === undefined ? undefined : id }
}

function readRoute(text: string | null): Route | null {
  if (text === null) return null
  try {
    const route = JSON.parse(text) as Partial<Route> | null
    const isWhole = typeof route?.old_collection === 'string' && typeof route.new_collection === 'string'
    return isWhole && typeof route.percentage === 'number' ? (route as Route) : null
  } catch {
    return null // no route is better than a wrong one
  }
}
