import { unrefusedOf } from '@arq-ts/test-support'
import { expect, test } from 'vitest'
import * as all from '../../src/index.ts'
import { logger, MemoryAliases, useHarness } from '../support/harness.ts'

const bench = useHarness()
const NONE = 'takes no arguments'
const ANY = Object.fromEntries(
  [
    'null',
    'a symbol',
    'NaN',
    'a promise of it',
    'a promise of another realm',
    'an instance of a class',
    '5',
    'true',
  ].map((label) => [label, 'is an answer without ids']),
)
const CALLER = { 'a symbol among the names': 'is a caller, of whom one field is read, for each request' }
const COMPARES_NOTHING = 'compares with nothing'
const ranked = () => ({ ctr: 1 })
const stages = [
  { percentage: 5, durationMinutes: 1, errorThreshold: 0.1, latencyThreshold: 5, shadow: 1, approval: true },
]
const rules = {
  minSamples: 1,
  minObservedShare: 0.5,
  failureLimit: 1,
  initialDelayMinutes: 1,
  inconclusive: 'hold',
  holdMinutes: 1,
  baseline: { maxErrorRateIncrease: 0.1, maxLatencyRatio: 2, minLatencyIncreaseMs: 5 },
  guards: [{ metric: 'ctr', min: 0, max: 1, maxDropFromOld: 0.1 }],
  notify: [{ url: 'http://localhost/hook', on: ['failed'] }],
  dryRun: true,
}
const caller = { userId: 'u' }
const call = async () => []

test('every exported function, constructor and method refuses wrong arguments, or is listed with a reason', async () => {
  const redis = bench.database().url
  const aliases = new MemoryAliases()
  const client = bench.client()
  const environment = { redis, keyPrefix: '', folder: '.', queueName: 'q', logger }
  const settings = { url: 'http://localhost:6333', apiKey: 'x', timeoutMs: 5, keyPrefix: '', lockMs: 500, ...rules }
  const byId = Object.fromEntries(
    ['status', 'details', 'pause', 'resume', 'approve', 'promote'].map((name) => [`CanaryDeployments.${name}`, ['d']]),
  )
  const unrefused = await unrefusedOf({
    exports: {
      ...all,
      // The worker itself passes their second argument.
      createTasks: (options: unknown) => all.createTasks(options, environment),
      createMetrics: (options: unknown) => all.createMetrics(options, environment),
      createDeployments: (options: unknown) => all.createDeployments(options, { ...environment, client }),
    },
    instances: { CanaryRouter: bench.router(), CanaryDeployments: bench.deployments(aliases) },
    accepted: {
      CanaryRouter: [{ redis, keyPrefix: '', timeoutMs: 5_000, now: Date.now }],
      'CanaryRouter.route': ['products', caller],
      'CanaryRouter.record': [
        { deploymentId: 'd', collection: 'v2', latencyMs: 5, isError: false, isShadow: false, values: { ctr: 1 } },
      ],
      'CanaryRouter.handle': ['products', caller, call, { values: ranked }],
      'CanaryRouter.shadow': ['products', caller, call, { share: 5, compare: ranked, maxInFlight: 1, values: ranked }],
      'CanaryRouter.metrics': ['d', 'v2', 0],
      'CanaryRouter.getRoute': ['products'],
      CanaryDeployments: [{ client, redis, aliases, keyPrefix: '', now: Date.now }],
      ...byId,
      'CanaryDeployments.startCanary': ['products', 'v2', { stages, autoRollback: true, ...rules }],
      'CanaryDeployments.rollback': ['d', 'looks odd'],
      'CanaryDeployments.list': [{ limit: 1, active: true }],
      'CanaryDeployments.history': [{ limit: 1 }],
      canaryTasks: [{ redis, aliases, rules, keyPrefix: '', lockMs: 500, notifySecret: 'x'.repeat(16), now: Date.now }],
      createTasks: [settings],
      createMetrics: [settings],
      createDeployments: [settings],
      bucketOf: ['products', 'u'],
      compareRankings: [[1], [1], 10],
      signatureOf: ['secret', 1, 'body'],
    },
    data: ['redis', 'aliases', 'client', 'logger', 'values', 'compareRankings(0)', 'compareRankings(1)'],
    right: {
      'compareRankings(0)': ANY,
      'compareRankings(1)': ANY,
      'CanaryRouter.route(1)': CALLER,
      'CanaryRouter.handle(1)': CALLER,
      'CanaryRouter.shadow(1)': CALLER,
      'CanaryDeployments.startCanary': { '`baseline` as null': COMPARES_NOTHING },
      canaryTasks: { '`rules` as `baseline` as null': COMPARES_NOTHING },
      ...Object.fromEntries(
        ['createTasks', 'createMetrics', 'createDeployments'].map((name) => [
          name,
          { null: 'is an empty `with`', '`baseline` as null': COMPARES_NOTHING },
        ]),
      ),
    },
    passed: {
      'CanaryRouter.close': NONE,
      'CanaryDeployments.active': NONE,
      'CanaryDeployments.metrics': NONE,
      'CanaryDeployments.close': NONE,
    },
  })
  expect(unrefused).toEqual([])
})
