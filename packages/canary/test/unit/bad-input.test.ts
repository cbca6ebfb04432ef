import { Client, createLogger } from '@arq-ts/core'
import type { TaskEnvironment } from '@arq-ts/core'
import { afterAll, describe, expect, test } from 'vitest'
import { CanaryDeployments, CanaryRouter, canaryTasks, createTasks } from '../../src/index.ts'
import { MemoryAliases } from '../support/harness.ts'

/** Nothing listens there: what is refused here is refused before anything is sent. */
const redis = { host: '127.0.0.1', port: 1, lazyConnect: true }
const logger = createLogger({ level: 'silent' })
const aliases = new MemoryAliases()
const client = new Client({ redis, logger })
const router = new CanaryRouter({ redis })
const deployments = new CanaryDeployments({ client, redis, aliases })
const made = canaryTasks({ redis, aliases })
afterAll(async () => {
  for (const each of [router, deployments, client]) await each.close()
  await made.onShutdown?.({} as never)
})

describe('arguments of the task', () => {
  const [task] = made.tasks
  const config = {
    alias: 'products',
    old_collection: 'v1',
    new_collection: 'v2',
    stages: [
      { percentage: 10, duration_minutes: 1 },
      { percentage: 100, duration_minutes: 0 },
    ],
  }
  const stage = (changes: object) => [{ percentage: 10, duration_minutes: 1, ...changes }]

  test.each<[args: unknown[], kwargs: Record<string, unknown>, autoRollback: boolean]>([
    [['canary_1', config], {}, true],
    [['canary_1', config, false], {}, false],
    [['canary_1'], { deployment_config: config, auto_rollback: false }, false],
    [[], { auto_rollback: true, deployment_config: config, deployment_id: 'canary_1' }, true],
  ])('are taken as Python would bind them: %#', (args, kwargs, autoRollback) => {
    expect(task.bind(args, kwargs)).toMatchObject([
      { deployment_id: 'canary_1', deployment_config: { ...config, current_stage: 0 }, auto_rollback: autoRollback },
    ])
  })

  const name = 'Expected 1 to 255 letters, digits, underscores or hyphens'
  test.each<[args: unknown[], kwargs: Record<string, unknown>, message: string]>([
    [[], {}, "missing 2 required arguments: 'deployment_id' and 'deployment_config'"],
    [['canary_1'], {}, "missing 1 required argument: 'deployment_config'"],
    [['canary_1', config, true, 5], {}, 'takes 3 positional arguments but 4 were given'],
    [['canary_1', config], { auto_rolback: true }, "got an unexpected keyword argument 'auto_rolback'"],
    [['', config], {}, '`deployment_id`'],
    [[5, config], {}, '`deployment_id`'],
    [['canary_1', null], {}, '`deployment_config`'],
    [['canary_1', []], {}, '`deployment_config`'],
    [['canary_1', config, 'yes'], {}, '`auto_rollback`'],
    [['canary_1', { ...config, alias: 'a b' }], {}, `\`deployment_config.alias\`: ${name}`],
    [['canary_1', { ...config, alias: undefined }], {}, `\`deployment_config.alias\`: ${name}`],
    [['canary_1', { ...config, old_collection: '' }], {}, `\`deployment_config.old_collection\`: ${name}`],
    [['canary_1', { ...config, new_collection: 'x'.repeat(256) }], {}, '`deployment_config.new_collection`'],
    [['canary_1', { ...config, stages: [] }], {}, '`deployment_config.stages`'],
    [['canary_1', { ...config, stages: stage({ percentage: 101 }) }], {}, '`deployment_config.stages.0.percentage`'],
    [['canary_1', { ...config, stages: stage({ percentage: '10' }) }], {}, '`deployment_config.stages.0.percentage`'],
    [['canary_1', { ...config, stages: stage({ duration_minutes: -1 }) }], {}, 'stages.0.duration_minutes'],
    [['canary_1', { ...config, stages: stage({ duration_minutes: Infinity }) }], {}, 'stages.0.duration_minutes'],
    [['canary_1', { ...config, stages: stage({ error_threshold: 5 }) }], {}, 'stages.0.error_threshold'],
    [['canary_1', { ...config, stages: stage({ latency_threshold: 0 }) }], {}, 'stages.0.latency_threshold'],
    [['canary_1', { ...config, current_stage: -1 }], {}, '`deployment_config.current_stage`'],
    [['canary_1', { ...config, current_stage: 0.5 }], {}, '`deployment_config.current_stage`'],
    [
      ['canary_1', { ...config, current_stage: 2 }],
      {},
      '`deployment_config.current_stage`: Expected one of the 2 stages, counted from 0',
    ],
  ])('are refused otherwise, without another try: %#', (args, kwargs, message) => {
    expect(() => task.bind(args, kwargs)).toThrow(message)
    expect(() => task.bind(args, kwargs)).toThrow(expect.objectContaining({ code: 'ARQ_ARGUMENTS' }))
  })
})

describe('arguments of the router', () => {
  test.each([[{ userId: '' }], [{}], [{ requestId: 5 }], [null], [{ userId: null }]])(
    'the caller %j is refused, whether Redis answers or not',
    async (caller) => {
      const message =
        /^route: (Expected `caller` to be \{ userId \} or \{ requestId \}, got neither|Expected `caller.*` to be )/
      await expect(router.route('products', caller as never)).rejects.toThrow(message)
      const call = () => Promise.resolve('called')
      await expect(router.handle('products', caller as never, call)).rejects.toThrow(message)
    },
  )
  test.each([[''], [undefined], [5]])('the alias %j is refused', async (alias) => {
    await expect(router.route(alias as never, { userId: 'u' })).rejects.toThrow('Expected `alias` to be')
  })
  test.each<[object, string]>([
    [{ latencyMs: Number.NaN }, 'Expected `latencyMs` to be a number of milliseconds, got `NaN`'],
    [{ latencyMs: -1 }, 'Expected `latencyMs` to be at least 0, got `-1`'],
    [{ latencyMs: 1_795_911_066_000 }, 'Expected `latencyMs` to be at most 1000000000, got `1795911066000`'],
    [{ latencyMs: '5' }, 'Expected `latencyMs` to be a number of milliseconds, got `"5"`; pass a number, not a string'],
    [{ isError: undefined }, 'Expected `isError` to be true or false, got `undefined`'],
    [{ shadow: true }, 'Unknown option `shadow`, did you mean `isShadow`?'],
    [{ deploymentId: '' }, 'Expected `deploymentId` to be not empty, got `""`'],
    [{ collection: null }, 'Expected `collection` to be a string that is not empty, got `null`'],
  ])('the request %j is not counted', async (changes, message) => {
    const request = { deploymentId: 'd', collection: 'v2', latencyMs: 5, isError: false, ...changes }
    await expect(router.record(request)).rejects.toThrow(`record: ${message}`)
    await expect(router.record(request)).rejects.toMatchObject({ code: 'ARQ_ARGUMENTS' })
  })
})

describe('options', () => {
  const target =
    'to be a URL such as redis://user:password@host:6379/0 (a password percent-encoded), ioredis options, or an ioredis client, got '
  test.each<[make: (options: never) => unknown, options: unknown, message: string]>([
    [(o) => new CanaryRouter(o), undefined, 'CanaryRouter: Expected an options object'],
    [(o) => new CanaryRouter(o), {}, `CanaryRouter: Expected \`redis\` ${target}\`undefined\``],
    [(o) => new CanaryRouter(o), { redis: 'http://localhost' }, `\`redis\` ${target}`],
    [(o) => new CanaryRouter(o), { redis: '' }, `\`redis\` ${target}`],
    [(o) => new CanaryRouter(o), { redis, keyprefix: 'x' }, 'Unknown option `keyprefix`, did you mean `keyPrefix`?'],
    [(o) => new CanaryRouter(o), { redis, keyPrefix: 5 }, '`keyPrefix` to be a string, got `5`'],
    [(o) => new CanaryRouter(o), { redis, timeoutMs: 0 }, '`timeoutMs` to be at least 1, got `0`'],
    [(o) => new CanaryRouter(o), { redis, timeoutMs: '5' }, '`timeoutMs` to be a number of milliseconds, got `"5"`'],
    [(o) => new CanaryRouter(o), { redis, now: 5 }, '`now` to be a function, got `5`'],
    [(o) => new CanaryDeployments(o), { redis, aliases }, 'CanaryDeployments: Expected `client` to be a Client'],
    [(o) => new CanaryDeployments(o), { redis, client, aliases: {} }, '`aliases` to be an AliasManager'],
    [(o) => new CanaryDeployments(o), { redis, client, aliases: null }, '`aliases` to be an AliasManager'],
    [(o) => canaryTasks(o), { redis }, 'canaryTasks: Expected `aliases` to be an AliasManager'],
    [
      (o) => canaryTasks(o),
      { redis, aliases, rules: { minSample: 5 } },
      'Unknown option `rules.minSample`, did you mean',
    ],
    [(o) => canaryTasks(o), { redis, aliases, rules: { onNoTraffic: 'wait' } }, "'hold' or 'proceed' or 'fail'"],
    [(o) => canaryTasks(o), { redis, aliases, logger: {} }, '`logger` to be a logger'],
  ])('are refused: %#', (make, options, message) => {
    expect(() => make(options as never)).toThrow(message)
    expect(() => make(options as never)).toThrow(expect.objectContaining({ code: 'ARQ_INVALID_OPTIONS' }))
  })

  const environment: TaskEnvironment = { redis, keyPrefix: '', folder: '.', queueName: 'q', logger }
  test.each<[options: unknown, message: string]>([
    [{ uri: 'x' }, '@arq-ts/canary: Unknown option `uri`'],
    [{ url: 'redis://localhost' }, 'Expected `url` to be a URL such as http://localhost:6333'],
    [{ apiKey: '' }, 'Expected `apiKey` to be not empty'],
    [{ timeoutMs: '5' }, 'Expected `timeoutMs` to be a number of milliseconds, got `"5"`'],
    [{ minSamples: 0 }, 'Expected `minSamples` to be at least 1, got `0`'],
    [{ holdMinutes: -1 }, 'Expected `holdMinutes` to be at least 0, got `-1`'],
    [{ baseline: { maxLatencyRatio: 0.5 } }, 'Expected `baseline.maxLatencyRatio` to be at least 1, got `0.5`'],
    [5, '@arq-ts/canary: Expected an options object'],
  ])('of the configuration: %j', async (options, message) => {
    await expect(async () => createTasks(options, environment)).rejects.toThrow(message)
  })

  test('of the configuration may be left out', async () => {
    const { onShutdown, tasks } = await createTasks(undefined, environment)
    expect(tasks.map((task) => task.name)).toEqual(['run_canary_deployment', 'notify_canary'])
    await onShutdown?.({} as never)
  })
})

describe('a deployment', () => {
  test.each<[alias: unknown, collection: unknown, message: string]>([
    ['a b', 'v2', 'Expected `alias` to be 1 to 255 letters'],
    [5, 'v2', 'Expected `alias` to be 1 to 255 letters'],
    ['products', '', 'Expected `newCollection` to be 1 to 255 letters'],
    ['products', null, 'Expected `newCollection` to be 1 to 255 letters'],
  ])('of %j to %j is not started', async (alias, collection, message) => {
    await expect(deployments.startCanary(alias as string, collection as string)).rejects.toThrow(message)
  })
  test.each<[object]>([[{ limit: 0 }], [{ limit: 1.5 }], [{ limits: 5 }]])('is not listed by %j', async (options) => {
    await expect(deployments.history(options)).rejects.toMatchObject({ code: 'ARQ_INVALID_OPTIONS' })
  })
})
