import { pathToFileURL } from 'node:url'
import { queueNamesOf, redisOptionsOf } from '@arq-ts/core/config'
import type { CreateMetrics, Logger, MetricsOfPackage } from '@arq-ts/core'
import type { WorkerPlan } from '../worker/plan.ts'
import { locateTasks } from '../worker/task-location.ts'

/** Metrics that task packages serve themselves: they lie in Redis, and a pool serves them once for all its processes. */
export class PackageMetrics {
  readonly #packages: readonly MetricsOfPackage[]
  readonly #log: Logger

  private constructor(packages: readonly MetricsOfPackage[], log: Logger) {
    this.#packages = packages
    this.#log = log
  }

  /** Metrics of the packages of a plan that have any. */
  static async of({ config, folders, packages }: WorkerPlan, logger: Logger): Promise<PackageMetrics> {
    const environment = {
      redis: redisOptionsOf(config),
      keyPrefix: config.key_prefix,
      folder: folders[0] ?? process.cwd(),
      queueName: queueNamesOf(config)[0]!,
      logger,
    }
    const found: MetricsOfPackage[] = []
    for (const { use, with: options } of packages) {
      try {
        const module = (await import(pathToFileURL(locateTasks(use, folders)).href)) as {
          createMetrics?: CreateMetrics
        }
        if (typeof module.createMetrics === 'function') found.push(await module.createMetrics(options, environment))
      } catch (error) {
        // A package that cannot be loaded is reported by the worker, which needs it.
        logger.debug({ err: error }, `no metrics of ${use}`)
      }
    }
    return new PackageMetrics(found, logger)
  }

  /** The text of all; without those that cannot be read now. */
  async text(): Promise<string> {
    const texts = await Promise.all(
      this.#packages.map((each) =>
        each.text().catch((error: unknown) => {
          this.#log.warn({ err: error }, `metrics of a task package could not be read: ${(error as Error).message}`)
          return ''
        }),
      ),
    )
    return texts.join('')
  }

  async close(): Promise<void> {
    await Promise.all(this.#packages.map((each) => each.close()))
  }
}
