import { RedisUnavailableError } from '../errors.ts'
import { CronJobs } from '../fleet/cron-jobs.ts'
import { Doctor } from '../queues/doctor.ts'
import type { JobEvent } from '../fleet/events.ts'
import { DeadLetters } from '../jobs/dead-letter-collection.ts'
import { Jobs } from '../jobs/jobs.ts'
import { Workers } from '../fleet/workers.ts'
import { Reversals } from '../jobs/reversals.ts'
import { Job, toJobInfo, toJobResult } from '../jobs/job.ts'
import type { JobInfo, JobResult } from '../jobs/job.ts'
import { checkArray, checkMethodOptions, checkName, methodSchemas } from '../options/arguments.ts'
import type { ClientOptions } from '../options/client.ts'
import { checkEnqueueOptions } from '../options/enqueue.ts'
import type { EnqueueOptions } from '../options/enqueue.ts'
import { decodeJob, decodeResult, encodeJob, readable } from '@arq-ts/protocol/jobs'
import type { CodecName, JobRecord } from '@arq-ts/protocol/jobs'
import type { EnqueueCall } from '../redis/broker.ts'
import { Flows } from '../flows/flows.ts'
import type { Flow, FlowRun } from '../flows/flows.ts'
import { Limits } from '../limits/limits.ts'
import { enqueueWithin } from '../middleware/enqueue-side.ts'
import type { EnqueueWithin, Metadata } from '../middleware/enqueue-side.ts'
import type { Enqueued } from '../middleware/middleware.ts'
import { Queues } from '../queues/queues.ts'
import { History } from '../recorder/history.ts'
import type { RedisContext } from '../redis/context.ts'
import { newJobId } from './job-ids.ts'
import { Schedules } from '../schedules/schedules.ts'
import type { UniqueOutcome, UniqueRules } from '../redis/unique-jobs.ts'
import { isSerial, rulesOf } from '../unique/unique.ts'
import type { AnyContract, EmittedOf, InputOf, ResultOf } from '../tasks/contract.ts'
import { dueOf, functionNameOf, packCall } from './packing.ts'
import { openLink, SharedContext } from './parts.ts'
import { withOpenTelemetry } from '../telemetry/open-telemetry.ts'

/** Outcome of one item of `enqueueMany`. */
export type EnqueueOutcome<Result = unknown, Emitted = unknown> =
  | { status: 'queued'; job: Job<Result, Emitted> }
  /** The id is queued, running or has a kept result; `job` is the one that has it. */
  | { status: 'duplicate'; job: Job<Result, Emitted> }
  /** The arguments or options of this item are wrong, or Redis refused it. */
  | { status: 'failed'; error: Error }

/** The arguments of one `enqueue`, for `enqueueMany`. */
export type EnqueueItem<T> = readonly [
  task: T,
  input?: T extends AnyContract ? InputOf<T> : readonly unknown[],
  options?: EnqueueOptions,
]

/** The arguments of `enqueue` behind the task. */
export type EnqueueRest<T, Options = EnqueueOptions> = T extends AnyContract
  ? [input: InputOf<T>, options?: Options]
  : [args?: readonly unknown[], options?: Options]

type OutcomeOf<T> = EnqueueOutcome<T extends AnyContract ? ResultOf<T> : unknown, EmittedOf<T>>

/**
 * Enqueues jobs and asks after them; arq's `ArqRedis`.
 *
 * ```ts
 * const client = new Client({ redis: 'redis://localhost:6379/1' })
 * const job = await client.enqueue(resize, { path: 'a.png' })
 * await job?.result({ timeoutMs: 10_000 })
 * await client.close()
 * ```
 *
 * It connects at once, reconnects for ever, and each call waits for Redis up to `commandTimeoutMs`.
 */
export class Client {
  /** Queue for jobs that name none. */
  readonly queueName: string
  readonly codec: CodecName
  /** Jobs of both languages: lists, details, retries, removals. */
  readonly jobs: Jobs
  /** Jobs that failed for good and are kept. */
  readonly deadLetters: DeadLetters
  /** Live workers, their health and their events. */
  readonly workers: Workers
  /** Queues as a whole: numbers, pause and resume, purge. */
  readonly queues: Queues
  /** Problems of the fleet, and their repair. */
  readonly doctor: Doctor
  /** Recordings of workers: counts and durations over time, errors, recent jobs, events. */
  readonly history: History
  /** Limits at run time: read, set, clear. */
  readonly limits: Limits
  /** Runs of flows: list them, find one again. */
  readonly flows: Flows
  /** Cron jobs of the fleet: list, pause, resume. */
  readonly cron: CronJobs
  /** Schedules at run time: put, list, pause, run now, remove. */
  readonly schedules: Schedules
  /** Acts on jobs as they were seen, which can be undone. */
  readonly reversals: Reversals
  readonly #link: RedisContext
  readonly #batcher: ReturnType<RedisContext['newBatcher']>
  readonly #ownsLink: boolean
  readonly #onEnqueued: ((job: JobEvent) => void) | undefined
  /** Gives undefined while no middleware surrounds what is enqueued. */
  readonly #within: () => EnqueueWithin | undefined
  readonly #add = (call: EnqueueCall): Promise<boolean> => this.#batcher.add(call)
  /** The last call under way of each unique key. */
  readonly #uniqueCalls = new Map<string, Promise<void>>()
  /** Calls that have begun to enqueue and have no answer yet. */
  #sending = 0
  #onSent: (() => void) | undefined
  #closing: Promise<void> | undefined

  /** @throws OptionsError */
  constructor(options: ClientOptions = {}) {
    const parts = options instanceof SharedContext ? options : openLink(options)
    const { link, queueName, codec, onEnqueued } = parts
    this.#link = link
    this.queueName = queueName
    this.codec = codec
    this.#onEnqueued = onEnqueued
    this.#within = enqueueWithin(withOpenTelemetry(parts.middleware))
    this.#ownsLink = !(options instanceof SharedContext)
    this.#batcher = link.newBatcher()
    this.queues = new Queues(link, queueName)
    this.jobs = new Jobs(link, this.queues)
    this.deadLetters = new DeadLetters(link, this.jobs)
    this.workers = new Workers(link)
    this.doctor = new Doctor(link, this.queues)
    this.reversals = new Reversals(link)
    this.history = new History(link)
    this.cron = new CronJobs(link, this.history)
    this.limits = new Limits(link)
    this.flows = new Flows(link, { codec, queueName })
    this.schedules = new Schedules(link, { codec, queueName })
  }

  /** @internal A client over a worker's connection. */
  static over(link: RedisContext, options: Omit<SharedContext, 'link'>): Client {
    return new Client(new SharedContext(link, options) as ClientOptions)
  }

  /** @internal The `RedisContext` of a client, for the test kit, which moves its clock. */
  static linkOf(client: Client): object {
    return client.#link
  }

  /**
   * Enqueues one call of a task, or of a function by its name on the wire. Null when the id is queued, running or has
   * a kept result, as in arq.
   *
   * @throws ArgumentsError when the input does not fit the task's schema, OptionsError, EncodeError,
   *   RedisUnavailableError after `commandTimeoutMs` or once closed, RedisReplyError when the server refuses.
   */
  // One signature, not an overload each: a compiler reports the wrong field of an only candidate. `Result` is for names.
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters
  async enqueue<Result = unknown, T extends AnyContract | string = string>(
    task: T,
    ...rest: EnqueueRest<T>
  ): Promise<Job<T extends AnyContract ? ResultOf<T> : Result, EmittedOf<T>> | null> {
    const [input, options] = rest
    this.#begin()
    try {
      if (!this.#link.clock.isKnown) await this.#link.syncClock()
      const within = this.#within()
      if (within) {
        const item = [task, input, options] as EnqueueItem<AnyContract | string>
        const { status, job } = await this.#enqueueWithin(within, item)
        return status === 'queued' ? (job as Job<never, never>) : null
      }
      const call = this.#prepare(task, input, options)
      if (call.unique) {
        const { status, job } = await this.#sendUnique(call, call.unique)
        return status === 'queued' ? job : null
      }
      const queued = await this.#send(call)
      return queued ? new Job(call.jobId, call.queueName, this.#link, call.contract) : null
    } finally {
      this.#end()
    }
  }

  /** @internal Enqueues one call of a function without arguments by rules of its own: a tick of a cron job. */
  enqueueBy(
    add: (call: EnqueueCall) => Promise<boolean>,
    functionName: string,
    options: EnqueueOptions,
  ): Promise<boolean> {
    return this.#whileOpen(async () => {
      const within = this.#within()
      if (!within) return this.#send(this.#prepare(functionName, [], options), add)
      return (await this.#enqueueWithin(within, [functionName, [], options], add)).status === 'queued'
    })
  }

  /**
   * Enqueues many, 100 to a call, each sent while the next is made. Each item is `[task, input, options]`, as `enqueue`
   * takes them, and has an outcome of its own, in the order given; nothing is thrown for a bad item.
   *
   * @throws RedisUnavailableError when Redis cannot be asked for its time within `commandTimeoutMs`, or once closed.
   */
  async enqueueMany<const T extends readonly (AnyContract | string)[]>(items: {
    readonly [K in keyof T]: EnqueueItem<T[K]>
  }): Promise<{ -readonly [K in keyof T]: OutcomeOf<T[K]> }> {
    checkArray('enqueueMany', 'items', items)
    const within = this.#within()
    const failed = (error: unknown): EnqueueOutcome => ({ status: 'failed', error: error as Error })
    const enqueue = (item: EnqueueItem<AnyContract | string>, i: number): Promise<EnqueueOutcome> => {
      try {
        if (!Array.isArray(item)) checkArray('enqueueMany', `items.${i}`, item)
        if (within) return this.#enqueueWithin(within, item).catch(failed)
        const [task, input, options] = item
        const call = this.#prepare(task, input, options)
        if (call.unique) return this.#sendUnique(call, call.unique).catch(failed)
        const job = new Job(call.jobId, call.queueName, this.#link, call.contract)
        return this.#send(call).then((queued) => ({ status: queued ? 'queued' : 'duplicate', job }), failed)
      } catch (error) {
        return Promise.resolve(failed(error))
      }
    }
    const all = items as unknown as readonly EnqueueItem<AnyContract | string>[]
    return this.#whileOpen(() => Promise.all(all.map(enqueue))) as never
  }

  /**
   * Starts a flow, which is there as a whole or not at all. `flowId`: an id of your own, to start it once; default: a fresh one.
   *
   * @throws OptionsError, ArgumentsError, EncodeError; FlowError where the id is taken; RedisUnavailableError.
   */
  start(flow: Flow, options: { flowId?: string } = {}): Promise<FlowRun> {
    return this.#whileOpen(() => this.flows.start(flow, options))
  }

  /** Redis's time in unix ms, by which every time of a job is given. This machine's clock may differ. Asked for once. */
  async now(): Promise<number> {
    await this.#link.syncClock()
    return this.#link.clock.now()
  }

  /** A handle on a job by its id, whoever enqueued it. */
  job<Result = unknown>(jobId: string, options: { queueName?: string } = {}): Job<Result> {
    checkName('client.job', 'jobId', jobId)
    checkMethodOptions('client.job', methodSchemas.queueName, options)
    return new Job<Result>(jobId, options.queueName ?? this.queueName, this.#link)
  }

  /** Jobs in a queue by due time, running ones included; arq's `queued_jobs`. Payloads that no codec reads are left out. */
  async queuedJobs(options: { queueName?: string } = {}): Promise<JobInfo[]> {
    checkMethodOptions('queuedJobs', methodSchemas.queueName, options)
    const jobs: JobInfo[] = []
    for await (const page of this.#link.queues.members(options.queueName ?? this.queueName)) {
      for (const { jobId, score, payload } of await this.#link.jobs.examine(page)) {
        const record = payload && readable(() => decodeJob(payload, this.#link.limits).record)
        if (record) jobs.push(toJobInfo(record, jobId, score))
      }
    }
    return jobs
  }

  /** Every kept result by enqueue time; arq's `all_job_results`. Scans the database: for tests and small queues. */
  async allJobResults(): Promise<JobResult[]> {
    const results: JobResult[] = []
    for await (const page of this.#link.jobs.results()) {
      for (const { jobId, result } of page) {
        const record = result && readable(() => decodeResult(result, this.#link.limits).record)
        if (record) results.push(toJobResult(record, jobId, null))
      }
    }
    return results.sort((a, b) => a.enqueueTime.getTime() - b.enqueueTime.getTime())
  }

  /**
   * Sends what is waiting and closes the connections; what is enqueued from now on is refused. A call that Redis does not
   * answer is waited for under the same limit. A worker closes the client of its handlers, which this leaves open.
   */
  close(): Promise<void> {
    if (!this.#ownsLink) return Promise.resolve()
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    if (this.#sending > 0) await new Promise<void>((resolve) => (this.#onSent = resolve))
    await this.#link.close()
  }

  /** Enqueues once Redis's time is known, which enqueue times are taken from; counted from the call on, for `close`. */
  async #whileOpen<T>(enqueue: () => Promise<T>): Promise<T> {
    this.#begin()
    try {
      if (!this.#link.clock.isKnown) await this.#link.syncClock()
      return await enqueue()
    } finally {
      this.#end()
    }
  }

  #begin(): void {
    if (this.#closing) throw new RedisUnavailableError('the client was closed; create a new one')
    this.#sending++
  }

  #end(): void {
    if (--this.#sending === 0) this.#onSent?.()
  }

  #send(call: PreparedCall, add = this.#add): Promise<boolean> {
    const sent = add(call)
    this.#link.queueNotes.note(call.queueName, call.enqueuedMs)
    const report = this.#onEnqueued
    if (!report) return sent
    return sent.then((queued) => {
      if (queued) report({ jobId: call.jobId, functionName: call.functionName, queueName: call.queueName })
      return queued
    })
  }

  /** Calls of one key go one after the other, so that the last one has the newest data. */
  async #sendUnique(
    call: PreparedCall,
    rules: UniqueRules,
  ): Promise<{ status: 'queued' | 'duplicate'; job: Job<never, never> }> {
    const before = this.#uniqueCalls.get(rules.key)
    let outcome: UniqueOutcome | undefined
    const add = async (each: EnqueueCall) => {
      await before
      outcome = await this.#link.uniqueJobs.enqueue(each, rules, (result) => {
        return readable(() => decodeResult(result, this.#link.limits).record.success) === true
      })
      return outcome.status === 'queued'
    }
    const sent = this.#send(call, add)
    const settled = sent.then(
      () => {},
      () => {},
    )
    this.#uniqueCalls.set(rules.key, settled)
    void settled.then(() => {
      if (this.#uniqueCalls.get(rules.key) === settled) this.#uniqueCalls.delete(rules.key)
    })
    await sent
    const { jobId, queueName, status } = outcome!
    const job = new Job<never, never>(jobId, queueName, this.#link, call.contract)
    return { status: status === 'duplicate' ? 'duplicate' : 'queued', job }
  }

  /** Enqueues one call by way of the middleware. */
  async #enqueueWithin(
    within: EnqueueWithin,
    item: EnqueueItem<AnyContract | string>,
    add?: (call: EnqueueCall) => Promise<boolean>,
  ): Promise<Enqueued> {
    const [task, input, options] = item
    return within({ functionName: functionNameOf(task), input, options }, async (given, metadata) => {
      const call = this.#prepare(task, input, given, metadata)
      if (call.unique) return this.#sendUnique(call, call.unique)
      const job = new Job(call.jobId, call.queueName, this.#link, call.contract)
      return { status: (await this.#send(call, add)) ? 'queued' : 'duplicate', job }
    })
  }

  #prepare(
    task: AnyContract | string,
    input: unknown,
    options: EnqueueOptions = {},
    metadata?: Metadata,
  ): PreparedCall {
    checkEnqueueOptions(options)
    const functionName = functionNameOf(task)
    const contract = typeof task === 'string' ? undefined : task
    const codec = contract?.codec ?? this.codec
    const { args, kwargs } = packCall(task, input, options, codec)
    const now = this.#link.clock.now()
    const record: JobRecord = { jobTry: options.jobTry ?? null, functionName, args, kwargs, enqueueTimeMs: now }
    const unique = options.unique && rulesOf(options.unique)
    const { headStartMs = 0 } = options
    const lock = unique && (isSerial(unique) ? { unique: unique.key } : { lock: unique.key })
    const ahead = headStartMs > 0 ? { due: now } : undefined
    if (ahead || lock || metadata) record.mark = { ...ahead, ...lock, ...(metadata && { metadata }) }
    return {
      functionName: record.functionName,
      enqueuedMs: now,
      jobId: options.jobId ?? this.#link.newId(newJobId, unique?.key),
      isFreshId: options.jobId === undefined,
      queueName: options.queueName ?? this.queueName,
      due: ahead ? { at: Math.max(1, now - headStartMs) } : dueOf(options),
      unique,
      expiresMs: options.expiresMs,
      payload: encodeJob(record, codec, this.#link.limits),
      contract,
    }
  }
}

type PreparedCall = EnqueueCall & {
  unique: UniqueRules | undefined
  functionName: string
  contract: AnyContract | undefined
  /** Redis's time, in unix ms. */
  enqueuedMs: number
}
