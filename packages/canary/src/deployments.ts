import { ArgumentsError, ArqError, checkOptions } from '@arq-ts/core'
import type { Client } from '@arq-ts/core'
import type { Redis } from 'ioredis'
import { z } from 'zod'
import { DEFAULT_STAGES, nameSchema, newDeployment, startSchema } from './config.ts'
import type { Aliases } from './driver.ts'
import { keys } from './keys.ts'
import { ending, isOver, noted, resumed, shareOf } from './plan.ts'
import { clockOf, keyPrefixSchema, nowSchema, openRedis, redisSchema } from './redis.ts'
import type { RedisTarget } from './redis.ts'
import { RequestCounts } from './requests.ts'
import { countStage } from './stage-counts.ts'
import { DeploymentStore } from './store.ts'
import { enqueueTick, kwargsOf, RUN_CANARY_DEPLOYMENT } from './ticks.ts'
import type { Deployment, Metrics, Rules, Stage } from './types.ts'

/** A deployment cannot be started, or is not in a state for what was asked. */
export class DeploymentError extends ArqError {
  readonly code = 'ARQ_DEPLOYMENT'
}

/** Options of `startCanary`. */
export interface StartOptions extends Partial<Rules> {
  /** Default: 5 % for 30 minutes, 25 % for 60, 50 % for 120, then all. Each may leave out its thresholds. */
  stages?: readonly (Omit<Stage, 'errorThreshold' | 'latencyThreshold'> & Partial<Stage>)[]
  /** Roll back when a stage fails (default), or only stop. */
  autoRollback?: boolean
}

/** Options of `new CanaryDeployments()`. */
export interface CanaryDeploymentsOptions {
  /** Enqueues to the queue of the workers that drive. */
  client: Client
  redis: RedisTarget
  aliases: Aliases
  /** Put before every key. Default none, as in Python. */
  keyPrefix?: string
  /** Unix ms; default: Redis's time. */
  now?: () => number
}

/** A deployment as it is now, with what is measured in its stage. */
export interface DeploymentReport extends Omit<Deployment, 'askedBy' | 'stageMarks'> {
  /** The share of the traffic that goes to the new collection: 0 before and after, 100 once it is behind the alias. */
  percentage: number
  metrics: { new: Metrics; old: Metrics }
}

export const aliasesSchema = z.custom<Aliases>(
  (value) =>
    ['getCollectionForAlias', 'switchAlias', 'collectionExists'].every(
      (method) => typeof (value as Record<string, unknown> | null)?.[method] === 'function',
    ),
  'Expected an AliasManager of @arq-ts/qdrant',
)

const optionsSchema = z.strictObject({
  client: z.custom<Client>((value) => typeof (value as Client | null)?.enqueue === 'function', 'Expected a Client'),
  redis: redisSchema,
  aliases: aliasesSchema,
  keyPrefix: keyPrefixSchema.optional(),
  now: nowSchema.optional(),
})

const historySchema = z.strictObject({ limit: z.number().int().min(1).default(50) })

/**
 * Starts canary deployments, and looks after them. A worker drives them: it runs `run_canary_deployment`.
 *
 * ```ts
 * const deployments = new CanaryDeployments({ client, redis, aliases: new AliasManager({ qdrant }) })
 * const id = await deployments.startCanary('products', 'products_v2', { autoRollback: true })
 * ```
 */
export class CanaryDeployments {
  readonly #client: Client
  readonly #aliases: Aliases
  readonly #redis: Redis
  readonly #store: DeploymentStore
  readonly #counts: RequestCounts
  readonly #now: () => Promise<number>

  /** @throws OptionsError */
  constructor(options: CanaryDeploymentsOptions) {
    const { aliases, client, keyPrefix = '', now, redis } = checkOptions('CanaryDeployments', optionsSchema, options)
    this.#client = client
    this.#aliases = aliases
    this.#redis = openRedis(redis)
    this.#store = new DeploymentStore(this.#redis, keys(keyPrefix))
    this.#counts = new RequestCounts(this.#redis, keys(keyPrefix))
    this.#now = clockOf(this.#redis, now)
  }

  /**
   * Starts a deployment of a collection behind an alias; gives its id, `canary_<unix seconds>`.
   *
   * @throws ArgumentsError; OptionsError; DeploymentError when the alias points nowhere, or there already, when the
   *   collection is not ready, or when a deployment of the alias is under way.
   */
  async startCanary(alias: string, newCollection: string, options: StartOptions = {}): Promise<string> {
    const { autoRollback, stages, ...rules } = checkOptions('startCanary', startSchema, options)
    checkName('alias', alias)
    checkName('newCollection', newCollection)
    const oldCollection = await this.#aliases.getCollectionForAlias(alias)
    if (oldCollection === null) throw new DeploymentError(`alias ${alias} points nowhere; make it first`)
    if (oldCollection === newCollection) throw new DeploymentError(`alias ${alias} points to ${newCollection} already`)
    await this.#checkReady(newCollection)
    const nowMs = await this.#now()
    const base = `canary_${Math.floor(nowMs / 1_000)}`
    const asked = { alias, oldCollection, newCollection, currentStage: 0, autoRollback, rules }
    for (let i = 1; ; i++) {
      const id = i === 1 ? base : `${base}_${i}`
      const deployment = newDeployment({ ...asked, id, stages: (stages ?? DEFAULT_STAGES) as Stage[] }, id, nowMs)
      const written = await this.#store.write(null, deployment, [], nowMs)
      if (written === 'changed') continue // two in one second
      if (written !== 'written') throw isTaken(alias, written.takenBy)
      await this.#client.enqueue(RUN_CANARY_DEPLOYMENT, [], { kwargs: kwargsOf(deployment), jobId: id })
      return id
    }
  }

  /** Null where there is no such deployment. */
  async status(id: string): Promise<DeploymentReport | null> {
    const deployment = await this.#store.read(id)
    return deployment && this.#report(deployment)
  }

  /** Stops the clock of the stage; the traffic stays as it is. @throws DeploymentError unless it runs. */
  async pause(id: string): Promise<void> {
    await this.#change(id, ['queued', 'running'], (state, nowMs) =>
      noted({ ...state, status: 'paused' }, 'paused', nowMs),
    )
  }

  /** Begins the current stage anew. @throws DeploymentError unless it is paused. */
  async resume(id: string): Promise<void> {
    await this.#change(id, ['paused'], resumed)
  }

  /** Skips what is left of the stages: the alias goes to the new collection now. @throws DeploymentError once it has ended. */
  async promote(id: string): Promise<void> {
    await this.#change(id, ['queued', 'running', 'paused'], (state, nowMs) =>
      ending(state, 'promote', 'promoted by hand', nowMs),
    )
  }

  /**
   * Sends all traffic to the alias at once, and moves the alias back; takes the place of a promotion that is not finished.
   *
   * @throws DeploymentError once it has ended, unless its roll-back failed.
   */
  async rollback(id: string, reason = 'rolled back by hand'): Promise<void> {
    await this.#change(id, ['queued', 'running', 'paused', 'rollback_failed'], (state, nowMs) =>
      ending(state, 'rollback', reason, nowMs),
    )
  }

  /** Deployments that have not ended, oldest first. */
  async active(): Promise<DeploymentReport[]> {
    return this.#reports(await this.#store.active())
  }

  /** Deployments that have, newest first; kept for 90 days. `limit` defaults to 50. @throws OptionsError */
  async history(options: { limit?: number } = {}): Promise<DeploymentReport[]> {
    const { limit } = checkOptions('history', historySchema, options)
    return this.#reports(await this.#store.history(limit))
  }

  async close(): Promise<void> {
    await this.#redis.quit().catch(() => this.#redis.disconnect())
  }

  async #checkReady(collection: string): Promise<void> {
    const missing = () => new DeploymentError(`there is no collection ${collection}; fill it first`)
    if (!this.#aliases.collectionState) {
      if (!(await this.#aliases.collectionExists(collection))) throw missing()
      return
    }
    const state = await this.#aliases.collectionState(collection)
    if (state === null) throw missing()
    if (state.points === 0) throw new DeploymentError(`collection ${collection} has no points; fill it first`)
    if (state.status !== 'green') {
      throw new DeploymentError(
        `collection ${collection} is ${state.status}, not green; wait until Qdrant is done with it`,
      )
    }
  }

  /** Changes the state, and has it looked at now. */
  async #change(
    id: string,
    from: readonly Deployment['status'][],
    next: (state: Deployment, nowMs: number) => Deployment,
  ): Promise<void> {
    for (;;) {
      const state = await this.#store.read(id)
      if (state === null) throw new DeploymentError(`there is no deployment ${id}`)
      const nowMs = await this.#now()
      const changed = { ...next(state, nowMs), tick: state.tick + 1, nextTickAtMs: nowMs }
      const mayFollow = state.ending === null || (state.ending === 'promote' && changed.ending === 'rollback')
      if (!from.includes(state.status) || !mayFollow) {
        const what = isOver(state) || mayFollow ? state.status.replace('_', ' ') : `on its way to ${state.ending}`
        const fitting = from.join(', ').replace('_', ' ')
        throw new DeploymentError(`deployment ${id} is ${what}; this is for one that is ${fitting}`)
      }
      const written = await this.#store.write(state, changed, [], nowMs)
      if (written === 'changed') continue
      if (written !== 'written') throw isTaken(state.alias, written.takenBy)
      await enqueueTick(this.#client, changed, nowMs)
      return
    }
  }

  async #reports(ids: readonly string[]): Promise<DeploymentReport[]> {
    const found = await Promise.all(ids.map((id) => this.status(id)))
    return found.filter((report) => report !== null)
  }

  async #report(deployment: Deployment): Promise<DeploymentReport> {
    const { newMetrics, oldMetrics } = await countStage(this.#counts, deployment, await this.#now())
    const { askedBy: _, stageMarks: __, ...report } = deployment
    const percentage = shareOf(deployment) ?? (deployment.status === 'completed' ? 100 : 0)
    return { ...report, percentage, metrics: { new: newMetrics, old: oldMetrics } }
  }
}

function isTaken(alias: string, id: string): DeploymentError {
  return new DeploymentError(`alias ${alias} has a deployment under way: ${id}; roll it back or let it end first`)
}

function checkName(argument: string, value: string): void {
  const issue = nameSchema.safeParse(value).error?.issues[0]
  if (issue) throw new ArgumentsError(`startCanary: \`${argument}\`: ${issue.message}`)
}
