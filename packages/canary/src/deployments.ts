import { ArgumentsError, ArqError, checkOptions } from '@arq-ts/core'
import type { Client } from '@arq-ts/core'
import { keyPrefixOption, openRedis, redisOption } from '@arq-ts/core/task-kit'
import type { RedisTarget } from '@arq-ts/core/task-kit'
import type { Redis } from 'ioredis'
import { z } from 'zod'
import { DEFAULT_STAGES, nameSchema, newDeployment, rulesOf, startSchema, withoutUndefined } from './config.ts'
import type { RulesInput } from './config.ts'
import type { Aliases } from './driver.ts'
import { keys } from './keys.ts'
import { enqueueNotifications } from './notifications.ts'
import { prometheusText, readMetrics } from './prometheus.ts'
import type { MetricsSource } from './prometheus.ts'
import { clockOf, nowSchema } from './clock.ts'
import { RequestCounts } from './requests.ts'
import { countStage, figuresOf } from './stage-counts.ts'
import { approved, ending, isOver, paused, resumed, sealed, shareOf, stageOf } from './state.ts'
import { DeploymentStore } from './store.ts'
import { enqueueTick, kwargsOf, RUN_CANARY_DEPLOYMENT } from './ticks.ts'
import type { Deployment, Figures, Metrics, Stage } from './types.ts'

/** A deployment cannot be started, or is not in a state for the operation. */
export class DeploymentError extends ArqError {
  readonly code = 'ARQ_DEPLOYMENT'
}

/** Options of `startCanary`. */
export interface StartOptions extends RulesInput {
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

/** A deployment as it is now, with the figures of its stage; once it has ended, with those it ended with. */
export interface DeploymentReport extends Omit<Deployment, 'askedBy' | 'stageMarks' | 'outbox' | 'final'> {
  /** The share of the traffic that goes to the new collection: 0 before and after, 100 once it is behind the alias. */
  percentage: number
  /** Configured: `percentage`. Observed: the percentage of users' requests that the new collection answered; null of none. */
  share: { configured: number; observed: number | null; shadow: number }
  metrics: { new: Metrics; old: Metrics }
  /** Means of the numbers recorded with requests, by name. */
  values: { new: Record<string, MeanOf>; old: Record<string, MeanOf> }
}

/** A number that was recorded `count` times. */
export interface MeanOf {
  count: number
  mean: number
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
  redis: redisOption,
  aliases: aliasesSchema,
  keyPrefix: keyPrefixOption.optional(),
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
  readonly #metrics: MetricsSource

  /** @throws OptionsError */
  constructor(options: CanaryDeploymentsOptions) {
    const { aliases, client, keyPrefix = '', now, redis } = checkOptions('CanaryDeployments', optionsSchema, options)
    this.#client = client
    this.#aliases = aliases
    this.#redis = openRedis(redis)
    this.#store = new DeploymentStore(this.#redis, keys(keyPrefix))
    this.#counts = new RequestCounts(this.#redis, keys(keyPrefix))
    this.#now = clockOf(this.#redis, now)
    const read = { keys: keys(keyPrefix), store: this.#store, counts: this.#counts, now: this.#now }
    this.#metrics = { redis: this.#redis, ...read }
  }

  /**
   * Starts a deployment of a collection behind an alias; gives its id, `canary_<unix seconds>`.
   *
   * @throws ArgumentsError; OptionsError; DeploymentError when the alias points nowhere, or there already, when the
   *   collection is not ready, or when a deployment of the alias is under way.
   */
  async startCanary(alias: string, newCollection: string, options: StartOptions = {}): Promise<string> {
    const { autoRollback, stages, ...given } = checkOptions('startCanary', startSchema, options)
    const rules = rulesOf(given)
    checkName('alias', alias)
    checkName('newCollection', newCollection)
    const oldCollection = await this.#aliases.getCollectionForAlias(alias)
    if (oldCollection === null) throw new DeploymentError(`alias ${alias} points nowhere; create it first`)
    if (oldCollection === newCollection) throw new DeploymentError(`alias ${alias} points to ${newCollection} already`)
    await this.#checkReady(newCollection)
    const nowMs = await this.#now()
    const base = `canary_${Math.floor(nowMs / 1_000)}`
    const chosen = (stages ?? DEFAULT_STAGES).map((stage) => withoutUndefined(stage) as Stage)
    const request = { alias, oldCollection, newCollection, currentStage: 0, autoRollback, rules, stages: chosen }
    for (let i = 1; ; i++) {
      const id = i === 1 ? base : `${base}_${i}`
      const deployment = newDeployment({ ...request, id }, id, nowMs)
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
    await this.#change(id, ['queued', 'running'], (state, nowMs) => paused(state, null, nowMs))
  }

  /** Begins the current stage anew. @throws DeploymentError unless it is paused. */
  async resume(id: string): Promise<void> {
    await this.#change(id, ['paused'], resumed)
  }

  /**
   * Lets the current stage be left at its end, or now when it waits. Only a stage with `approval: true` needs it.
   *
   * @throws DeploymentError unless it runs.
   */
  async approve(id: string): Promise<void> {
    await this.#change(id, ['queued', 'running'], approved)
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

  /** Prometheus metrics of all deployments that have not ended, as text. A worker's `--metrics-port` has them, too. */
  async metrics(): Promise<string> {
    return prometheusText(await readMetrics(this.#metrics))
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
      const changed = sealed(state, next(state, nowMs), nowMs)
      const mayFollow = state.ending === null || (state.ending === 'promote' && changed.ending === 'rollback')
      if (!from.includes(state.status) || !mayFollow) {
        const what = isOver(state) || mayFollow ? state.status.replace('_', ' ') : `on its way to ${state.ending}`
        const fitting = from.join(', ').replace('_', ' ')
        throw new DeploymentError(`deployment ${id} is ${what}; this is for one that is ${fitting}`)
      }
      await enqueueNotifications(this.#client, state) // its outbox is replaced
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
    const { askedBy: _, final, outbox: __, stageMarks: ___, ...report } = deployment
    const figures = final ?? (await this.#figures(deployment))
    const isBehindAlias = deployment.status === 'completed' && !deployment.rules.dryRun
    const percentage = shareOf(deployment) ?? (isBehindAlias ? 100 : 0)
    const shadow = shareOf(deployment) === null ? 0 : (stageOf(deployment).shadow ?? 0)
    return {
      ...report,
      percentage,
      share: { configured: percentage, observed: figures.observedShare, shadow },
      metrics: { new: figures.new, old: figures.old },
      values: { new: means(figures.values.new), old: means(figures.values.old) },
    }
  }

  async #figures(deployment: Deployment): Promise<Figures> {
    if (isOver(deployment)) return figuresOf([]) // it ended under a version that kept none
    return figuresOf((await countStage(this.#counts, deployment, await this.#now())).minutes)
  }
}

function means(values: Figures['values']['new']): Record<string, MeanOf> {
  return Object.fromEntries(
    Object.entries(values).map(([name, { count, sum }]) => [name, { count, mean: sum / count }]),
  )
}

function isTaken(alias: string, id: string): DeploymentError {
  return new DeploymentError(`alias ${alias} has a deployment under way: ${id}; roll it back or let it end first`)
}

function checkName(argument: string, value: string): void {
  const issue = nameSchema.safeParse(value).error?.issues[0]
  if (issue) throw new ArgumentsError(`startCanary: \`${argument}\`: ${issue.message}`)
}
