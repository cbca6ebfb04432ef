import { ArqError, checkOptions } from '@arq-ts/core'
import type { Client } from '@arq-ts/core'
import type { Redis } from 'ioredis'
import { z } from 'zod'
import { configOf, DEFAULT_STAGES, startSchema } from './config.ts'
import type { Aliases } from './driver.ts'
import { keys } from './keys.ts'
import { isOver, noted } from './plan.ts'
import { openRedis, redisNow } from './redis.ts'
import type { RedisTarget } from './redis.ts'
import { CanaryRouter } from './router.ts'
import { DeploymentStore } from './store.ts'
import type { Deployment, Metrics, Rules, Stage } from './types.ts'

export const RUN_CANARY_DEPLOYMENT = 'run_canary_deployment'

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

/** A deployment as it is now, with what is measured in its stage. */
export interface DeploymentReport extends Deployment {
  percentage: number
  metrics: { new: Metrics; old: Metrics }
}

const optionsSchema = z.strictObject({
  client: z.custom<Client>((value) => typeof (value as Client | null)?.enqueue === 'function', 'Expected a Client'),
  redis: z.custom<RedisTarget>(
    (value) => typeof value === 'string' || (typeof value === 'object' && value !== null),
    'Expected a URL, ioredis options or an ioredis client',
  ),
  aliases: z.custom<Aliases>(
    (value) => typeof (value as Aliases | null)?.switchAlias === 'function',
    'Expected an AliasManager of @arq-ts/qdrant',
  ),
  keyPrefix: z.string().optional(),
})

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
  readonly #router: CanaryRouter

  /** @throws OptionsError */
  constructor(options: { client: Client; redis: RedisTarget; aliases: Aliases; keyPrefix?: string }) {
    const { aliases, client, keyPrefix = '', redis } = checkOptions('CanaryDeployments', optionsSchema, options)
    this.#client = client
    this.#aliases = aliases
    this.#redis = openRedis(redis)
    this.#store = new DeploymentStore(this.#redis, keys(keyPrefix))
    this.#router = new CanaryRouter({ redis, keyPrefix })
  }

  /**
   * Starts a deployment of a collection behind an alias; gives its id, `canary_<unix seconds>`.
   *
   * @throws OptionsError; DeploymentError when the alias points nowhere, or there already, when the collection is missing,
   *   or when a deployment of the alias is under way.
   */
  async startCanary(alias: string, newCollection: string, options: StartOptions = {}): Promise<string> {
    const { autoRollback, stages, ...rules } = checkOptions('startCanary', startSchema, options)
    const oldCollection = await this.#aliases.getCollectionForAlias(alias)
    if (oldCollection === null) throw new DeploymentError(`alias ${alias} points nowhere; make it first`)
    if (oldCollection === newCollection) throw new DeploymentError(`alias ${alias} points to ${newCollection} already`)
    if (!(await this.#aliases.collectionExists(newCollection))) {
      throw new DeploymentError(`there is no collection ${newCollection}; fill it first`)
    }
    for (const running of await this.active()) {
      if (running.alias === alias) throw new DeploymentError(`alias ${alias} has a deployment under way: ${running.id}`)
    }
    const nowMs = await redisNow(this.#redis)
    const base = `canary_${Math.floor(nowMs / 1_000)}`
    for (let i = 1; ; i++) {
      const deployment: Deployment = {
        id: i === 1 ? base : `${base}_${i}`,
        alias,
        oldCollection,
        newCollection,
        stages: (stages ?? DEFAULT_STAGES) as Stage[],
        autoRollback,
        rules,
        status: 'queued',
        currentStage: 0,
        startedAtMs: nowMs,
        stageStartedAtMs: nowMs,
        finishedAtMs: null,
        reason: null,
        ending: null,
        endingFailures: 0,
        tick: 0,
        nextTickAtMs: nowMs,
        decisions: [],
      }
      if (!(await this.#store.write(null, deployment, [], nowMs))) continue // two in one second
      const kwargs = {
        deployment_id: deployment.id,
        deployment_config: configOf(deployment),
        auto_rollback: autoRollback,
      }
      await this.#client.enqueue(RUN_CANARY_DEPLOYMENT, [], { kwargs, jobId: deployment.id })
      return deployment.id
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
    await this.#change(id, ['paused'], (state, nowMs) =>
      noted({ ...state, status: 'running', stageStartedAtMs: nowMs, reason: null }, 'resumed', nowMs),
    )
    await this.#nudge(id)
  }

  /** Skips what is left of the stages: the alias goes to the new collection now. @throws DeploymentError once it has ended. */
  async promote(id: string): Promise<void> {
    await this.#end(id, 'promote', 'promoted by hand')
  }

  /** Sends all traffic and the alias back. @throws DeploymentError once it has ended, unless its roll-back failed. */
  async rollback(id: string, reason = 'rolled back by hand'): Promise<void> {
    await this.#end(id, 'rollback', reason)
  }

  /** Deployments that have not ended, oldest first. */
  async active(): Promise<DeploymentReport[]> {
    return this.#reports(await this.#store.active())
  }

  /** Deployments that have, newest first; kept for 90 days. `limit` defaults to 50. */
  async history(options: { limit?: number } = {}): Promise<DeploymentReport[]> {
    return this.#reports(await this.#store.history(options.limit ?? 50))
  }

  async close(): Promise<void> {
    await this.#router.close()
    await this.#redis.quit().catch(() => this.#redis.disconnect())
  }

  async #end(id: string, ending: 'promote' | 'rollback', reason: string): Promise<void> {
    const from: Deployment['status'][] = [
      'queued',
      'running',
      'paused',
      ...(ending === 'rollback' ? (['rollback_failed'] as const) : []),
    ]
    await this.#change(id, from, (state, nowMs) => {
      const open = { ...state, ending, endingFailures: 0, reason, status: 'running' as const, finishedAtMs: null }
      return noted(open, reason, nowMs)
    })
    await this.#nudge(id)
  }

  async #change(
    id: string,
    from: readonly Deployment['status'][],
    next: (state: Deployment, nowMs: number) => Deployment,
  ): Promise<void> {
    for (;;) {
      const state = await this.#store.read(id)
      if (state === null) throw new DeploymentError(`there is no deployment ${id}`)
      const isEnding = state.ending !== null && !isOver(state)
      if (!from.includes(state.status) || isEnding) {
        const what = isEnding ? `on its way to ${state.ending}` : state.status.replace('_', ' ')
        throw new DeploymentError(
          `deployment ${id} is ${what}; this is for one that is ${from.join(', ').replace('_', ' ')}`,
        )
      }
      const nowMs = await redisNow(this.#redis)
      if (await this.#store.write(state, { ...next(state, nowMs), nextTickAtMs: nowMs }, [], nowMs)) return
    }
  }

  /** A tick now, beside the one that is due later. */
  async #nudge(id: string): Promise<void> {
    const deployment = await this.#store.read(id)
    if (deployment) await enqueueTick(this.#client, deployment, 0)
  }

  async #reports(ids: readonly string[]): Promise<DeploymentReport[]> {
    const found = await Promise.all(ids.map((id) => this.status(id)))
    return found.filter((report) => report !== null)
  }

  async #report(deployment: Deployment): Promise<DeploymentReport> {
    const { currentStage, id, newCollection, oldCollection, stageStartedAtMs, stages, status } = deployment
    const [newMetrics, oldMetrics] = await Promise.all([
      this.#router.metrics(id, newCollection, stageStartedAtMs),
      this.#router.metrics(id, oldCollection, stageStartedAtMs),
    ])
    const isRouted = status === 'running' || status === 'paused'
    const percentage = status === 'completed' ? 100 : isRouted ? stages[currentStage]!.percentage : 0
    return { ...deployment, percentage, metrics: { new: newMetrics, old: oldMetrics } }
  }
}

/**
 * The next look at a deployment; one per state it is in. `slot` makes it another one, for those who found a driver at
 * work: all that come in one slot share it.
 */
export async function enqueueTick(client: Client, deployment: Deployment, delayMs: number, slot = ''): Promise<void> {
  await client.enqueue(RUN_CANARY_DEPLOYMENT, [], {
    jobId: `${deployment.id}:tick:${deployment.tick}${slot}`,
    deferByMs: delayMs,
    kwargs: {
      deployment_id: deployment.id,
      deployment_config: configOf(deployment),
      auto_rollback: deployment.autoRollback,
    },
  })
}
