import { checkOptions, cron, defineTask } from '@arq-ts/core'
import type { CreateTasks, CronJob, JobContext, Logger, Task, TaskPackage } from '@arq-ts/core'
import { AliasManager } from '@arq-ts/qdrant'
import { z } from 'zod'
import { deploymentConfigSchema, newDeployment, rulesSchema } from './config.ts'
import type { DeploymentConfig } from './config.ts'
import { enqueueTick, RUN_CANARY_DEPLOYMENT } from './deployments.ts'
import { Driver } from './driver.ts'
import type { Aliases } from './driver.ts'
import { keys } from './keys.ts'
import { openRedis, redisNow } from './redis.ts'
import type { RedisTarget } from './redis.ts'
import { CanaryRouter } from './router.ts'
import { DeploymentStore } from './store.ts'
import type { DeploymentStatus, Rules } from './types.ts'

/** A tick that is late by so much has lost its job. */
const OVERDUE_MS = 90_000

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

type RunInput = {
  deployment_id: string
  deployment_config: { [key: string]: unknown; alias: string; old_collection: string; new_collection: string }
  auto_rollback?: boolean | undefined
}

/** The task `run_canary_deployment`, and the cron job that finds deployments whose next tick is lost. */
export interface CanaryTasks extends TaskPackage {
  tasks: readonly [Task<RunInput, CanaryResult>]
  cron: readonly [CronJob]
}

/** Makes the tasks: `new Worker({ redis, ...canaryTasks({ redis, aliases }) })`. */
export function canaryTasks(options: CanaryTasksOptions): CanaryTasks {
  const { aliases, keyPrefix = '', logger } = options
  const rules = rulesSchema.parse(options.rules ?? {})
  const redis = openRedis(options.redis)
  const { now } = options
  const router = new CanaryRouter({ redis: options.redis, keyPrefix, ...(now ? { now } : {}) })
  const store = new DeploymentStore(redis, keys(keyPrefix))
  const time = now ? () => Promise.resolve(now()) : () => redisNow(redis)
  const driver = new Driver({ store, router, aliases, now: time, ...(logger ? { log: logger } : {}) })

  const task = defineTask({
    name: RUN_CANARY_DEPLOYMENT,
    params: z.object({
      deployment_id: z.string().min(1),
      deployment_config: deploymentConfigSchema,
      auto_rollback: z.boolean().default(true),
    }),
    // A tick that fails is followed by the next; what makes it fail is mostly a Qdrant that is away.
    maxTries: 1_000_000,
    retry: { delayMs: 1_000, maxDelayMs: 30_000 },
    keepResultMs: 86_400_000,
    handler: async (ctx, input): Promise<CanaryResult> => {
      const before = performance.now()
      const deployment_status = await run(
        ctx,
        input as RunInput & { deployment_config: DeploymentConfig; auto_rollback: boolean },
      )
      const duration = (performance.now() - before) / 1_000
      return { status: 'success', deployment_id: input.deployment_id, deployment_status, duration }
    },
  }) as unknown as Task<RunInput, CanaryResult>

  async function run(
    ctx: JobContext,
    {
      auto_rollback,
      deployment_config,
      deployment_id,
    }: { deployment_id: string; deployment_config: DeploymentConfig; auto_rollback: boolean },
  ): Promise<DeploymentStatus> {
    const known = await store.read(deployment_id)
    if (!known) {
      const nowMs = await time()
      await store.write(null, newDeployment(deployment_id, deployment_config, auto_rollback, rules, nowMs), [], nowMs)
    } else if (known.status === 'paused' && isAskedAnew(ctx.jobId, deployment_id)) {
      // Python's resume_deployment enqueues the deployment again.
      const nowMs = await time()
      await store.write(known, { ...known, status: 'running', stageStartedAtMs: nowMs }, [], nowMs)
    }
    const { againMs, deployment, isDriven } = await driver.tick(deployment_id)
    // Whoever dies before this line leaves its job to another worker.
    const slot = isDriven ? `:${Math.floor((await time()) / 1_000)}` : ''
    if (deployment && againMs !== null) await enqueueTick(ctx.client, deployment, againMs, slot)
    return deployment?.status ?? 'failed'
  }

  const watch = cron(
    'cron:canary-watch',
    { second: 15 },
    async (ctx: JobContext) => {
      const nowMs = await time()
      for (const id of await store.active()) {
        const deployment = await store.read(id)
        if (!deployment || deployment.status === 'paused' || nowMs < deployment.nextTickAtMs + OVERDUE_MS) continue
        ctx.log.warn(`deployment ${id}: its tick is overdue, looking at it again`)
        const { againMs, deployment: after } = await driver.tick(id)
        if (after && againMs !== null) await enqueueTick(ctx.client, after, againMs)
      }
    },
    { keepResultMs: 0 },
  )
  const close = async () => {
    await router.close()
    await redis.quit().catch(() => redis.disconnect())
  }
  return { tasks: [task], cron: [watch], onShutdown: close }
}

/** Neither the job of `startCanary`, nor a tick. */
function isAskedAnew(jobId: string, deploymentId: string): boolean {
  return jobId !== deploymentId && !jobId.startsWith(`${deploymentId}:tick:`)
}

const packageSchema = z.strictObject({
  url: z.url({ protocol: /^https?$/, error: 'Expected a URL such as http://localhost:6333' }).optional(),
  apiKey: z.string().optional(),
  timeoutMs: z.number().positive().optional(),
  ...Object.fromEntries(Object.entries(rulesSchema.shape).map(([name, schema]) => [name, schema.optional()])),
})

/**
 * What `arq-ts worker` loads: `tasks: [{ use: '@arq-ts/canary', with: { url: 'http://localhost:6333', minSamples: 50 } }]`.
 *
 * @throws OptionsError
 */
export const createTasks: CreateTasks = (options, { keyPrefix, logger, redis }) => {
  const { apiKey, timeoutMs, url, ...rules } = checkOptions('@arq-ts/canary', packageSchema, options ?? {}) as {
    url?: string
    apiKey?: string
    timeoutMs?: number
  } & Partial<Rules>
  const qdrant = {
    ...(url === undefined ? {} : { url }),
    ...(apiKey === undefined ? {} : { apiKey }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  }
  const given = Object.fromEntries(Object.entries(rules).filter(([, value]) => value !== undefined))
  return canaryTasks({
    redis: redis as RedisTarget,
    keyPrefix,
    logger,
    rules: given,
    aliases: new AliasManager({ qdrant }),
  })
}
