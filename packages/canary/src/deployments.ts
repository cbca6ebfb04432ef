import { checkOptions } from '@arq-ts/core'
import type { Client } from '@arq-ts/core'
import { keyPrefixOption, openRedis, redisOption } from '@arq-ts/core/task-kit'
import type { RedisTarget } from '@arq-ts/core/task-kit'
import type { Redis } from 'ioredis'
import { z } from 'zod'
import { DeploymentError } from './deployment-error.ts'
import { ACT_RULES, refusalOf } from './acts.ts'
import type { Act } from './acts.ts'
import { checkArguments, checkId, textSchema } from './arguments.ts'
import { DEFAULT_STAGES, nameSchema, newDeployment, rulesOf, startSchema, withoutUndefined } from './config.ts'
import type { RulesInput } from './config.ts'
import type { Aliases } from './driver.ts'
import { keys } from './keys.ts'
import { enqueueNotifications } from './notifications.ts'
import { prometheusText, readMetrics } from './prometheus.ts'
import type { MetricsSource } from './prometheus.ts'
import { clockOf, nowSchema } from './clock.ts'
import { RequestCounts } from './requests.ts'
import { readDetails, readList, readReport } from './reading/reports.ts'
import type { DeploymentDetails, DeploymentList, DeploymentReport, ReportSources } from './reading/reports.ts'
import { sealed } from './state.ts'
import { DamagedState, DeploymentStore } from './store.ts'
import { enqueueTick } from './ticks.ts'
import type { Deployment, Stage } from './types.ts'

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

const namesSchema = z.strictObject({ alias: nameSchema, newCollection: nameSchema })
const changeSchema = z.strictObject({ id: textSchema, reason: z.string('Expected a string').optional() })
const approveSchema = z.strictObject({ stage: z.number('Expected a stage, counted from 0').int().min(0).optional() })
const listSchema = z.strictObject({
  limit: z.number().int().min(1).max(50).default(50),
  active: z.boolean().default(false),
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
  readonly #now: () => Promise<number>
  readonly #reports: ReportSources
  readonly #metrics: MetricsSource

  /** @throws OptionsError */
  constructor(options: CanaryDeploymentsOptions) {
    const { aliases, client, keyPrefix = '', now, redis } = checkOptions('CanaryDeployments', optionsSchema, options)
    this.#client = client
    this.#aliases = aliases
    this.#redis = openRedis(redis)
    this.#store = new DeploymentStore(this.#redis, keys(keyPrefix))
    this.#now = clockOf(this.#redis, now)
    const counts = new RequestCounts(this.#redis, keys(keyPrefix))
    this.#reports = { store: this.#store, counts, now: this.#now }
    this.#metrics = { redis: this.#redis, keys: keys(keyPrefix), ...this.#reports }
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
    checkArguments('startCanary', namesSchema, { alias, newCollection })
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
      await enqueueTick(this.#client, deployment, nowMs)
      return id
    }
  }

  /** A deployment as it is now; null if there is no such deployment. @throws ArgumentsError */
  async status(id: string): Promise<DeploymentReport | null> {
    checkId('status', id)
    return readReport(this.#reports, id)
  }

  /**
   * Everything a page about a deployment shows: guards with their limits, values and intervals, the judge's windows, the
   * last hour by the minute. Null where there is no such deployment. At most 20 commands, however much traffic there was.
   *
   * @throws ArgumentsError
   */
  async details(id: string): Promise<DeploymentDetails | null> {
    checkId('details', id)
    return readDetails(this.#reports, id)
  }

  /**
   * Deployments under way, oldest first, then those that have ended, newest first. At most 100 commands, and less detail
   * than `status`: no recorded numbers, and no latencies that only Python has recorded in the last minutes.
   *
   * @param options - `limit`: 1 to 50, default 50; `active`: only those under way, default false.
   * @throws OptionsError
   */
  list(options: { limit?: number; active?: boolean } = {}): Promise<DeploymentList> {
    return readList(this.#reports, checkOptions('list', listSchema, options))
  }

  /** Stops the clock of the stage; the traffic stays as it is. @throws DeploymentError unless it runs. */
  pause(id: string): Promise<void> {
    return this.#change(id, 'pause')
  }

  /** Begins the current stage anew. @throws DeploymentError unless it is paused. */
  resume(id: string): Promise<void> {
    return this.#change(id, 'resume')
  }

  /**
   * Lets the current stage be left at its end, or now when it waits. Only a stage with `approval: true` needs it. A stage
   * that is approved already stays as it is.
   *
   * @param options - `stage`: the stage that was looked at, counted from 0. Where two people approve one stage, the second
   *   may come when the next has begun, and would approve that one unseen. Default: the current one, whichever it is.
   * @throws ArgumentsError; OptionsError; DeploymentError unless it runs, and is in that stage.
   */
  async approve(id: string, options: { stage?: number } = {}): Promise<void> {
    const { stage } = checkOptions('approve', approveSchema, options)
    await this.#change(id, 'approve', undefined, stage)
  }

  /** Skips what is left of the stages: the alias goes to the new collection now. @throws DeploymentError once it has ended. */
  promote(id: string): Promise<void> {
    return this.#change(id, 'promote')
  }

  /**
   * Sends all traffic to the alias at once, and moves the alias back; takes the place of a promotion that is not finished.
   *
   * @throws DeploymentError once it has ended, unless its roll-back failed.
   */
  rollback(id: string, reason?: string): Promise<void> {
    return this.#change(id, 'rollback', reason)
  }

  /** Deployments that have not ended, oldest first; without those whose state is damaged, which `list` names. */
  async active(): Promise<DeploymentReport[]> {
    return this.#all(await this.#store.active())
  }

  /** Deployments that have, newest first; kept for 90 days. `limit` defaults to 50. @throws OptionsError */
  async history(options: { limit?: number } = {}): Promise<DeploymentReport[]> {
    const { limit } = checkOptions('history', historySchema, options)
    return this.#all(await this.#store.history(limit))
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
  async #change(id: string, act: Act, reason?: string, stage?: number): Promise<void> {
    checkArguments(act, changeSchema, reason === undefined ? { id } : { id, reason })
    for (;;) {
      const state = await this.#store.read(id)
      if (state === null) throw new DeploymentError(`there is no deployment ${id}`)
      const refusal = refusalOf(state, act)
      if (refusal !== null) throw new DeploymentError(refusal)
      if (stage !== undefined && stage !== state.currentStage) throw isElsewhere(state, stage)
      const nowMs = await this.#now()
      const next = ACT_RULES[act].next(state, nowMs, reason)
      if (next === state) return
      const changed = sealed(state, next, nowMs)
      await enqueueNotifications(this.#client, state) // its outbox is replaced
      const written = await this.#store.write(state, changed, [], nowMs)
      if (written === 'changed') continue
      if (written !== 'written') throw isTaken(state.alias, written.takenBy)
      await enqueueTick(this.#client, changed, nowMs)
      return
    }
  }

  async #all(ids: readonly string[]): Promise<DeploymentReport[]> {
    const readable = (error: unknown) => {
      if (error instanceof DamagedState) return null
      throw error
    }
    const found = await Promise.all(ids.map((id) => this.status(id).catch(readable)))
    return found.filter((report) => report !== null)
  }
}

function isElsewhere({ currentStage, id, stages }: Deployment, stage: number): DeploymentError {
  const of = (index: number) => `stage ${index + 1} of ${stages.length}`
  return new DeploymentError(`deployment ${id} is in ${of(currentStage)}, not in ${of(stage)}; look at it again first`)
}

function isTaken(alias: string, id: string): DeploymentError {
  return new DeploymentError(`alias ${alias} has a deployment under way: ${id}; roll it back or let it end first`)
}
