import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { Keys } from './keys.ts'
import { completeState } from './config.ts'
import { DeploymentError } from './deployment-error.ts'
import type { Route } from './router.ts'
import { isOver, newDecisions, shareOf, stageOf } from './state.ts'
import type { Decision, Deployment, DeploymentEvent } from './types.ts'

/** Time a deployment is kept after its end. */
const KEEP_MS = 90 * 86_400_000
const MAX_EVENTS = 10_000
/** As in Python. Every look renews it: a deployment that nobody drives any more loses its share after an hour. */
export const ROUTE_MS = 3_600_000

/**
 * Replaces a deployment's state if it is still the one that was read, and with it all that follows from it: the alias is
 * its own until it is over, the route is what the state says, and its events are added. All or nothing.
 *
 * KEYS: deployment, active, history, Python's events, claim of the alias, route, all events, their counts. ARGV: tick that was read ('-1'
 * for none), state, id, '1' when it is over, ms of its beginning or end, ms to keep it, events kept, the route ('' for none),
 * ms to keep that, then for each event the number of its stream's key, what it is counted as ('' for nothing), the number of
 * its fields, and the fields.
 *
 * Output: 1; 0 when the state was changed since; the id of the deployment that has the alias, when it is another.
 */
const SWAP = `
local id, isOver = ARGV[3], ARGV[4] == '1'
local stored = redis.call('HGET', KEYS[1], 'tick') or '-1'
if stored ~= ARGV[1] then return 0 end
local owner = redis.call('GET', KEYS[5])
if not isOver and owner and owner ~= id and redis.call('ZSCORE', KEYS[2], owner) then return owner end

redis.call('HSET', KEYS[1], 'tick', tostring(tonumber(ARGV[1]) + 1), 'state', ARGV[2])
if isOver then
  redis.call('ZREM', KEYS[2], id)
  redis.call('ZADD', KEYS[3], ARGV[5], id)
  redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', tonumber(ARGV[5]) - tonumber(ARGV[6]))
  redis.call('PEXPIRE', KEYS[1], ARGV[6])
  if owner == id then redis.call('DEL', KEYS[5]) end
else
  redis.call('ZADD', KEYS[2], ARGV[5], id)
  redis.call('ZREM', KEYS[3], id)
  redis.call('PERSIST', KEYS[1])
  redis.call('SET', KEYS[5], id)
end

if ARGV[8] ~= '' then
  redis.call('SET', KEYS[6], ARGV[8], 'PX', ARGV[9])
else
  local route = redis.call('GET', KEYS[6])
  local ok, read = pcall(cjson.decode, route or '')
  if ok and type(read) == 'table' and read.deployment_id == id then redis.call('DEL', KEYS[6]) end
end

local at = 10
while at <= #ARGV do
  local stream, count = KEYS[tonumber(ARGV[at])], tonumber(ARGV[at + 2])
  redis.call('XADD', stream, 'MAXLEN', '~', ARGV[7], '*', unpack(ARGV, at + 3, at + 2 + count))
  if ARGV[at + 1] ~= '' then redis.call('HINCRBY', KEYS[8], ARGV[at + 1], 1) end
  at = at + count + 3
end
return 1
`

/**
 * Removes what is left of a deployment whose state is gone, as after a flush or an eviction: nobody can drive it any more.
 *
 * KEYS: deployment, active, claim of the alias, route. ARGV: id. Output: 1; 0 when its state is there.
 */
const FORGET = `
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('ZREM', KEYS[2], ARGV[1])
if redis.call('GET', KEYS[3]) == ARGV[1] then redis.call('DEL', KEYS[3]) end
local ok, read = pcall(cjson.decode, redis.call('GET', KEYS[4]) or '')
if ok and type(read) == 'table' and read.deployment_id == ARGV[1] then redis.call('DEL', KEYS[4]) end
return 1
`

/** Frees a lock if it is still ours. */
const UNLOCK = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`
const EXTEND = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0`

/** Outcome of a write: the state was changed since it was read, or its alias has another deployment in progress. */
export type Written = 'written' | 'changed' | { takenBy: string }

/** Deployments in Redis: their states, changed by one at a time, and who drives them. */
export class DeploymentStore {
  readonly #redis: Redis
  readonly #keys: Keys

  constructor(redis: Redis, keys: Keys) {
    this.#redis = redis
    this.#keys = keys
  }

  /** @throws DamagedState; what Redis throws. */
  async read(id: string): Promise<Deployment | null> {
    const [found = null] = await this.#read([id])
    if (found instanceof DamagedState) throw found
    return found
  }

  /** Existing ones among them, in the given order, and those that cannot be read; in one round trip. */
  async readMany(ids: readonly string[]): Promise<{ states: Deployment[]; damaged: DamagedState[] }> {
    const found = await this.#read(ids)
    const isDamaged = (each: unknown) => each instanceof DamagedState
    return {
      states: found.flatMap((each) => (isDamaged(each) ? [] : (each ?? []))) as Deployment[],
      damaged: found.filter(isDamaged),
    }
  }

  /** A damaged one is among them as its error: it must not keep the others from being read. */
  async #read(ids: readonly string[]): Promise<(Deployment | DamagedState | null)[]> {
    const calls = this.#redis.pipeline()
    for (const id of ids) calls.hmget(this.#keys.deployment(id), 'tick', 'state')
    return ((await calls.exec()) ?? []).map(([error, fields], i) => {
      const damaged = (cause: unknown) => new DamagedState(ids[i]!, this.#keys.deployment(ids[i]!), cause)
      if (error?.message.startsWith('WRONGTYPE')) return damaged(error)
      if (error) throw error
      try {
        const [tick, state] = fields as [string | null, string | null]
        return stateOf(tick, state)
      } catch (cause) {
        return damaged(cause)
      }
    })
  }

  /** Ids of at most `limit` deployments: those under way, oldest first, then those that ended, newest first. */
  async page(limit: number, isActiveOnly: boolean): Promise<{ ids: string[]; total: number }> {
    const calls = this.#redis
      .pipeline()
      .zrange(this.#keys.active, 0, String(limit - 1))
      .zcard(this.#keys.active)
    if (!isActiveOnly) calls.zrange(this.#keys.history, 0, String(limit - 1), 'REV').zcard(this.#keys.history)
    const [active, open, ended = [], over = 0] = valuesOf(await calls.exec()) as [string[], number, string[]?, number?]
    return { ids: [...active, ...ended].slice(0, limit), total: open + over }
  }

  /** Writes the state with its claim of the alias, its route and its events. `before` null: it must not be there yet. */
  async write(
    before: Deployment | null,
    next: Deployment,
    events: readonly DeploymentEvent[],
    nowMs: number,
  ): Promise<Written> {
    const over = isOver(next)
    const entry = (stream: number, countedAs: string, record: Record<string, string>) => {
      const fields = Object.entries(record).flat()
      return [String(stream), countedAs, String(fields.length), ...fields]
    }
    const fields = [
      ...events.flatMap((event) => entry(4, '', eventFields(next, event, nowMs))),
      ...newDecisions(before, next).flatMap((decision) =>
        entry(7, `${next.alias}:${decision.event}`, decisionFields(next, decision)),
      ),
    ]
    const reply = await this.#redis.eval(
      SWAP,
      8,
      this.#keys.deployment(next.id),
      this.#keys.active,
      this.#keys.history,
      this.#keys.events,
      this.#keys.claim(next.alias),
      this.#keys.route(next.alias),
      this.#keys.decisions,
      this.#keys.decided,
      before === null ? '-1' : String(before.tick),
      JSON.stringify(next),
      next.id,
      over ? '1' : '0',
      String(over ? (next.finishedAtMs ?? nowMs) : next.startedAtMs),
      String(KEEP_MS),
      String(MAX_EVENTS),
      routeText(next, nowMs),
      String(ROUTE_MS),
      ...fields,
    )
    if (typeof reply !== 'string') return reply === 1 ? 'written' : 'changed'
    const isLost = await this.forgetLost(reply, next.alias)
    return isLost ? this.write(before, next, events, nowMs) : { takenBy: reply }
  }

  /** Frees the alias of a deployment whose state is gone, and ends its share. False where its state is there. */
  async forgetLost(id: string, alias: string): Promise<boolean> {
    const { active, claim, deployment, route } = this.#keys
    return (await this.#redis.eval(FORGET, 4, deployment(id), active, claim(alias), route(alias), id)) === 1
  }

  /** Ids of deployments that have not ended, oldest first. */
  active(): Promise<string[]> {
    return this.#redis.zrange(this.#keys.active, 0, '-1')
  }

  /** Ids of those that have, newest first. */
  async history(limit: number): Promise<string[]> {
    return this.#redis.zrange(this.#keys.history, 0, String(limit - 1), 'REV')
  }

  /** Makes one caller the driver for a while; null when there is one. */
  async lock(id: string, ttlMs: number): Promise<DriverLock | null> {
    const key = this.#keys.driver(id)
    const token = randomUUID()
    const taken = await this.#redis.set(key, token, 'PX', ttlMs, 'NX')
    if (taken === null) return null
    return {
      isHeld: async () => (await this.#redis.eval(EXTEND, 1, key, token, ttlMs)) === 1,
      release: async () => {
        await this.#redis.eval(UNLOCK, 1, key, token)
      },
    }
  }
}

/** The key of a deployment holds something else than the state of one. */
export class DamagedState extends DeploymentError {
  readonly id: string

  constructor(id: string, key: string, cause: unknown) {
    super(`deployment ${id}: \`${key}\` in Redis holds no state of a deployment; delete that key, and start it again`, {
      cause,
    })
    this.id = id
  }
}

/** @throws Error for what is no state. */
function stateOf(tick: string | null, text: string | null): Deployment | null {
  if (!text) return null
  const state = completeState(JSON.parse(text) as Deployment)
  if (!state.stages[state.currentStage] || !Array.isArray(state.decisions)) throw new Error('its stage is missing')
  return { ...state, tick: Number(tick) }
}

/** @throws the first failure among the replies of a pipeline. */
function valuesOf(replies: [Error | null, unknown][] | null): unknown[] {
  return (replies ?? []).map(([error, reply]) => {
    if (error) throw error
    return reply
  })
}

/** Held by the one process that acts for a deployment. */
export interface DriverLock {
  /** Resolves to true while it is still ours; makes it last anew. */
  isHeld: () => Promise<boolean>
  release: () => Promise<void>
}

/** The route that a state asks for, as Python writes it; '' for none. */
function routeText(deployment: Deployment, nowMs: number): string {
  const percentage = shareOf(deployment)
  if (percentage === null) return ''
  const { shadow = 0 } = stageOf(deployment)
  const route: Route = {
    deployment_id: deployment.id,
    alias: deployment.alias,
    old_collection: deployment.oldCollection,
    new_collection: deployment.newCollection,
    percentage,
    status: 'running',
    updated_at: nowMs / 1_000,
    ...(shadow > 0 ? { shadow } : {}),
  }
  return JSON.stringify(route)
}

/** Fields of an event, by the Python application's names. */
function eventFields(deployment: Deployment, event: DeploymentEvent, nowMs: number): Record<string, string> {
  return {
    type: event.type,
    deployment_id: deployment.id,
    alias: deployment.alias,
    old_collection: deployment.oldCollection,
    new_collection: deployment.newCollection,
    timestamp: String(nowMs / 1_000),
    ...(event.error === undefined ? {} : { error: event.error }),
  }
}

/** Fields of an event on our stream: the same names, and why. */
function decisionFields(deployment: Deployment, { atMs, decision, event, stage }: Decision): Record<string, string> {
  return {
    type: event,
    deployment_id: deployment.id,
    alias: deployment.alias,
    old_collection: deployment.oldCollection,
    new_collection: deployment.newCollection,
    stage: String(stage),
    percentage: String(shareOf(deployment) ?? 0),
    decision,
    ...(deployment.reason === null ? {} : { reason: deployment.reason }),
    ...(deployment.rules.dryRun ? { dry_run: '1' } : {}),
    timestamp: String(atMs / 1_000),
  }
}
