import * as values from '@arq-ts/protocol/values'
import { takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { afterAll, beforeAll, expect, test } from 'vitest'
import * as client from '../../src/client/index.ts'
import * as config from '../../src/config/index.ts'
import * as core from '../../src/index.ts'
import { unrefusedOf } from '../support/refusals.ts'
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

test('every exported function, constructor and method refuses what it cannot use, or is listed with a reason', async () => {
  const all: Record<string, unknown> = { ...core, ...client, ...config }
  // Python's values are held by the protocol's own test of refusals.
  const exports = Object.fromEntries(Object.entries(all).filter(([name]) => !(name in values)))
  const unrefused = await unrefusedOf({
    exports,
    instances: {
      Client: ours,
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
      Workers: ours.workers,
    },
    accepted: {
      'Client.enqueue': ['f'],
      'Client.job': ['surface', {}],
      'Doctor.examine': [{}],
      'History.log': ['surface', {}],
      'Jobs.details': ['surface', {}],
      'Limits.get': ['surface', {}],
      'Limits.set': ['surface', { concurrency: 1 }],
      'Queues.purge': ['surface', { all: true }],
    },
    passed: {
      ...Object.fromEntries(
        [
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
      'Client.allJobResults': NONE,
      'Client.close': NONE,
      'Client.now': NONE,
      'DeadLetters.count': NONE,
      'Doctor.examineServer': NONE,
      'Doctor.takeDamagedKeys': NONE,
      'Job.info': NONE,
      'Job.resultInfo': NONE,
      'Job.status': NONE,
      'Queues.namesBy': INTERNAL,
      'History.writeAudit': 'stores any entry: what an act is about differs',
      'History.cron': NONE,
      'History.functions': NONE,
      'Limits.list': NONE,
      'Queues.paused': NONE,
      'Schedules.list': NONE,
      'Workers.list': NONE,
      checkOptions: LATER,
      clientOptionsOf: LATER,
      configJsonSchema: NONE,
      containsText: PURE,
      cronOf: PURE,
      errorFingerprint: PURE,
      groupDead: PURE,
      maskSetting: LATER,
      measureCommands: LATER,
      normaliseError: PURE,
      queueNamesOf: LATER,
      redisOptionsOf: LATER,
      repr: PURE,
      spanText: PURE,
      TaskQueueManager: LATER,
      ticksBetween: PURE,
      Worker: LATER,
      workerOptionsOf: LATER,
    },
  })
  expect(unrefused).toEqual([])
})
