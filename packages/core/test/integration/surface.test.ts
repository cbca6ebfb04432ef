import * as values from '@arq-ts/protocol/values'
import { takeDatabase, unrefusedOf } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { afterAll, beforeAll, expect, test } from 'vitest'
import * as client from '../../src/client/index.ts'
import * as config from '../../src/config/index.ts'
import * as taskKit from '../../src/task-kit.ts'
import * as core from '../../src/index.ts'
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

const task = core.defineTask({ name: 'f', handler: () => 1 })
const flow = core.flow('surface')
flow.call(task, [])
const DAY = 86_400_000

/** Arguments of every function and method, of which each is replaced by wrong ones. */
const accepted = {
  Client: [
    {
      redis: { host: 'localhost', port: 1 },
      queueName: 'q',
      keyPrefix: '',
      codec: 'json',
      commandTimeoutMs: 5,
      logLevel: 'silent',
    },
  ],
  'Client.enqueue': [
    'f',
    [1],
    { jobId: 'surface-1', queueName: 'q', deferByMs: 5, expiresMs: DAY, jobTry: 1, kwargs: { a: 1 } },
  ],
  'Client.enqueueMany': [[]],
  'Client.job': ['surface', { queueName: 'q' }],
  'Client.queuedJobs': [{ queueName: 'q' }],
  'Client.start': [flow, { flowId: 'surface' }],
  'CronJobs.pause': ['surface', { actor: 'test' }],
  'CronJobs.resume': ['surface', { actor: 'test' }],
  'DeadLetters.get': ['surface'],
  'DeadLetters.list': [
    { jobIds: ['a'], functionName: 'f', queueName: 'q', error: 'x', olderThanMs: 1, offset: 1, limit: 1 },
  ],
  'DeadLetters.purge': [{ functionName: 'f', queueName: 'q', error: 'x', olderThanMs: 1 }],
  'DeadLetters.retry': [{ functionName: 'f', queueName: 'q' }, { delayMs: 1 }],
  'DeadLetters.summaries': [{ functionName: 'f', queueName: 'q' }],
  'Doctor.examine': [{ queues: ['q'], known: ['q'], limit: 1, scanKeys: 1 }],
  'Flows.get': ['surface'],
  'Flows.list': [{ limit: 1 }],
  'Schedules.list': [{ after: 'a', limit: 1 }],
  'History.audit': [{ before: '1-0', limit: 1 }],
  'History.errors': [{ state: 'new', limit: 1 }],
  'History.events': [{ after: '1-0', before: '2-0', limit: 1 }],
  'History.heatmap': [{ of: 'run', fromMs: 1, toMs: 2, stepMs: 1, queue: 'q', queues: ['q'] }],
  'History.log': ['surface', { after: '1-0', limit: 1 }],
  'History.recent': [{ limit: 1, functionName: 'f', outcome: 'complete' }],
  'History.series': [{ metric: 'complete', fromMs: 1, toMs: 2, stepMs: 1 }],
  'History.setErrorState': ['surface', 'resolved'],
  'History.totals': [{ fromMs: 1, toMs: 2, queue: 'q', function: 'f', language: 'python' }],
  'Job.abort': [{ timeoutMs: 0 }],
  'Job.events': [{ from: 'start', after: '1-0', signal: AbortSignal.timeout(60_000) }],
  'Job.result': [{ timeoutMs: 0 }],
  'Jobs.count': [['q'], { dead: true }],
  'Jobs.details': ['surface', { queueName: 'q' }],
  'Jobs.explain': ['surface', { queueName: 'q' }],
  'Jobs.list': [
    {
      queueNames: ['q'],
      everyQueue: true,
      statuses: ['queued'],
      functionName: 'f',
      text: 'x',
      olderThanMs: 1,
      onProgress: () => {},
    },
  ],
  'Jobs.move': ['q', 'r', ['a']],
  'Jobs.page': [{ queueNames: ['q'], statuses: ['queued'], fits: () => true, limit: 1, budget: 1 }],
  'Jobs.queuesOf': [['a'], { among: ['q'] }],
  'Jobs.remove': ['surface', { queueName: 'q', force: true }],
  'Jobs.removeMany': ['q', ['a'], { force: true }],
  'Jobs.requestAbort': ['surface', { queueName: 'q' }],
  'Jobs.retry': ['surface', { delayMs: 1 }],
  'Jobs.runNow': ['q', ['a']],
  'Jobs.traceContext': ['surface'],
  'Limits.clear': ['surface', { key: 'k' }],
  'Limits.get': ['surface', { key: 'k' }],
  'Limits.set': ['surface', { key: 'k', concurrency: 1, rate: { count: 1, perMs: 1_000, burst: 1 } }],
  'Queues.discover': [{ known: ['q'], scanKeys: 1, scanMs: 1, only: 'served' }],
  'Queues.dueBy': ['q', [1]],
  'Queues.names': [{ known: ['q'], scanKeys: 1, scanMs: 1, only: 'waiting' }],
  'Queues.purge': ['surface', { all: true, onProgress: () => {} }],
  'Queues.statsOf': [['q']],
  'Queues.unreadable': [['q']],
  'Reversals.peek': ['q', []],
  'Reversals.places': ['q', ['a']],
  'Reversals.reschedule': ['q', []],
  'Reversals.takeOut': ['q', [], { keep: true }],
  'Schedules.put': [
    'surface',
    { everyMs: DAY, task: 'f', kwargs: { a: 1 }, overlap: 'skip', missed: 'skip', codec: 'json', queueName: 'q' },
  ],
  TaskQueueManager: [{ max_jobs: 1, job_timeout: 5, queue_name: 'q' }, { logger: silent }],
  'TaskQueueManager.cancelJob': ['surface', { queueName: 'q' }],
  'TaskQueueManager.enqueue': ['f', [1], { jobId: 'surface-2', delayMs: 5, queueName: 'q' }],
  'TaskQueueManager.getJobStatus': ['surface', { queueName: 'q' }],
  'TaskQueueManager.listDeadLetters': [{ queueName: 'q', offset: 1, limit: 1 }],
  'TaskQueueManager.purgeDeadLetters': [{ functionName: 'f' }],
  'TaskQueueManager.retryDeadLetters': [{ functionName: 'f' }, { delayMs: 1 }],
  'TaskQueueManager.retryJob': ['surface', { delayMs: 1 }],
  Worker: [
    {
      redis: { host: 'localhost', port: 1 },
      tasks: [task],
      queueName: 'q',
      maxJobs: 1,
      jobTimeoutMs: 5,
      retry: { delayMs: 5, jitter: 0.5 },
      deadLetter: { maxAgeMs: 5 },
      recorder: { intervalMs: 5_000 },
      handleSignals: false,
      logger: silent,
    },
  ],
  'Workers.fleet': [['q']],
  createLogger: [{ level: 'silent', name: 'x', pretty: false }],
  cron: [
    'cron:f',
    '0 2 * * *',
    () => {},
    { timeZone: 'UTC', runAtStartup: true, overlap: 'skip', timeoutMs: 5, maxTries: 1 },
  ],
  defineContract: [{ name: 'f' }],
  defineTask: [
    {
      name: 'f',
      handler: () => 1,
      maxTries: 1,
      timeoutMs: 5,
      keepResultMs: 5,
      retry: { delayMs: 5 },
      record: { logs: true },
    },
  ],
  flow: ['surface', { onUnknown: 'fail', keepMs: 5 }],
  implement: [core.defineContract({ name: 'f' }), () => 1, { maxTries: 1, timeoutMs: 5 }],
  jobLogging: [{ logger: silent, logArguments: false, logResults: false }],
  loadConfig: [{ env: { PATH: 'x' }, flags: { max_jobs: 5 }, envPrefix: 'X_', cwd: '/nowhere' }],
  defineScript: ['return 1'],
  openRedis: ['redis://localhost:1', { maxRetriesPerRequest: 1 }],
  pythonTask: [{ name: 'f', codec: 'pickle' }],
}

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
      'CronJobs.list': NONE,
      'History.functions': NONE,
      'Limits.list': NONE,
      'Queues.paused': NONE,
      'Workers.list': NONE,
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
      'Worker.describe': NONE,
      'Worker.stop': NONE,
      workerOptionsOf: LATER,
    },
  })
  await manager.cleanup()
  await worker.stop()
  expect(unrefused).toEqual([])
})
