import { createLogger, Worker } from '@arq-ts/core'
import type { Logger, TaskEnvironment, WorkerOptions } from '@arq-ts/core'
import { queueNamesOf, redisOptionsOf, workerOptionsOf } from '@arq-ts/core/config'
import { CommandError } from '../exit.ts'
import { loadSettingsModule, loadTaskPackage, merge, overlay } from './modules.ts'
import type { WorkerPlan } from './plan.ts'
import { servedBy } from './served.ts'
import type { ServedQueues } from './served.ts'

/** A worker, what it serves, and its bounds on a stop, in ms: on the first request, and on the second. */
interface MadeWorker {
  worker: Worker
  served: ServedQueues
  stopMs: number
  hurryMs: number
}

/** A worker's own default. */
const ABORT_GRACE_MS = 5_000

/** A worker by its plan. @throws CommandError, OptionsError when it cannot be made. */
export async function makeWorker(plan: WorkerPlan): Promise<MadeWorker> {
  const logger = createLogger({
    level: plan.logLevel,
    ...(plan.logFormat === undefined ? {} : { pretty: plan.logFormat === 'pretty' }),
    ...(plan.index === 0 ? {} : { name: `${plan.name ?? 'worker'}-${plan.index}` }),
  })
  const options = await optionsByPlan(plan, logger)
  const worker = new Worker({
    ...options,
    logger,
    handleSignals: false,
    ...(plan.burst ? { burst: true } : {}),
    ...(plan.maxBurstJobs === undefined ? {} : { burst: true, maxBurstJobs: plan.maxBurstJobs }),
    ...(plan.name === undefined ? {} : { name: plan.name }),
  })
  const hurryMs = options.abortGraceMs ?? ABORT_GRACE_MS
  return { worker, served: servedBy(options), stopMs: (options.jobCompletionWaitMs ?? 0) + hurryMs, hurryMs }
}

/** Loads what a plan names; gives the options that follow, of modules, configuration and flags. @throws as `makeWorker` */
export async function optionsByPlan(plan: WorkerPlan, logger: Logger): Promise<WorkerOptions> {
  const given = [...plan.given, ...plan.givenByFlag]
  const environment: TaskEnvironment = {
    redis: redisOptionsOf(plan.config),
    keyPrefix: plan.config.key_prefix,
    folder: plan.folders[0] ?? process.cwd(),
    queueName: queueNamesOf(plan.config)[0]!,
    logger,
  }
  const parts: WorkerOptions[] = []
  let isSettings = false
  for (const file of plan.modules) {
    const module = await loadSettingsModule(file, environment)
    parts.push(module.options)
    isSettings ||= module.isSettings
  }
  for (const { use, with: options } of plan.packages)
    parts.push(await loadTaskPackage(use, options, environment, plan.folders))
  if (parts.length === 0) {
    throw new CommandError(
      'a worker needs tasks: give it a settings module (arq-ts worker ./tasks.ts), or name task packages under `tasks` in the configuration',
    )
  }
  // Settings stand for themselves, as arq's do: what nobody gave is the worker's default. Tasks alone are run by the
  // configuration, the guide's. Either way a stop lets running jobs end, and cron ticks are pickle unless a codec is given.
  const base = workerOptionsOf(plan.config, isSettings ? [...plan.given, 'job_completion_wait'] : undefined)
  if (!given.includes('codec')) delete base.codec
  const flags = workerOptionsOf(plan.config, plan.givenByFlag)
  return overlay(overlay(base, merge(parts)), flags)
}
