import * as values from '@arq-ts/protocol/values'
import { takeDatabase, unrefusedOf } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { afterAll, beforeAll, expect, test } from 'vitest'
import * as client from '../../src/client/index.ts'
import * as config from '../../src/config/index.ts'
import * as taskKit from '../../src/task-kit.ts'
import * as core from '../../src/index.ts'
import { accepted, task, withoutArguments } from '../support/public-calls.ts'
import { silent } from './support.ts'

let database: Database
let ours: core.Client

beforeAll(async () => {
  database = await takeDatabase()
  ours = new core.Client({ redis: database.url, logger: silent })
})
afterAll(async () => {
  await ours.close()
  await database.release()
})

const MADE = 'made by the client'
const PURE = 'a pure function over what the client returns'
const INTERNAL = 'called by core alone'
const NONE = 'takes no arguments'
const LATER = 'checked by tests of its own, which call it with what it needs'

const LIFTS = 'lifts the bound'
const OUTCOME = 'each item has an outcome of its own'
const ANY = 'any value is accepted: it is data'
/** Wrong values that are right at one place. */
const right = {
  'Client.enqueue(1)': { 'an array of numbers': ANY, 'an array of nulls': ANY },
  'TaskQueueManager.enqueue(1)': { 'an array of numbers': ANY, 'an array of nulls': ANY },
  'Client.enqueueMany': { 'an array of numbers': OUTCOME, 'an array of nulls': OUTCOME },
  'Limits.set': { '`concurrency` as null': LIFTS, '`rate` as null': LIFTS },
  'CronJobs.pause': { '`actor` as null': 'nobody is named' },
  'CronJobs.resume': { '`actor` as null': 'nobody is named' },
  'Queues.dueBy': { 'an array of numbers': 'times are numbers' },
  Client: { '`redis` as a string': 'is a host name' },
  Worker: {
    '`redis` as a string': 'is a host name',
    '`retry` as `jitter` as true': 'is the usual share',
    '`recorder` as true': 'is the default',
  },
  'Reversals.places(0)': { null: 'means the dead letters' },
}

test('every exported function, constructor and method refuses wrong arguments, or is listed with a reason', async () => {
  const all: Record<string, unknown> = { ...core, ...client, ...config, ...taskKit }
  // Python's values are held by the protocol's own test of refusals.
  const exports = Object.fromEntries(Object.entries(all).filter(([name]) => !(name in values)))
  const manager = new core.TaskQueueManager({ redis_url: database.url, redis_database: undefined }, { logger: silent })
  await manager.initialize()
  const worker = new core.Worker({ redis: database.url, tasks: [task], logger: silent, handleSignals: false })
  const unrefused = await unrefusedOf({
    exports,
    instances: {
      Client: ours,
      CronJobs: ours.cron,
      DeadLetters: ours.deadLetters,
      Doctor: ours.doctor,
      Flows: ours.flows,
      History: ours.history,
      Job: ours.job('surface'),
      Jobs: ours.jobs,
      Limits: ours.limits,
      Queues: ours.queues,
      Reversals: ours.reversals,
      Schedules: ours.schedules,
      TaskQueueManager: manager,
      Worker: worker,
      Workers: ours.workers,
    },
    accepted,
    right,
    data: ['kwargs', 'redis', 'env', 'flags', 'implement(0)'],
    passed: {
      ...Object.fromEntries(withoutArguments.map((name) => [name, NONE])),
      'Client.enqueueBy': INTERNAL,
      'TaskQueueManager.initialize': NONE,
      'TaskQueueManager.cleanup': NONE,
      ...Object.fromEntries(
        [
          'CronJobs',
          'DeadLetters',
          'Doctor',
          'FlowRun',
          'Flows',
          'History',
          'Job',
          'Jobs',
          'Limits',
          'Queues',
          'Reversals',
          'Schedules',
          'Workers',
        ].map((name) => [name, MADE]),
      ),
      'Client.close': NONE,
      'Queues.namesBy': INTERNAL,
      'History.writeAudit': 'stores any entry: what an act is about differs',
      checkOptions: LATER,
      clientOptionsOf: LATER,
      configJsonSchema: NONE,
      taskQueueDefaults: NONE,
      containsText: PURE,
      cronOf: PURE,
      errorFingerprint: PURE,
      groupDead: PURE,
      maskSetting: LATER,
      measureCommands: LATER,
      normaliseError: PURE,
      openTelemetry: NONE,
      queueNamesOf: LATER,
      redisOptionsOf: LATER,
      repr: PURE,
      spanText: PURE,
      ticksBetween: PURE,
      'Worker.stop': NONE,
      workerOptionsOf: LATER,
    },
  })
  await manager.cleanup()
  await worker.stop()
  expect(unrefused).toEqual([])
})
