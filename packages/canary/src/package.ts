/** The package as a configuration names it: `use: '@arq-ts/canary'`. */
import { checkOptions } from '@arq-ts/core'
import type { Client, CreateMetrics, CreateTasks, TaskEnvironment } from '@arq-ts/core'
import { keyPrefixOption, openRedis, redisOption } from '@arq-ts/core/task-kit'
import type { RedisTarget } from '@arq-ts/core/task-kit'
import { AliasManager } from '@arq-ts/qdrant'
import { z } from 'zod'
import { rulesSchema, withoutUndefined } from './config.ts'
import { CanaryDeployments } from './deployments.ts'
import { checkArguments } from './arguments.ts'
import { keys } from './keys.ts'
import { prometheusText, readMetrics } from './prometheus.ts'
import { clockOf } from './clock.ts'
import { RequestCounts } from './requests.ts'
import { DeploymentStore } from './store.ts'
import { canaryTasks, lockSchema, secretSchema } from './tasks.ts'

const packageSchema = z.strictObject({
  url: z.url({ protocol: /^https?$/, error: 'Expected a URL such as http://localhost:6333' }).optional(),
  apiKey: z.string('Expected a string').min(1).optional(),
  timeoutMs: z.number('Expected a number of milliseconds').int().min(1).max(2_147_483_647).optional(),
  redis: redisOption.optional(),
  keyPrefix: keyPrefixOption.optional(),
  lockMs: lockSchema.optional(),
  notifySecret: secretSchema.optional(),
  ...rulesSchema.shape,
})

const environmentSchema = z.looseObject({
  client: z.custom<Client>(
    (value) => typeof (value as Partial<Client> | null)?.enqueue === 'function',
    'Expected a Client',
  ),
})

/**
 * Entry for `arq-ts worker`: `tasks: [{ use: '@arq-ts/canary', with: { url: 'http://localhost:6333', minSamples: 50 } }]`.
 *
 * @throws OptionsError
 */
export const createTasks: CreateTasks = (options, { keyPrefix, logger, redis }) => {
  const checked = checkOptions('@arq-ts/canary', packageSchema, options ?? {})
  const { apiKey: _, keyPrefix: __, lockMs, notifySecret, redis: ___, timeoutMs: ____, url: _____, ...rules } = checked
  return canaryTasks({
    ...placeOf(checked, { keyPrefix, redis }),
    logger,
    rules: withoutUndefined(rules),
    aliases: aliasesOf(checked),
    ...withoutUndefined({ lockMs, notifySecret }),
  })
}

/** Prometheus metrics of deployments, as `arq-ts worker --metrics-port` serves them. @throws OptionsError */
export const createMetrics: CreateMetrics = (options, environment) => {
  const place = placeOf(checkOptions('@arq-ts/canary', packageSchema, options ?? {}), environment)
  const redis = openRedis(place.redis)
  const names = keys(place.keyPrefix)
  const [store, counts] = [new DeploymentStore(redis, names), new RequestCounts(redis, names)]
  return {
    text: async () =>
      prometheusText(await readMetrics({ redis, keys: names, store, counts, now: clockOf(redis, undefined) })),
    close: async () => {
      await redis.quit().catch(() => redis.disconnect())
    },
  }
}

/**
 * Deployments as `arq-ts canary` handles them: with the options that stand under `with`, and the client of the command.
 * Closing them leaves the client open.
 *
 * @throws OptionsError; ArgumentsError for an environment without a client.
 */
export function createDeployments(
  options: unknown,
  environment: Pick<TaskEnvironment, 'redis' | 'keyPrefix'> & { client: Client },
): CanaryDeployments {
  const checked = checkOptions('@arq-ts/canary', packageSchema, options ?? {})
  checkArguments('createDeployments', z.strictObject({ environment: environmentSchema }), { environment })
  const place = placeOf(checked, environment)
  return new CanaryDeployments({ ...place, client: environment.client, aliases: aliasesOf(checked) })
}

function aliasesOf({ apiKey, timeoutMs, url }: z.output<typeof packageSchema>): AliasManager {
  return new AliasManager({ qdrant: withoutUndefined({ url, apiKey, timeoutMs }) })
}

/** Redis of routes and counts: that of `with`, else the worker's own. A Redis of its own has no prefix by default. */
function placeOf(
  options: { redis?: RedisTarget | undefined; keyPrefix?: string | undefined },
  environment: Pick<TaskEnvironment, 'redis' | 'keyPrefix'>,
): { redis: RedisTarget; keyPrefix: string } {
  const keyPrefix = options.keyPrefix ?? (options.redis === undefined ? environment.keyPrefix : '')
  return { redis: options.redis ?? (environment.redis as RedisTarget), keyPrefix }
}
