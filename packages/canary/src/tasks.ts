import { checkOptions, cron, defineTask, NonRetryableError, Retry } from '@arq-ts/core'
import type { CreateTasks, CronJob, JobContext, Logger, Task, TaskPackage } from '@arq-ts/core'
import { AliasManager } from '@arq-ts/qdrant'
import { z } from 'zod'
import { askedBy, deploymentConfigSchema, newDeployment, rulesSchema } from './config.ts'
import type { DeploymentConfig } from './config.ts'
import { aliasesSchema } from './deployments.ts'
import { Driver } from './driver.ts'
import type { Aliases } from './driver.ts'
import { keys } from './keys.ts'
import { isOver, resumed } from './plan.ts'
import { clockOf, keyPrefixSchema, nowSchema, openRedis, redisSchema } from './redis.ts'
import type { RedisTarget } from './redis.ts'
import { RequestCounts } from './requests.ts'
import { DeploymentStore } from './store.ts'
import { enqueueTick, isTick, RUN_CANARY_DEPLOYMENT, tickId } from './ticks.ts'
import type { Deployment, DeploymentStatus, Rules } from './types.ts'

/** A tick that is late by so much has lost its job. */
const OVERDUE_MS = 90_000
/** Whoever finds a driver at work comes back: that one may be dead. */
const DRIVEN_MS = 2_000
const MAX_ASKED = 100

/** What a job gives back; Python's keys. */
export interface CanaryResult {
  status: 'success'
  deployment_id: string
  deployment_status: DeploymentStatus
  /** In seconds. */
  duration: number
}

/** What the tasks need. */
export interface CanaryTasksOptions {
  redis: RedisTarget
  aliases: Aliases
  keyPrefix?: string
  /** For deployments that Python starts; those of `startCanary` bring their own. */
  rules?: Partial<Rules>
  logger?: Logger
  /** Unix ms; default: Redis's time. */
  now?: () => number
}

interface RunInput {
  deployment_id: string
  deployment_config: { [key: string]: unknown; alias: string; old_collection: string; new_collection: string }
  auto_rollback?: boolean | undefined
}

/** The task `run_canary_deployment`, and the cron job that finds deployments whose next tick is lost. */
export interface CanaryTasks extends TaskPackage {
  tasks: readonly [Task<RunInput, CanaryResult>]
  cron: readonly [CronJob]
}

const optionsSchema = z.strictObject({
  redis: redisSchema,
  aliases: aliasesSchema,
  keyPrefix: keyPrefixSchema.optional(),
  rules: rulesSchema.prefault({}),
  logger: z
    .custom<Logger>((value) => typeof (value as Logger | null)?.warn === 'function', 'Expected a logger')
    .optional(),
  now: nowSchema.optional(),
})

/** Makes the tasks: `new Worker({ redis, ...canaryTasks({ redis, aliases }) })`. @throws OptionsError */
export function canaryTasks(options: CanaryTasksOptions): CanaryTasks {
  const checked = checkOptions('canaryTasks', optionsSchema, options)
  const { aliases, keyPrefix = '', logger, now, rules } = checked
  const redis = openRedis(checked.redis)
  const store = new DeploymentStore(redis, keys(keyPrefix))
  const counts = new RequestCounts(redis, keys(keyPrefix))
  const time = clockOf(redis, now)
  const driver = new Driver({ store, counts, aliases, now: time, ...(logger ? { log: logger } : {}) })

  const task = defineTask({
    name: RUN_CANARY_DEPLOYMENT,
    params: z.object({
      deployment_id: z.string().min(1),
      deployment_config: deploymentConfigSchema,
      auto_rollback: z.boolean().default(true),
    }),
    // What makes a tick fail is a Redis that is away; it goes on when that is back.
    maxTries: 1_000_000,
    retry: { delayMs: 1_000, maxDelayMs: 30_000 },
    keepResultMs: 86_400_000,
    handler: async (ctx, { auto_rollback, deployment_config, deployment_id }): Promise<CanaryResult> => {
      const before = performance.now()
      const state = await takeUp(ctx.jobId, deployment_id, deployment_config, auto_rollback)
      const { status } = await look(ctx, state)
      const duration = (performance.now() - before) / 1_000
      return { status: 'success', deployment_id, deployment_status: status, duration }
    },
  }) as unknown as Task<RunInput, CanaryResult>

  /** The deployment a job is about: as it is, begun by it, or resumed, as Python's `resume_deployment` asks for. */
  async function takeUp(
    jobId: string,
    id: string,
    config: DeploymentConfig,
    autoRollback: boolean,
  ): Promise<Deployment> {
    for (;;) {
      const known = await store.read(id)
      const nowMs = await time()
      const isAsked = !isTick(jobId, id) && !known?.askedBy.includes(jobId)
      if (known && !(known.status === 'paused' && isAsked)) return known
      const next = known
        ? { ...resumed(known, nowMs), askedBy: [...known.askedBy, jobId].slice(-MAX_ASKED) }
        : newDeployment(askedBy(id, config, autoRollback, rules), jobId, nowMs)
      const written = await store.write(known, { ...next, nextTickAtMs: nowMs }, [], nowMs)
      if (written === 'written' || written === 'changed') continue
      throw new NonRetryableError(`alias ${config.alias} has a deployment under way: ${written.takenBy}`)
    }
  }

  /** Looks at it if that is due, and sees to it that it is looked at again: in each state by one job, however many come. */
  async function look(ctx: JobContext, state: Deployment): Promise<Deployment> {
    const isDue = ctx.jobId === tickId(state) || (await time()) >= state.nextTickAtMs
    const { deployment, isDriven } = isDue ? await driver.tick(state.id) : { deployment: state, isDriven: false }
    if (deployment === null || isOver(deployment)) return deployment ?? state
    if (isDriven) throw new Retry({ deferMs: DRIVEN_MS })
    // Whoever dies before this line leaves its job to another worker.
    await enqueueTick(ctx.client, deployment, await time())
    return deployment
  }

  const watch = cron(
    'cron:canary-watch',
    { second: 15 },
    async (ctx: JobContext) => {
      const nowMs = await time()
      for (const id of await store.active()) {
        try {
          const deployment = await store.read(id)
          if (!deployment || nowMs < deployment.nextTickAtMs + OVERDUE_MS) continue
          ctx.log.warn(`deployment ${id}: its tick is overdue, looking at it again`)
          await enqueueTick(ctx.client, deployment, nowMs, `:${Math.floor(nowMs / 60_000)}`)
        } catch (error) {
          ctx.log.error({ err: error }, `deployment ${id}: its tick is overdue, and cannot be made up for`)
        }
      }
    },
    { keepResultMs: 0 },
  )
  const close = async () => {
    await redis.quit().catch(() => redis.disconnect())
  }
  return { tasks: [task], cron: [watch], onShutdown: close }
}

const packageSchema = z.strictObject({
  url: z.url({ protocol: /^https?$/, error: 'Expected a URL such as http://localhost:6333' }).optional(),
  apiKey: z.string('Expected a text').min(1).optional(),
  timeoutMs: z.number('Expected a number of milliseconds').int().min(1).max(2_147_483_647).optional(),
  ...rulesSchema.shape,
})

/**
 * What `arq-ts worker` loads: `tasks: [{ use: '@arq-ts/canary', with: { url: 'http://localhost:6333', minSamples: 50 } }]`.
 *
 * @throws OptionsError
 */
export const createTasks: CreateTasks = (options, { keyPrefix, logger, redis }) => {
  const checked = checkOptions('@arq-ts/canary', packageSchema, options ?? {})
  const { apiKey, timeoutMs, url, ...rules } = checked
  const qdrant = {
    ...(url === undefined ? {} : { url }),
    ...(apiKey === undefined ? {} : { apiKey }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  }
  const aliases = new AliasManager({ qdrant })
  return canaryTasks({ redis: redis as RedisTarget, keyPrefix, logger, rules, aliases })
}
