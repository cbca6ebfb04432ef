import { createLogger } from '../../src/index.ts'
import * as core from '../../src/index.ts'
import { methodsOf } from '@arq-ts/test-support'

const silent = createLogger({ level: 'silent' })
/** A task that does nothing. */
export const task = core.defineTask({ name: 'f', handler: () => 1 })
const flow = core.flow('surface')
const member = flow.call(task, [])
const DAY = 86_400_000

/** Arguments of every function and method, of which each is replaced by wrong ones. */
export const accepted: Readonly<Record<string, readonly unknown[]>> = {
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

/** Methods that take no arguments. */
export const withoutArguments: readonly string[] = [
  'CronJobs.list',
  'Client.allJobResults',
  'Client.now',
  'DeadLetters.count',
  'Doctor.examineServer',
  'Doctor.takeDamagedKeys',
  'Job.info',
  'Job.resultInfo',
  'Job.status',
  'History.cron',
  'History.functions',
  'Limits.list',
  'Queues.paused',
  'Workers.list',
  'Worker.describe',
]

const remains = {
  jobId: 'surface-3',
  score: '1',
  payload: null,
  payloadMs: 0,
  tries: null,
  result: null,
  resultMs: 0,
  deadScore: null,
  letterMs: 0,
  letter: [],
}

/** Arguments of methods that take something else than a name. */
const further: Readonly<Record<string, readonly unknown[]>> = {
  'Doctor.repair': [{ check: 'missing-payload', queueName: 'q', jobIds: ['surface'] }],
  'History.setErrorState': ['surface', 'resolved'],
  'History.writeAudit': [{ actor: 'test', action: 'look', resource: 'surface' }],
  'Job.events': [{ signal: AbortSignal.timeout(1) }],
  'Reversals.keep': ['plan', 'surface', 'text', { ttlMs: 1_000, limitBytes: 1_000_000 }],
  'Reversals.putBack': ['q', remains],
  'Reversals.read': ['plan', 'surface'],
  'Reversals.take': ['plan', 'surface'],
  'Workers.listen': [() => {}],
  'Flows.start': [flow, {}],
  'FlowRun.cancel': [],
  'FlowRun.replay': [{ only: 'failed' }],
  'FlowRun.status': [],
  'FlowRun.result': [{ timeoutMs: 0 }],
  'FlowRun.resultOf': [member, { timeoutMs: 0 }],
}

type Methods = Readonly<Record<string, (...args: unknown[]) => unknown>>

/**
 * A call of each public method of these instances, by `Class.method`: a new method is called without being listed. Those
 * that open or close, and those that only core calls, are left out.
 */
export function publicCalls(instances: Readonly<Record<string, object>>): Record<string, () => Promise<unknown>> {
  const calls: Record<string, () => Promise<unknown>> = {}
  for (const [name, instance] of Object.entries(instances)) {
    for (const method of methodsOf(instance.constructor)) {
      const full = `${name}.${method}`
      if (/^(close|stop|run|initialize|cleanup|enqueueBy|namesBy|joined)$/.test(method)) continue
      const args = further[full] ?? accepted[full] ?? (withoutArguments.includes(full) ? [] : ['surface'])
      calls[full] = async () => {
        const made = (instance as Methods)[method]!(...args)
        const isIterator = typeof made === 'object' && made !== null && Symbol.asyncIterator in made
        return isIterator ? (made as AsyncGenerator).next() : made
      }
    }
  }
  return calls
}
