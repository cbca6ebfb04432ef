import type { PayloadLimits } from '@arq-ts/protocol'
import { Keys } from '@arq-ts/protocol/jobs'
import { Broker } from './broker.ts'
import { Calls } from './calls.ts'
import { RedisClock } from './clock.ts'
import { Connection } from './connection.ts'
import type { RedisTarget } from './connection.ts'
import { CronPauses } from './cron-pauses.ts'
import { DamagedKeys } from './damage.ts'
import { DeadLetterRecords } from './dead-letters.ts'
import { EnqueueBatcher } from './enqueue-batcher.ts'
import { describeFault } from './faults.ts'
import { Holds } from './holds.ts'
import { ForeignResults } from './foreign-results.ts'
import { FlowRecords } from './flows.ts'
import { FlowWatch } from './flow-watch.ts'
import { FrozenJobs } from './frozen-jobs.ts'
import { KeySurvey } from './key-survey.ts'
import { JobPages } from './job-pages.ts'
import { JobLogStreams } from './job-logs.ts'
import { JobRecords } from './jobs.ts'
import { describeObstruction } from './obstruction.ts'
import { QueueNotes } from './queue-notes.ts'
import { QueueRecords } from './queues.ts'
import { LimitRecords } from './limits.ts'
import { Recordings } from './recordings.ts'
import { ReplySpinner } from './reply-spinner.ts'
import type { SpinMode } from './reply-spinner.ts'
import { ScheduleRecords } from './schedules.ts'
import { Server } from './server.ts'
import { Shelf } from './shelf.ts'
import { Subscriber } from './subscriber.ts'
import { UniqueJobs } from './unique-jobs.ts'
import { TickRecords } from './ticks.ts'
import { WorkerEventChannel } from './worker-events.ts'
import { WorkerOrders } from './worker-orders.ts'
import { WorkerRegistry } from './worker-registry.ts'

type Log = ConstructorParameters<typeof Connection>[1]

export interface RedisContextOptions {
  redis: RedisTarget
  keyPrefix: string
  expiresExtraMs: number
  log: Log
  /** Time a call may wait for Redis, in ms; default: for ever. Calls that a worker makes for itself always wait. */
  timeoutMs?: number
  /** Limits of the payloads that go over it. Default: the protocol's. */
  limits?: PayloadLimits
  /** Way in which replies that are due at once are awaited. Default `auto`. */
  spinForReplies?: SpinMode
  /** A link whose connections are used. Default: connections of its own. */
  over?: RedisContext
  /** Names of its keys. Default: under `keyPrefix`. */
  keys?: Keys
}

/** Everything one client or worker needs of Redis: a connection for commands, one for channels, and what goes over them. */
export class RedisContext {
  /** Links to the partitions of its namespace; only itself, if there are none. */
  readonly parts: readonly RedisContext[] = [this]
  /** The number of members of queues, for a worker's health line. */
  readonly roughSize: (queueNames: readonly string[]) => Promise<number> = (queueNames) => this.queues.size(queueNames)
  readonly keys: Keys
  readonly clock: RedisClock
  readonly connection: Connection
  readonly calls: Calls
  readonly subscriber: Subscriber
  readonly broker: Broker
  readonly damaged: DamagedKeys
  readonly holds: Holds
  readonly survey: KeySurvey
  readonly jobs: JobRecords
  readonly jobPages: JobPages
  readonly frozenJobs: FrozenJobs
  readonly shelf: Shelf
  readonly deadLetters: DeadLetterRecords
  readonly queues: QueueRecords
  readonly queueNotes: QueueNotes
  readonly orders: WorkerOrders
  readonly registry: WorkerRegistry
  readonly events: WorkerEventChannel
  readonly ticks: TickRecords
  readonly cronPauses: CronPauses
  readonly recordings: Recordings
  readonly foreignResults: ForeignResults
  readonly jobLogs: JobLogStreams
  readonly server: Server
  readonly limitRecords: LimitRecords
  readonly schedules: ScheduleRecords
  readonly uniqueJobs: UniqueJobs
  readonly flowRecords: FlowRecords
  readonly flowWatch: FlowWatch
  /** Keys of a wrong type that reads over this link met, the first thousand. */
  readonly metDamage: Set<string>
  /** Time a call may wait for Redis, in ms. */
  readonly timeoutMs: number
  /** Limits of the payloads that go over it. */
  readonly limits: PayloadLimits
  /** Time that a job may start after it is due, in ms. */
  readonly expiresExtraMs: number
  #syncing: Promise<void> | undefined

  constructor(options: RedisContextOptions) {
    this.timeoutMs = options.timeoutMs ?? Infinity
    this.limits = options.limits ?? {}
    this.expiresExtraMs = options.expiresExtraMs
    const { over } = options
    this.connection = over?.connection ?? new Connection(options.redis, options.log)
    this.clock = over?.clock ?? new RedisClock()
    this.keys = options.keys ?? new Keys(options.keyPrefix, this.connection.database)
    this.subscriber = over?.subscriber ?? new Subscriber(options.redis, options.log, this.timeoutMs)
    const spinner = new ReplySpinner(options.spinForReplies)
    this.broker = new Broker(this.connection, this.keys, this.clock, options.expiresExtraMs, spinner)
    this.broker.dueJobs.onObstruction = (report) =>
      options.log.warn({ obstruction: report }, describeObstruction(report))
    this.broker.faults.listen((fault, others) => options.log.warn({ fault }, describeFault(fault, others)))
    const calls = over?.calls ?? new Calls(this.connection, this.timeoutMs)
    this.calls = calls
    this.metDamage = calls.met
    this.damaged = new DamagedKeys(calls, this.keys)
    this.holds = new Holds(calls, this.keys)
    this.survey = new KeySurvey(calls, this.keys, this.clock, { damaged: this.damaged, holds: this.holds })
    this.jobs = new JobRecords(calls, this.keys, this.damaged)
    this.jobPages = new JobPages(calls, this.keys, this.damaged)
    this.frozenJobs = new FrozenJobs(calls, this.keys)
    this.shelf = new Shelf(calls, this.keys, this.clock)
    this.deadLetters = new DeadLetterRecords(calls, this.keys, this.clock, this.damaged)
    this.limitRecords = new LimitRecords(this.connection, calls, this.keys, options.expiresExtraMs)
    this.queues = new QueueRecords(calls, this.keys, this.clock, {
      jobs: this.jobs,
      damaged: this.damaged,
      limits: this.limitRecords,
    })
    this.queueNotes = new QueueNotes(this.queues)
    this.orders = new WorkerOrders(calls, this.keys)
    this.registry = new WorkerRegistry(calls, this.keys, this.clock)
    this.events = new WorkerEventChannel(calls, this.keys)
    this.ticks = new TickRecords(this.connection, this.keys, options.expiresExtraMs)
    this.cronPauses = new CronPauses(calls, this.keys)
    const { connection, keys } = this
    this.foreignResults = new ForeignResults(calls, this.keys)
    this.recordings = new Recordings({ calls, connection, keys, faults: this.broker.faults })
    this.jobLogs = new JobLogStreams(connection, calls, keys)
    this.server = new Server(calls)
    this.uniqueJobs = new UniqueJobs(connection, calls, keys, {
      expiresExtraMs: options.expiresExtraMs,
      timeoutMs: this.timeoutMs,
    })
    this.flowRecords = new FlowRecords(calls, keys, options.expiresExtraMs)
    this.flowWatch = new FlowWatch(calls, keys)
    this.schedules = new ScheduleRecords(connection, calls, keys, options.expiresExtraMs)
  }

  /** The name under which `broker` looks for work in a queue: that of a partition if there are several. */
  place(queueName: string): string {
    return queueName
  }

  /** The link to the partition of a job. */
  partOf(_jobId: string): RedisContext {
    return this
  }

  /** Listens for the end of a job, as `Subscriber.listen` does. */
  onEnd(jobId: string, onEnd: () => void): Promise<() => void> {
    return this.subscriber.listen(this.keys.resultChannel(jobId), onEnd)
  }

  /** A batcher, which lets enqueues of a client travel together. */
  newBatcher(): Pick<EnqueueBatcher, 'add'> {
    return new EnqueueBatcher(this.broker, this.timeoutMs)
  }

  /** A new id for a job, which lies in the slot of `key` where one is given. */
  newId(draw: () => string, _key?: string): string {
    return draw()
  }

  /** The id of a flow: the one given, or a new one. @throws OptionsError where its members would lie in different slots. */
  flowId(given: string | undefined, draw: () => string): string {
    return given ?? draw()
  }

  /** Asks for Redis's time unless it is known. Await it before you rely on `clock.now()`. */
  async syncClock(): Promise<void> {
    if (this.clock.isKnown) return
    this.#syncing ??= this.broker.syncClock(this.timeoutMs).finally(() => (this.#syncing = undefined))
    await this.#syncing
  }

  /** arq's line about the server, and the eviction policy, which decides whether jobs can vanish. Empty where INFO is forbidden. */
  async describeServer(): Promise<{ line: string; evictionPolicy: string | undefined }> {
    try {
      const info = await this.connection.run((client) => client.info())
      const keys = await this.connection.run((client) => client.dbsize())
      const field = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1]
      const version = field('valkey_version')
        ? `valkey_version=${field('valkey_version')}`
        : `redis_version=${field('redis_version') ?? '?'}`
      const line = `${version} mem_usage=${field('used_memory_human') ?? '?'} clients_connected=${field('connected_clients') ?? '?'} db_keys=${keys}`
      return { line, evictionPolicy: field('maxmemory_policy') }
    } catch {
      return { line: 'redis: INFO is not allowed for this user', evictionPolicy: undefined }
    }
  }

  /**
   * False if the server publishes nothing of sorted sets (`notify-keyspace-events` without K and z). True where CONFIG is
   * forbidden, as many hosts do: a subscription costs nothing, and finds Python's jobs at once where they are on.
   */
  async hasKeyspaceEvents(): Promise<boolean> {
    try {
      const [, flags = ''] = (await this.connection.run((client) =>
        client.config('GET', 'notify-keyspace-events'),
      )) as string[]
      return flags.includes('K') && (flags.includes('z') || flags.includes('A'))
    } catch {
      return true
    }
  }

  /** Channel of the server's events about a key. */
  keyspaceChannel(key: string): string {
    return `__keyspace@${this.connection.database}__:${key}`
  }

  async close(): Promise<void> {
    await Promise.all([this.subscriber.close(), this.connection.close()])
  }
}
