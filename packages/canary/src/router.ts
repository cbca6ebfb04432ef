import { createHash } from 'node:crypto'
import { ArgumentsError, checkOptions } from '@arq-ts/core'
import type { Redis } from 'ioredis'
import { z } from 'zod'
import { keys } from './keys.ts'
import type { Keys } from './keys.ts'
import { minuteOf, summarise } from './metrics.ts'
import { openRedis } from './redis.ts'
import type { RedisTarget } from './redis.ts'
import type { Metrics } from './types.ts'

const STICKY_S = 86_400
const METRICS_S = 7_200

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

/** Who asks: a user stays with what was decided for a day, a request is decided by itself. */
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
  /** Unix ms; default: this machine's clock. It decides which minute a request counts for. */
  now?: () => number
}

const optionsSchema = z.strictObject({
  redis: z.custom<RedisTarget>(
    (value) => typeof value === 'string' || (typeof value === 'object' && value !== null),
    'Expected a URL, ioredis options or an ioredis client',
  ),
  keyPrefix: z.string().optional(),
  now: z.custom<() => number>((value) => typeof value === 'function', 'Expected a function').optional(),
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
  readonly #now: () => number

  /** @throws OptionsError */
  constructor(options: CanaryRouterOptions) {
    const { redis, keyPrefix = '', now = Date.now } = checkOptions('CanaryRouter', optionsSchema, options)
    this.#redis = openRedis(redis)
    this.#keys = keys(keyPrefix)
    this.#now = now
  }

  /** Where this request goes. @throws ArgumentsError for a caller without a name. */
  async route(alias: string, caller: Caller): Promise<Decision> {
    const user = 'userId' in caller ? caller.userId : undefined
    const id = user ?? (caller as { requestId?: string }).requestId
    if (typeof id !== 'string' || id === '') {
      throw new ArgumentsError('route: expected { userId } or { requestId } with a text that is not empty')
    }
    const [stored, sticky] = await this.#redis.mget(this.#keys.route(alias), this.#keys.sticky(alias, user ?? ''))
    const route = readRoute(stored ?? null)
    if (!route || route.status !== 'running') return { collection: alias, deploymentId: null, isCanary: false }
    const kept = user === undefined ? null : unquoted(sticky ?? null)
    const isKept = kept !== null && (kept === route.old_collection || kept === route.new_collection)
    const chosen = bucketOf(alias, id) < route.percentage ? route.new_collection : route.old_collection
    const collection = isKept ? kept : chosen
    if (user !== undefined && !isKept) await this.#redis.set(this.#keys.sticky(alias, user), collection, 'EX', STICKY_S)
    return { collection, deploymentId: route.deployment_id, isCanary: collection === route.new_collection }
  }

  /** Counts one request of a deployment in the current minute. */
  async record(request: {
    deploymentId: string
    collection: string
    latencyMs: number
    isError: boolean
  }): Promise<void> {
    const { collection, deploymentId, isError, latencyMs } = request
    const minute = minuteOf(this.#now())
    const latency = this.#keys.latency(deploymentId, collection, minute)
    const count = this.#keys.count(deploymentId, collection, minute)
    const errors = this.#keys.errors(deploymentId, collection, minute)
    const calls = this.#redis.pipeline().rpush(latency, latencyMs).expire(latency, METRICS_S)
    calls.incr(count).expire(count, METRICS_S)
    if (isError) calls.incr(errors).expire(errors, METRICS_S)
    await calls.exec()
  }

  /**
   * Route, call, record: runs `call` with the collection, and counts how long it took and whether it threw. What it throws
   * is thrown on. A router that cannot reach Redis sends the request to the alias: searching goes on.
   */
  async handle<T>(
    alias: string,
    caller: Caller,
    call: (collection: string, decision: Decision) => Promise<T>,
  ): Promise<T> {
    const fallback: Decision = { collection: alias, deploymentId: null, isCanary: false }
    const decision = await this.route(alias, caller).catch((error: unknown) => {
      if (error instanceof ArgumentsError) throw error
      return fallback
    })
    const { collection, deploymentId } = decision
    if (deploymentId === null) return call(collection, decision)
    const before = performance.now()
    const count = (isError: boolean) =>
      this.record({ deploymentId, collection, latencyMs: performance.now() - before, isError }).catch(() => {})
    try {
      const result = await call(collection, decision)
      await count(false)
      return result
    } catch (error) {
      await count(true)
      throw error
    }
  }

  /** Numbers of one collection since `sinceMs` (unix ms), by whole minutes. Buckets are kept for two hours. */
  async metrics(deploymentId: string, collection: string, sinceMs: number): Promise<Metrics> {
    const last = minuteOf(this.#now())
    const first = Math.max(minuteOf(sinceMs), last - METRICS_S / 60)
    const minutes = Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i)
    const calls = this.#redis.pipeline()
    for (const minute of minutes) {
      calls.get(this.#keys.count(deploymentId, collection, minute))
      calls.get(this.#keys.errors(deploymentId, collection, minute))
      calls.lrange(this.#keys.latency(deploymentId, collection, minute), 0, -1)
    }
    const replies = ((await calls.exec()) ?? []).map(([error, reply]) => {
      if (error) throw error
      return reply
    })
    return summarise(
      minutes.map((_, i) => ({
        count: Number(replies[3 * i] ?? 0),
        errors: Number(replies[3 * i + 1] ?? 0),
        latencies: (replies[3 * i + 2] as string[]).map(Number),
      })),
    )
  }

  /** The route of an alias, or null when none is set. */
  async getRoute(alias: string): Promise<Route | null> {
    return readRoute(await this.#redis.get(this.#keys.route(alias)))
  }

  /** Sets the route of an alias. */
  async setRoute(route: Omit<Route, 'updated_at'>): Promise<void> {
    const stored: Route = { ...route, updated_at: this.#now() / 1_000 }
    await this.#redis.set(this.#keys.route(route.alias), JSON.stringify(stored))
  }

  /** Removes the route of an alias, if it is this deployment's. */
  async removeRoute(alias: string, deploymentId: string): Promise<void> {
    const route = await this.getRoute(alias)
    if (route?.deployment_id === deploymentId) await this.#redis.del(this.#keys.route(alias))
  }

  async close(): Promise<void> {
    await this.#redis.quit().catch(() => this.#redis.disconnect())
  }
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

/** Python's cache may keep texts as JSON. */
function unquoted(text: string | null): string | null {
  return text?.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text
}
