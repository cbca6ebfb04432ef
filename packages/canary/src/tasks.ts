import { checkOptions, cron, defineTask, NonRetryableError, Retry } from '@arq-ts/core'
import type { CronJob, JobContext, Logger, Task, TaskPackage } from '@arq-ts/core'
import { keyPrefixOption, openRedis, redisOption } from '@arq-ts/core/task-kit'
import type { RedisTarget } from '@arq-ts/core/task-kit'
import { z } from 'zod'
import { deploymentConfigSchema, newDeployment, requestOf, rulesOf, rulesSchema } from './config.ts'
import type { DeploymentConfig, RulesInput } from './config.ts'
import { aliasesSchema } from './deployments.ts'
import { Driver } from './driver.ts'
import type { Aliases } from './driver.ts'
import { keys } from './keys.ts'
import type { CheckFunction } from './look-checks.ts'
import { enqueueNotifications, notifyTask } from './notifications.ts'
import type { NotifyInput } from './notifications.ts'
import { clockOf, nowSchema } from './clock.ts'
import { RequestCounts } from './requests.ts'
import { Sessions } from './sessions.ts'
import { backBy } from './lost-time.ts'
import { isOver, resumed, sealed } from './state.ts'
import { DeploymentStore } from './store.ts'
import { enqueueTick, isTick, RUN_CANARY_DEPLOYMENT, tickId } from './ticks.ts'
import type { Deployment, DeploymentStatus } from './types.ts'

/** A tick that is later than this has lost its job. */
const OVERDUE_MS = 90_000
/** Longest wait of a job that finds a driver at work, in ms: that one may be dead. */
const MAX_DRIVEN_MS = 2_000
const MAX_ASKED = 100

/** The result of a job; Python's keys. */
export interface CanaryResult {
  status: 'success'
  deployment_id: string
  deployment_status: DeploymentStatus
  /** In seconds. */
  duration: number
}

/** Options of `canaryTasks`. */
export interface CanaryTasksOptions {
  /** Redis of routes, counts and states, which is that of the services that search. It need not be that of the queue. */
  redis: RedisTarget
  aliases: Aliases
  keyPrefix?: string
  /** For deployments that Python starts; those of `startCanary` bring their own. */
  rules?: RulesInput
  /** Functions for checks without a URL, by the name of the check. */
  checks?: Readonly<Record<string, CheckFunction>>
  /** A worker that looks at a deployment and gives no sign of life for this long is replaced; in ms, default 5,000. */
  lockMs?: number
  /** Signs notifications (HMAC-SHA-256). Without it they are sent unsigned. */
  notifySecret?: string
  logger?: Logger
  /** Unix ms; default: Redis's time. */
  now?: () => number
}

interface RunInput {
  deployment_id: string
  deployment_config: { [key: string]: unknown; alias: string; old_collection: string; new_collection: string }
  auto_rollback?: boolean | undefined
}

/** The task `run_canary_deployment`, the one that notifies, and the cron job that finds deployments whose next tick is lost. */
export interface CanaryTasks extends TaskPackage {
  tasks: readonly [Task<RunInput, CanaryResult>, Task<NotifyInput, { status: number }>]
  cron: readonly [CronJob]
}

export const lockSchema = z.number('Expected a number of milliseconds').int().min(500).max(600_000)
export const secretSchema = z.string('Expected a string').min(16, 'Expected at least 16 characters')

const optionsSchema = z.strictObject({
  redis: redisOption,
  aliases: aliasesSchema,
  keyPrefix: keyPrefixOption.optional(),
  rules: rulesSchema.prefault({}),
  checks: z
    .record(
      z.string(),
      z.custom<CheckFunction>((value) => typeof value === 'function', 'Expected a function'),
    )
    .default({}),
  lockMs: lockSchema.default(5_000),
  notifySecret: secretSchema.optional(),
  logger: z
    .custom<Logger>((value) => typeof (value as Logger | null)?.warn === 'function', 'Expected a logger')
    .optional(),
  now: nowSchema.optional(),
})

/** Makes the tasks: `new Worker({ redis, ...canaryTasks({ redis, aliases }) })`. @throws OptionsError */
export function canaryTasks(options: CanaryTasksOptions): CanaryTasks {
  const checked = checkOptions('canaryTasks', optionsSchema, options)
  const { aliases, checks, keyPrefix = '', lockMs, logger, notifySecret, now } = checked
  const rules = rulesOf(checked.rules)
  const redis = openRedis(checked.redis)
  const store = new DeploymentStore(redis, keys(keyPrefix))
  const counts = new RequestCounts(redis, keys(keyPrefix))
  const time = clockOf(redis, now)
  const sessions = new Sessions(redis, keys(keyPrefix))
  const log = logger ? { log: logger } : {}
  const driver = new Driver({ store, counts, sessions, aliases, checks, lockMs, now: time, ...log })

  const task = defineTask({
    name: RUN_CANARY_DEPLOYMENT,
    params: z.object({
      deployment_id: z.string().min(1),
      deployment_config: deploymentConfigSchema,
      auto_rollback: z.boolean().default(true),
    }),
    // A tick fails only while Redis is away; it resumes when that is back.
    maxTries: 1_000_000,
    retry: { delayMs: 1_000, maxDelayMs: 30_000 },
    keepResultMs: 86_400_000,
    handler: async (ctx, { auto_rollback, deployment_config, deployment_id }): Promise<CanaryResult> => {
      const before = performance.now()
      const known = await loadOrCreate(ctx.jobId, deployment_id, deployment_config, auto_rollback)
      const { status } = await look(ctx, known)
      const duration = (performance.now() - before) / 1_000
      return { status: 'success', deployment_id, deployment_status: status, duration }
    },
  }) as unknown as Task<RunInput, CanaryResult>

  /** The deployment a job is about: as it is, begun by it, or resumed, as Python's `resume_deployment` asks for. */
  async function loadOrCreate(
    jobId: string,
    id: string,
    config: DeploymentConfig,
    autoRollback: boolean,
  ): Promise<{ state: Deployment; nowMs: number }> {
    for (;;) {
      const [known, nowMs] = await Promise.all([store.read(id), time()])
      const isAsked = !isTick(jobId, id) && !known?.askedBy.includes(jobId)
      if (known && !(known.status === 'paused' && isAsked)) return { state: known, nowMs }
      // Its rules went with its state, a dry run's too: it must not begin again without them.
      if (!known && isTick(jobId, id) && (await store.forgetLost(id, config.alias))) {
        throw new NonRetryableError(
          `deployment ${id}: Redis has lost its state; its alias stays as it is, start it again`,
        )
      }
      const next = known
        ? sealed(known, { ...resumed(known, nowMs), askedBy: [...known.askedBy, jobId].slice(-MAX_ASKED) }, nowMs)
        : newDeployment(requestOf(id, config, autoRollback, rules), jobId, nowMs)
      const written = await store.write(known, next, [], nowMs)
      if (written === 'written' || written === 'changed') continue
      throw new NonRetryableError(`alias ${config.alias} has a deployment under way: ${written.takenBy}`)
    }
  }

  /** Looks at it if that is due, and sees to it that it is looked at again: in each state by one job, however many come. */
  async function look(ctx: JobContext, { nowMs, state }: { state: Deployment; nowMs: number }): Promise<Deployment> {
    const notify = (of: Deployment) => enqueueNotifications(ctx.client, of)
    const isDue = ctx.jobId === tickId(state) || nowMs >= state.nextTickAtMs || backBy(state, nowMs) > 0
    const { deployment, isDriven } = isDue
      ? await driver.tick(state.id, notify)
      : { deployment: state, isDriven: false }
    if (deployment === null || isOver(deployment)) return deployment ?? state
    if (isDriven) throw new Retry({ deferMs: Math.min(lockMs, MAX_DRIVEN_MS) })
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
          if (!deployment) continue
          const isBack = backBy(deployment, nowMs) > 0
          if (!isBack && nowMs < deployment.nextTickAtMs + OVERDUE_MS) continue
          const why = isBack ? 'the clock went back' : 'its tick is overdue'
          ctx.log.warn(`deployment ${id}: ${why}, looking at it again`)
          await enqueueTick(ctx.client, { ...deployment, nextTickAtMs: nowMs }, nowMs, `:${Math.floor(nowMs / 60_000)}`)
        } catch (error) {
          ctx.log.error({ err: error }, `deployment ${id}: its tick is overdue, and cannot be enqueued again`)
        }
      }
    },
    { keepResultMs: 0 },
  )
  const close = async () => {
    await redis.quit().catch(() => redis.disconnect())
  }
  return { tasks: [task, notifyTask(notifySecret)], cron: [watch], onShutdown: close }
}
