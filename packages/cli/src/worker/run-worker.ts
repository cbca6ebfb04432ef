import { createLogger, Worker } from '@arq-ts/core'
import type { TaskEnvironment, WorkerOptions } from '@arq-ts/core'
import { queueNamesOf, redisOptionsOf, workerOptionsOf } from '@arq-ts/core/config'
import { CommandError } from '../exit.ts'
import { loadSettingsModule, loadTaskPackage, merge, overlay } from './modules.ts'
import type { WorkerPlan } from './plan.ts'

/** A worker by its plan. @throws CommandError, OptionsError when it cannot be made. */
export async function makeWorker(plan: WorkerPlan): Promise<Worker> {
  const logger = createLogger({
    level: plan.logLevel,
    ...(plan.logFormat === undefined ? {} : { pretty: plan.logFormat === 'pretty' }),
    ...(plan.index === 0 ? {} : { name: `${plan.name ?? 'worker'}-${plan.index}` }),
  })
  // With a settings module, as arq has it: what nobody gave is the worker's default. Without one, the guide's. Either way
  // a stop lets running jobs end, as the guide promises.
  const keys = plan.modules.length > 0 ? [...plan.given, 'job_completion_wait'] : undefined
  const base = workerOptionsOf(plan.config, keys)
  const flags = workerOptionsOf(plan.config, plan.givenByFlag)
  const environment: TaskEnvironment = {
    redis: base.redis ?? flags.redis ?? redisOptionsOf(plan.config),
    keyPrefix: plan.config.key_prefix,
    folder: plan.folders[0] ?? process.cwd(),
    queueName: queueNamesOf(plan.config)[0]!,
    logger,
  }
  const parts: WorkerOptions[] = []
  for (const file of plan.modules) parts.push(await loadSettingsModule(file, environment))
  for (const { use, with: options } of plan.packages)
    parts.push(await loadTaskPackage(use, options, environment, plan.folders))
  if (parts.length === 0) {
    throw new CommandError(
      'a worker needs tasks: give it a settings module (arq-ts worker ./tasks.ts), or name task packages under `tasks` in the configuration',
    )
  }
  const options = overlay(overlay(base, merge(parts)), flags)
  return new Worker({
    ...options,
    logger,
    handleSignals: false,
    ...(plan.burst ? { burst: true } : {}),
    ...(plan.maxBurstJobs === undefined ? {} : { burst: true, maxBurstJobs: plan.maxBurstJobs }),
    ...(plan.name === undefined ? {} : { name: plan.name }),
  })
}
