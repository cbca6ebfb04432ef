import { ArgumentsError, checkOptions, RedisUnavailableError } from '@arq-ts/core'
import { keyPrefixOption, openRedis, redisOption } from '@arq-ts/core/task-kit'
import type { RedisTarget } from '@arq-ts/core/task-kit'
import type { Redis } from 'ioredis'
import { z } from 'zod'
import { checkArguments, functionSchema, numberSchema, textSchema } from './arguments.ts'
import { keys } from './keys.ts'
import type { Keys } from './keys.ts'
import { addTally, emptyTally, metricsOf } from './judging/tally.ts'
import type { Metrics } from './judging/tally.ts'
import { nowSchema } from './clock.ts'
import { RequestCounts } from './requests.ts'
import type { RequestOutcome } from './requests.ts'
import { bucketOf, SESSION_S, sessionCollection, sessionText } from './sessions.ts'
import { inTime } from './in-time.ts'
import { answerInTime, compareRankings, shadowSchema } from './shadow.ts'
import type { ShadowOptions } from './shadow.ts'
import { isValueName, VALUE_NAME } from './value-names.ts'

const TIMEOUT_MS = 250
/** After a Redis that did not answer, `handle` does not ask it for this long. */
const REST_MS = 1_000

/** Default of options; it needs no check. */
const NO_OPTIONS = {}

/** A route as it is stored, by the Python application's names. */
export interface Route {
  deployment_id: string
  alias: string
  old_collection: string
  new_collection: string
  percentage: number
  /** Percentage of the requests to the old collection that `shadow` repeats at the new one. Ours; absent for none. */
  shadow?: number
  status: string
  /** Unix seconds. */
  updated_at: number
}

/** Caller of a search. A user moves at most once, from old to new, while the share grows; each request is decided anew. */
export type Caller = { userId: string } | { requestId: string }

/** Options of `handle`. */
export interface HandleOptions<T> {
  /** Numbers to record with the request, read off its answer: `(hits) => ({ zeroHits: hits.length === 0 ? 1 : 0 })`. */
  values?: (answer: T) => Record<string, number>
}

/** Destination of a request. */
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
  /** Time Redis may take, in ms; `handle` then sends the request to the alias. Default 250. */
  timeoutMs?: number
  /** Unix ms; default: this machine's clock. It decides which minute a request counts for. */
  now?: () => number
}

const optionsSchema = z.strictObject({
  redis: redisOption,
  keyPrefix: keyPrefixOption.optional(),
  timeoutMs: z.number('Expected a number of milliseconds').min(1).max(2_147_483_647).optional(),
  now: nowSchema.optional(),
})

const routeSchema = z.strictObject({
  alias: textSchema,
  caller: z.strictObject(
    { userId: textSchema.optional(), requestId: textSchema.optional() },
    'Expected { userId } or { requestId }',
  ),
})
const callSchema = z.strictObject({ call: functionSchema })
const handleSchema = z.strictObject({ values: functionSchema.optional() })
const metricsSchema = z.strictObject({ deploymentId: textSchema, collection: textSchema, sinceMs: numberSchema })
const aliasSchema = z.strictObject({ alias: textSchema })

/**
 * Sends requests of an alias to the old or the new collection while a deployment runs, and counts how they fare. Made for
 * services that search; the same keys and decisions as the Python application's router, which may run alongside.
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
  /** Shadow requests and counts under way. */
  readonly #background = new Set<Promise<void>>()
  #shadows = 0

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

  /** Decides the destination of a request. @throws ArgumentsError for a caller without a name; RedisUnavailableError. */
  async route(alias: string, caller: Caller): Promise<Decision> {
    return (await this.#routed(alias, caller)).decision
  }

  async #routed(alias: string, caller: Caller): Promise<Routed> {
    const { id, user } = nameOf(alias, caller)
    const names = [this.#keys.route(alias), ...(user === undefined ? [] : [this.#keys.sticky(alias, user)])]
    const [stored, session] = await this.#inTime(this.#redis.mget(names))
    const route = readRoute(stored ?? null)
    if (!route || route.status !== 'running') return unrouted(alias)
    const kept = sessionCollection(session ?? null, route)
    // A session moves from old to new when the share has reached its user, and never back.
    const isCanary = kept === route.new_collection || bucketOf(alias, id) < route.percentage
    const collection = isCanary ? route.new_collection : route.old_collection
    if (user !== undefined && kept !== collection) {
      const text = sessionText(collection, route.deployment_id, this.#now())
      // Decided the same way when it is lost.
      await this.#inTime(this.#redis.set(this.#keys.sticky(alias, user), text, 'EX', SESSION_S)).catch(() => {})
    }
    return { decision: { collection, deploymentId: route.deployment_id, isCanary }, route }
  }

  /** Counts one request of a deployment in the current minute. @throws ArgumentsError; RedisUnavailableError. */
  async record(request: RequestOutcome): Promise<void> {
    await this.#inTime(this.#counts.add(request, this.#now()))
  }

  /**
   * Route, call, record: runs `call` with the collection, and counts how long it took and whether it threw. Its error is
   * thrown on. The answer does not wait for the count. A Redis that does not answer within `timeoutMs` sends the request
   * to the alias, and those of the next second without asking it: searching continues.
   *
   * @throws ArgumentsError for a caller without a name; OptionsError
   */
  async handle<T>(
    alias: string,
    caller: Caller,
    call: (collection: string, decision: Decision) => Promise<T>,
    options: HandleOptions<T> = NO_OPTIONS,
  ): Promise<T> {
    checkArguments('handle', callSchema, { call })
    if (options !== NO_OPTIONS) checkOptions('handle', handleSchema, options)
    const { decision } = await this.#decide(alias, caller)
    return this.#counted(decision, call, options)
  }

  /**
   * Like `handle`, and repeats a share of the requests that went to the old collection at the new one, in the background:
   * the user gets the old answer and waits for nothing. Latency and errors of the new collection are counted, and what
   * `compare` makes of both answers is recorded with them. The share is the route's, from the stage's `shadow`; `share`
   * caps it for this service.
   *
   * @throws ArgumentsError for a caller without a name; OptionsError
   */
  async shadow<T>(
    alias: string,
    caller: Caller,
    call: (collection: string, decision: Decision) => Promise<T>,
    options: ShadowOptions<T> = {},
  ): Promise<T> {
    checkArguments('shadow', callSchema, { call })
    const { maxInFlight, share, shadowTimeoutMs } = checkOptions('shadow', shadowSchema, options)
    const { compare = compareRankings, values = () => ({}) } = options
    const { decision, route } = await this.#decide(alias, caller)
    const wanted = Math.min(share, route?.shadow ?? 0)
    const isShadowed = route !== null && !decision.isCanary && Math.random() * 100 < wanted
    const answer = this.#counted(decision, call, options)
    if (isShadowed && this.#shadows < maxInFlight) {
      this.#shadows++
      const twin = { collection: route.new_collection, deploymentId: route.deployment_id, isCanary: true }
      const answers = {
        shadow: answerInTime(shadowTimeoutMs, () => call(twin.collection, twin)),
        old: answerInTime(shadowTimeoutMs, () => answer),
      }
      this.#later(this.#shadowed(twin, answers, { compare, values }).finally(() => this.#shadows--))
    }
    return answer
  }

  async #shadowed<T>(
    { collection, deploymentId }: Decision & { deploymentId: string },
    answers: { shadow: Promise<T>; old: Promise<T> },
    { compare, values }: Required<Pick<ShadowOptions<T>, 'compare' | 'values'>>,
  ): Promise<void> {
    const before = performance.now()
    let latencyMs = 0
    const timed = answers.shadow.finally(() => (latencyMs = performance.now() - before))
    const [shadow, old] = await Promise.allSettled([timed, answers.old])
    const isError = shadow.status === 'rejected'
    const compared =
      shadow.status === 'fulfilled' && old.status === 'fulfilled'
        ? { ...numbers(() => compare(old.value, shadow.value)), ...numbers(() => values(shadow.value)) }
        : {}
    await this.#count({ deploymentId, collection, latencyMs, isError, isShadow: true, values: compared })
  }

  async #counted<T>(
    decision: Decision,
    call: (collection: string, decision: Decision) => Promise<T>,
    { values }: HandleOptions<T>,
  ): Promise<T> {
    const { collection, deploymentId } = decision
    if (deploymentId === null) return call(collection, decision)
    const before = performance.now()
    const count = (isError: boolean, answer?: T) => {
      const latencyMs = performance.now() - before
      const recorded = isError ? {} : numbers(() => values?.(answer as T))
      const outcome = { deploymentId, collection, latencyMs, isError, values: recorded }
      this.#later(this.#count(outcome))
    }
    try {
      const result = await call(collection, decision)
      count(false, result)
      return result
    } catch (error) {
      count(true)
      throw error
    }
  }

  /** Counts a request where Redis answers. */
  async #count(request: RequestOutcome): Promise<void> {
    await this.record(request).catch(() => this.#rest())
  }

  #later(work: Promise<void>): void {
    this.#background.add(work)
    void work.finally(() => this.#background.delete(work))
  }

  /** Numbers of one collection since `sinceMs` (unix ms), by whole minutes. They are kept for two hours. @throws ArgumentsError */
  async metrics(deploymentId: string, collection: string, sinceMs: number): Promise<Metrics> {
    checkArguments('metrics', metricsSchema, { deploymentId, collection, sinceMs })
    const sum = emptyTally()
    for (const { tally } of await this.#counts.read(deploymentId, collection, sinceMs, this.#now()))
      addTally(sum, tally)
    return metricsOf(sum)
  }

  /** The route of an alias, or null when none is set. @throws ArgumentsError */
  async getRoute(alias: string): Promise<Route | null> {
    checkArguments('getRoute', aliasSchema, { alias })
    return readRoute(await this.#redis.get(this.#keys.route(alias)))
  }

  /** Waits for what is still to be counted, shadow requests included. */
  async close(): Promise<void> {
    await Promise.all(this.#background)
    await this.#inTime(this.#redis.quit()).catch(() => this.#redis.disconnect())
  }

  async #decide(alias: string, caller: Caller): Promise<Routed> {
    nameOf(alias, caller) // a mistake of the caller's is reported whether Redis answers or not
    if (performance.now() < this.#restsUntil) return unrouted(alias)
    try {
      return await this.#routed(alias, caller)
    } catch {
      this.#rest()
      return unrouted(alias)
    }
  }

  #rest(): void {
    this.#restsUntil = performance.now() + REST_MS
  }

  /** @throws RedisUnavailableError when the answer fails, or does not come in time. */
  async #inTime<T>(answer: Promise<T>): Promise<T> {
    const late = () => new RedisUnavailableError(`Redis did not answer within ${this.#timeoutMs} ms`)
    try {
      return await inTime(this.#timeoutMs, () => answer, late)
    } catch (error) {
      if (error instanceof ArgumentsError || error instanceof RedisUnavailableError) throw error
      throw new RedisUnavailableError(`Redis: ${(error as Error).message}`, { cause: error })
    }
  }
}

/** A decision and the route it follows; null where the alias alone decides. */
interface Routed {
  decision: Decision
  route: Route | null
}

function unrouted(alias: string): Routed {
  return { decision: { collection: alias, deploymentId: null, isCanary: false }, route: null }
}

/**
 * The numbers of a record that can be counted: finite ones with a name that is allowed. A function that throws has none, and
 * the request is not harmed by it.
 */
function numbers(read: () => Record<string, number> | undefined): Record<string, number> {
  const isCountable = ([name, value]: [string, number]) =>
    Number.isFinite(value) && VALUE_NAME.test(name) && isValueName(name)
  try {
    return Object.fromEntries(Object.entries(read() ?? {}).filter(isCountable))
  } catch {
    return {}
  }
}

/** The caller the decision is for, and the user, where it is one. @throws ArgumentsError */
function nameOf(alias: string, caller: Caller): { id: string; user: string | undefined } {
  const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''
  const { requestId, userId } = (caller ?? {}) as { requestId?: unknown; userId?: unknown }
  const id = userId === undefined ? requestId : userId
  if (isText(alias) && isText(id)) return { id, user: userId === undefined ? undefined : id }
  checkArguments('route', routeSchema, { alias, caller })
  throw new ArgumentsError('route: Expected `caller` to be { userId } or { requestId }, got neither')
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
