import { checkOptions } from '@arq-ts/core'
import type { SandboxStats, Worker, WorkerEvents } from '@arq-ts/core'
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import { z } from 'zod'
import type { ReadMetric } from './ended-totals.ts'
import { Labels } from './labels.ts'

/** Functions of other workers that get a label of their own. */
const MAX_ENQUEUED = 50
const QUEUE_FUNCTION = ['queue', 'function'] as const
const OUTCOMES: readonly WorkerEvents['jobFinished'][0]['outcome'][] = ['complete', 'failed', 'aborted']
/** Seconds: from a no-op to an hour. */
const RUN_BUCKETS = [0.005, 0.02, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3_600]
const WAIT_BUCKETS = [0.005, 0.02, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3_600]

type SandboxNumbers = Omit<SandboxStats, 'kind'>

const schema = z.strictObject({
  worker: z.custom<Worker>(
    (value) => typeof (value as { describe?: unknown } | null)?.describe === 'function',
    'Expected a Worker of @arq-ts/core',
  ),
})

/** Prometheus metrics of one worker, from its events. */
export class WorkerMetrics {
  readonly registry = new Registry()

  /** @throws OptionsError */
  constructor(worker: Worker) {
    checkOptions('WorkerMetrics', schema, { worker })
    const registers = [this.registry]
    collectDefaultMetrics({ register: this.registry, prefix: 'arq_' })
    const counter = <const L extends readonly string[]>(name: string, help: string, labelNames: L) =>
      new Counter<L[number]>({ name, help, labelNames, registers })
    const { queues, functions } = worker.describe()
    const names = new Labels(functions)
    // Handlers enqueue functions of other workers too, and into their queues.
    const enqueuedNames = new Labels(functions, MAX_ENQUEUED)
    const queueNames = new Labels(queues, MAX_ENQUEUED)
    const about = (event: { queueName: string; functionName: string }) => ({
      queue: queueNames.of(event.queueName),
      function: names.of(event.functionName),
    })

    const enqueued = counter(
      'arq_jobs_enqueued_total',
      'Jobs enqueued by this worker: by handlers and cron.',
      QUEUE_FUNCTION,
    )
    const started = counter('arq_jobs_started_total', 'Runs begun.', QUEUE_FUNCTION)
    const finished = counter('arq_jobs_finished_total', 'Jobs ended, by outcome.', ['queue', 'function', 'outcome'])
    const retried = counter('arq_jobs_retried_total', 'Runs that ended in another try.', QUEUE_FUNCTION)
    const released = counter('arq_jobs_released_total', 'Jobs handed back uncounted.', ['queue', 'function', 'reason'])
    const dead = counter('arq_jobs_dead_total', 'Jobs that became dead letters.', QUEUE_FUNCTION)
    const abandoned = counter(
      'arq_jobs_abandoned_total',
      'Handlers that ignored their signal past the grace.',
      QUEUE_FUNCTION,
    )
    const lost = counter('arq_leases_lost_total', 'Runs whose lease another worker took.', QUEUE_FUNCTION)
    const redisLost = counter('arq_redis_connections_lost_total', 'Times the connection to Redis was lost.', [])
    const run = new Histogram({
      name: 'arq_job_run_seconds',
      help: 'How long runs took that ended their job.',
      labelNames: QUEUE_FUNCTION,
      buckets: RUN_BUCKETS,
      registers,
    })
    const wait = new Histogram({
      name: 'arq_job_wait_seconds',
      help: 'How long past their due time jobs waited for their start.',
      labelNames: QUEUE_FUNCTION,
      buckets: WAIT_BUCKETS,
      registers,
    })
    const inFlight = new Gauge({
      name: 'arq_jobs_in_flight',
      help: 'Jobs at work.',
      registers: [],
      collect() {
        this.set(worker.describe().counters.ongoing)
      },
    })
    this.registry.registerMetric(inFlight)
    const faults = new Counter({
      name: 'arq_redis_faults_total',
      help: 'Times that a key of a wrong type or a value that is none stopped a job or a call, by the kind of key.',
      labelNames: ['key'],
      registers: [],
      collect() {
        this.reset()
        for (const [key, count] of worker.faults) this.inc({ key }, count)
      },
    })
    this.registry.registerMetric(faults)
    this.#addSandboxes(worker)

    // A series that first shows at 1 has no increase to alert on.
    for (const queue of queues) {
      for (const name of functions) {
        const labels = { queue, function: name }
        for (const each of [enqueued, started, retried, dead, abandoned, lost]) each.inc(labels, 0)
        for (const outcome of OUTCOMES) finished.inc({ ...labels, outcome }, 0)
        released.inc({ ...labels, reason: 'shutdown' }, 0)
      }
    }

    worker.on('jobEnqueued', (event) =>
      enqueued.inc({ queue: queueNames.of(event.queueName), function: enqueuedNames.of(event.functionName) }),
    )
    worker.on('jobStarted', (event) => {
      started.inc(about(event))
      wait.observe(about(event), Math.max(0, event.waitMs) / 1_000)
    })
    worker.on('jobFinished', (event) => {
      finished.inc({ ...about(event), outcome: event.outcome })
      run.observe(about(event), event.runMs / 1_000)
    })
    worker.on('jobRetried', (event) => retried.inc(about(event)))
    worker.on('jobReleased', (event) => released.inc({ ...about(event), reason: event.reason }))
    worker.on('deadLettered', (event) => dead.inc(about(event)))
    worker.on('jobAbandoned', (event) => abandoned.inc(about(event)))
    worker.on('leaseLost', (event) => lost.inc(about(event)))
    worker.on('redisDown', () => redisLost.inc())
  }

  /** Nothing where no task has a sandbox. */
  #addSandboxes(worker: Worker): void {
    if (worker.sandboxes.size === 0) return
    const add = (Kind: typeof Gauge | typeof Counter, name: string, help: string, of: keyof SandboxNumbers) =>
      this.registry.registerMetric(
        new Kind({
          name,
          help,
          labelNames: ['function'],
          registers: [],
          collect() {
            this.reset()
            for (const [task, stats] of worker.sandboxes) this.inc({ function: task }, stats[of])
          },
        }),
      )
    add(Gauge, 'arq_sandbox_size', 'Processes or threads of a sandboxed task.', 'size')
    add(Gauge, 'arq_sandbox_busy', 'Processes or threads of a sandboxed task that run a job.', 'busy')
    add(Gauge, 'arq_sandbox_waiting', 'Jobs that wait for a process or thread.', 'waiting')
    add(Counter, 'arq_sandbox_recycled_total', 'Processes or threads replaced after `recycleAfter` jobs.', 'recycled')
    add(Counter, 'arq_sandbox_died_total', 'Processes or threads that died or were killed.', 'died')
  }

  /** Everything, as data that `AggregatorRegistry.aggregate` adds up over processes. */
  async read(): Promise<ReadMetric[]> {
    return (await this.registry.getMetricsAsJSON()) as unknown as ReadMetric[]
  }
}
