import type { Keys } from '@arq-ts/protocol/jobs'
import { EXPIRES_EXTRA_MS, RETRY_COUNTER_TTL_S } from '@arq-ts/protocol/jobs'
import { RedisReplyError } from '../errors.ts'
import { AbortedJobs } from './aborted-jobs.ts'
import type { AbortedClaimOptions } from './aborted-jobs.ts'
import { finishGroupOf } from './batch-groups.ts'
import type { FinishGroup } from './batch-groups.ts'
import type { Claim, Due, EnqueueCall, Finish, LeasedJob, Renewal, Reschedule, Reservation } from './broker-calls.ts'
import { readClaims } from './claim-reply.ts'
import type { RedisClock } from './clock.ts'
import type { Connection } from './connection.ts'
import { asSkipped, DueJobs, RESERVE_MS } from './due-jobs.ts'
import type { SkippedIds } from './due-jobs.ts'
import { enqueueCall, handOffCall, RESENT, suitsHandOff } from './enqueue-calls.ts'
import type { ScriptCall } from './enqueue-calls.ts'
import { Faults } from './faults.ts'
import { sendId } from './id-bytes.ts'
import { ReplySpinner } from './reply-spinner.ts'
import { faultIn, runScript } from './scripts.ts'
import type { ScriptName, ScriptReply, ScriptValue } from './scripts.ts'
import { isTransient } from './transient.ts'
import { WaitingWorkers } from './waiting-workers.ts'

/** Time a due job that Python runs is passed over before it is looked at again. */
const PASS_OVER_MS = 1_000
/** Batch size up to which a reply comes sooner than a process wakes up. */
const FEW_JOBS = 16

export type * from './broker-calls.ts'

/**
 * Operations of a queue in Redis, one script each, on a batch. Every call outlives an outage: it waits for
 * Redis and is sent again, and its script makes the repetition harmless.
 */
export class Broker {
  readonly keys: Keys
  readonly connection: Connection
  readonly clock: RedisClock
  /** True where workers may listen to keyspace events; claims then take care not to wake them. */
  hasKeyspaceListeners = true
  /** Faults in Redis that scripts have met. */
  readonly faults = new Faults()
  /** Finder of due jobs; it needs the functions that the worker has. */
  readonly dueJobs: DueJobs
  /** Workers that wait for jobs to be handed to them. */
  readonly waiting: WaitingWorkers
  readonly #aborts: AbortedJobs
  readonly #spinner: ReplySpinner
  readonly #expiresExtraMs: number
  /** False if jobs cannot be handed to idle workers: the channels of a cluster do not show who listens. */
  #mayHandOff: boolean
  /** Offset of the id in an in-progress key, in bytes from 1. */
  readonly #idAt: number

  constructor(
    connection: Connection,
    keys: Keys,
    clock: RedisClock,
    expiresExtraMs = EXPIRES_EXTRA_MS,
    spinner = new ReplySpinner(),
  ) {
    this.connection = connection
    this.keys = keys
    this.clock = clock
    this.#expiresExtraMs = expiresExtraMs
    this.#spinner = spinner
    this.#mayHandOff = !connection.isCluster
    this.#idAt = Buffer.byteLength(keys.inProgress('')) + 1
    this.dueJobs = new DueJobs({ keys, clock, faults: this.faults, run: (...call) => this.#run(...call) })
    this.waiting = new WaitingWorkers(keys, (...call) => this.#run(...call))
    this.#aborts = new AbortedJobs({ connection, keys, faults: this.faults, run: (...call) => this.#run(...call) })
  }

  /**
   * Stores and queues jobs; false where the id is queued, running or has a kept result. `resent`: an earlier attempt
   * may have stored them, so a stored job that is identical counts as queued by this call.
   */
  enqueue(
    calls: readonly EnqueueCall[],
    options: { timeoutMs?: number | undefined; resent?: boolean } = {},
  ): Promise<boolean[]> {
    const { timeoutMs, resent = false } = options
    const run: RunOptions = { timeoutMs, isBrief: calls.length <= FEW_JOBS, jobs: calls.length }
    const call = (isResent: boolean) => enqueueCall(this.keys, calls, this.#expiresExtraMs, isResent)
    if (!resent && this.#mayHandOff && suitsHandOff(calls)) {
      const { keys, args } = handOffCall(this.keys, calls, this.#expiresExtraMs)
      run.again = () => ['enqueue', call(true)]
      return this.#run('handOff', keys, args, run).then(
        () => calls.map(() => true),
        (error: unknown) => {
          if (!(error instanceof RedisReplyError) || error.prefix !== 'NOPERM') throw error
          // This user may not access the keys of idle workers, or not run a command: of the call, Redis may have done a part.
          this.#mayHandOff = false
          return this.enqueue(calls, { ...options, resent: true })
        },
      )
    }
    const { keys, args } = call(resent)
    run.resentFlag = true
    return this.#run('enqueue', keys, args, run).then((reply) => {
      // The reply to an earlier attempt was lost, and the job has even ended since: a fresh id can only be our own.
      const isResent = args[0] === RESENT
      return calls.map((each, i) => reply[i + 1] === 1 || (isResent && each.isFreshId === true))
    })
  }

  /**
   * Sets up to `want` due jobs aside; `passOver` are ids to leave for others, best a Map or a Set of them. Where next to
   * nothing at the head of the queue can be claimed, jobs behind it are found all the same, at a bounded pace.
   */
  reserve(
    queueName: string,
    want: number,
    passOver: Iterable<string> | SkippedIds,
    signal?: AbortSignal,
  ): Promise<Reservation> {
    return this.dueJobs.reserve(queueName, want, asSkipped(passOver), signal)
  }

  /** Gives reserved jobs back that are not claimed after all, and wakes other workers; soon, for reservations lapse. */
  async unreserve(queueName: string, jobIds: readonly string[]): Promise<void> {
    await this.connection.run(
      async (client) => {
        await client.zrem(this.keys.reserved(queueName), ...jobIds.map(sendId))
        await client.publish(this.keys.wakeChannel(queueName), String(this.clock.now()))
      },
      { timeoutMs: RESERVE_MS },
    )
  }

  /** Takes reserved jobs; those that someone else holds, or that are gone, are missing from the answer. */
  async claim(
    queueName: string,
    jobIds: readonly string[],
    options: { token: string; leaseMs: number; honourAborts: boolean; signal?: AbortSignal },
  ): Promise<Claim[]> {
    const { token, leaseMs, honourAborts, signal } = options
    const keys = [this.keys.queue(queueName), this.keys.reserved(queueName), this.keys.abort, this.keys.paused]
    for (const id of jobIds) keys.push(this.keys.inProgress(id), this.keys.job(id), this.keys.retry(id))
    const notified = this.hasKeyspaceListeners ? 1 : 0
    const args = [token, leaseMs, honourAborts ? 1 : 0, RETRY_COUNTER_TTL_S, PASS_OVER_MS, this.#idAt, notified]
    const faulty: string[] = []
    const reply = await this.#run('claim', keys, args, {
      signal,
      isBrief: jobIds.length <= FEW_JOBS,
      queueName,
      jobIds,
      faulty,
    })
    const { taken, expired } = readClaims(reply, jobIds, queueName, token)
    this.dueJobs.claimed(queueName, jobIds.length, taken.length)
    // The jobs that were taken must start, whatever becomes of the rest, which is met again.
    if (expired.length > 0) taken.push(...(await this.#claimExpired(queueName, expired, options).catch(() => [])))
    if (faulty.length > 0) await this.#setAside(queueName, faulty).catch(() => {})
    this.faults.forget(taken)
    return taken
  }

  /** Takes jobs whose payload is gone. Those that have a result leave the queue instead. */
  async #claimExpired(
    queueName: string,
    jobIds: readonly string[],
    { token, leaseMs, signal }: { token: string; leaseMs: number; signal?: AbortSignal },
  ): Promise<Claim[]> {
    const keys = [this.keys.queue(queueName), this.keys.reserved(queueName)]
    for (const id of jobIds) keys.push(...this.#jobKeys(id), this.keys.result(id))
    const args = [token, leaseMs, RETRY_COUNTER_TTL_S, this.#idAt]
    const reply = await this.#run('claimExpired', keys, args, { signal, queueName, jobIds })
    return jobIds.flatMap((jobId, i) => {
      const [score, jobTry, deaths] = reply.slice(3 * i, 3 * i + 3)
      if (typeof score !== 'number') return []
      const counted = { jobTry: Number(jobTry), deaths: Number(deaths) }
      return { jobId, queueName, token, payload: null, abortAskedMs: null, score, ...counted }
    })
  }

  /** Leaves faulty jobs alone for a while, longer each time. */
  async #setAside(queueName: string, jobIds: readonly string[]): Promise<void> {
    const now = this.clock.now()
    const entries = jobIds.flatMap((id) => [now + this.faults.backoffMs(id), sendId(id)])
    await this.connection.run((client) => client.zadd(this.keys.reserved(queueName), ...entries))
  }

  /**
   * Sets the try counter to the `job_try` a producer asked for, as arq does when it is ahead; false, and nothing is
   * written, where the lease was lost.
   */
  async setTry(claim: LeasedJob, jobTry: number): Promise<boolean> {
    const keys = [this.keys.inProgress(claim.jobId), this.keys.retry(claim.jobId)]
    return (await this.#run('setTry', keys, [claim.token, jobTry, RETRY_COUNTER_TTL_S]))[0] === 1
  }

  /** Extends leases; false where another worker holds the job or it is gone. */
  async renew(renewals: readonly Renewal[], signal?: AbortSignal): Promise<boolean[]> {
    const keys: string[] = []
    const args: ScriptValue[] = [this.#expiresExtraMs, RETRY_COUNTER_TTL_S]
    for (const job of renewals) {
      const { jobId } = job
      keys.push(
        this.keys.queue(job.queueName),
        this.keys.inProgress(jobId),
        this.keys.retry(jobId),
        this.keys.job(jobId),
      )
      args.push(jobId, job.token, job.jobTry, Math.max(1, Math.round(job.leaseMs)))
    }
    return flags(await this.#run('renew', keys, args, { signal, jobIds: renewals.map((job) => job.jobId) }), 1)
  }

  /** Ends jobs of one queue for good; false where the lease was lost, and nothing was written. */
  async finish(queueName: string, endings: readonly Finish[]): Promise<boolean[]> {
    const keys: string[] = [this.keys.abort, this.keys.dead, this.keys.queue(queueName), this.keys.stats(queueName)]
    const groups: FinishGroup[] = []
    for (const [at, job] of endings.entries()) finishGroupOf(groups, job).jobs.push(at)
    const order = groups.flatMap((group) => group.jobs)
    const results: ScriptValue[] = []
    const letters: string[] = []
    const dead: ScriptValue[] = []
    for (const at of order) {
      const { jobId, jobTry, result, dead: letter } = endings[at]!
      keys.push(this.keys.inProgress(jobId), this.keys.job(jobId), this.keys.retry(jobId), this.keys.result(jobId))
      results.push(result ?? '')
      if (letter) {
        letters.push(this.keys.deadLetter(jobId))
        dead.push(results.length, letter.ttlMs, letter.payload, letter.functionName, letter.error, jobTry)
      }
    }
    const ended = groups.flatMap(({ jobs, token, jobTry, outcome, ttlMs, keepMs }) => [
      jobs.length,
      token,
      jobTry,
      outcome,
      ttlMs,
      keepMs,
    ])
    const how = [order.length, groups.length, this.#aborts.wereAskedLately ? '1' : '0', this.keys.endsChannel]
    const args = ['0', queueName, this.#idAt, ...how, ...ended, ...results, ...dead]
    const reply = await this.#run('finish', [...keys, ...letters], args, {
      resentFlag: true,
      isBrief: endings.length <= FEW_JOBS,
      queueName,
      jobIds: order.map((at) => endings[at]!.jobId),
    })
    const held = endings.map(() => true)
    for (const number of reply) held[order[Number(number) - 1]!] = false
    return held
  }

  /** Gives jobs back to their queue; false where the lease was lost. */
  async reschedule(returns: readonly Reschedule[]): Promise<boolean[]> {
    const keys: string[] = []
    const args: ScriptValue[] = ['0', this.#expiresExtraMs, RETRY_COUNTER_TTL_S]
    for (const job of returns) {
      keys.push(this.keys.queue(job.queueName), ...this.#jobKeys(job.jobId))
      args.push(job.jobId, job.token, job.jobTry, ...dueArgs(job.due), job.uncount ? '1' : '0', job.payload)
      args.push(this.keys.wakeChannel(job.queueName))
    }
    const jobIds = returns.map((job) => job.jobId)
    return flags(await this.#run('reschedule', keys, args, { resentFlag: true, jobIds }), 0)
  }

  /** Asks for an abort; false when the job is neither queued nor running. */
  async requestAbort(jobId: string, queueName: string, timeoutMs?: number): Promise<boolean> {
    const keys = [this.keys.abort, this.keys.queue(queueName), this.keys.inProgress(jobId)]
    const args = [jobId, this.keys.wakeChannel(queueName), this.keys.abortChannel]
    return (await this.#run('abort', keys, args, { timeoutMs }))[0] === 1
  }

  /** Jobs among these that are asked to abort, and since when. The requests stay until the jobs are settled. */
  abortRequests(jobIds: readonly string[], signal?: AbortSignal): Promise<Map<string, number>> {
    return this.#aborts.requests(jobIds, signal)
  }

  /** Takes jobs of a queue that do not run and are asked to abort, due or not: see `AbortedJobs.claim`. */
  claimAborted(queueName: string, options: AbortedClaimOptions): Promise<Claim[]> {
    return this.#aborts.claim(queueName, options)
  }

  /** Reads Redis's time once, so that the first enqueue already carries it. */
  async syncClock(timeoutMs?: number, signal?: AbortSignal): Promise<void> {
    await this.connection.run(
      async (client) => {
        const sent = this.clock.local()
        const [seconds, micros] = await client.time()
        this.clock.observe(Number(seconds) * 1000 + Math.floor(Number(micros) / 1000), sent)
      },
      { timeoutMs, signal },
    )
  }

  #jobKeys(jobId: string): [string, string, string] {
    return [this.keys.inProgress(jobId), this.keys.job(jobId), this.keys.retry(jobId)]
  }

  #run(
    name: ScriptName,
    keys: readonly string[],
    args: ScriptValue[],
    options: RunOptions = {},
  ): Promise<ScriptReply[]> {
    const observes = reportsTime.has(name)
    const repeat = options.resentFlag ? () => void (args[0] = RESENT) : undefined
    return this.connection.run((client, attempt) => {
      if (attempt > 0) {
        repeat?.()
        if (options.again) [name, { keys, args }] = options.again()
      }
      const sent = observes ? this.clock.local() : 0
      const jobs = options.jobIds?.length ?? options.jobs
      const replied = runScript(client, name, keys, args, repeat, jobs)
      const begun = options.isBrief ? this.#spinner.begin() : undefined
      return replied.then(
        (reply) => {
          if (begun !== undefined) this.#spinner.end(begun)
          if (observes) this.clock.observe(Number(reply[0]), sent)
          const faults = reply[reply.length - 1]
          if (!Array.isArray(faults)) return reply
          throwIfUnwell(faults)
          reply.pop()
          this.#report(name, faults, keys, options)
          return reply
        },
        (error: unknown) => {
          if (begun !== undefined) this.#spinner.end(begun)
          throw error
        },
      )
    }, options)
  }

  /** Faults come three values each: number of the job or 0, number of the key, reason. */
  #report(
    name: ScriptName,
    faults: ScriptReply[],
    keys: readonly string[],
    { queueName, jobIds, faulty }: RunOptions,
  ): void {
    for (let at = 0; at < faults.length; at += 3) {
      const [job, key, reason] = faults.slice(at, at + 3)
      const jobId = jobIds?.[Number(job) - 1]
      if (jobId !== undefined) faulty?.push(jobId)
      this.faults.report({ queueName, jobId, key: keys[Number(key) - 1]!, reason: faultIn(name, String(reason)) })
    }
  }
}

/**
 * Throws the reason of a fault that is the server's (out of memory, a demoted primary) and not the key's: the call is then
 * sent again, as if the server had refused it as a whole.
 */
function throwIfUnwell(faults: readonly ScriptReply[]): void {
  for (let at = 2; at < faults.length; at += 3) {
    const error = new RedisReplyError(String(faults[at]))
    if (isTransient(error)) throw error
  }
}

/** Options of a script call, and the jobs its faults are about. */
interface RunOptions {
  timeoutMs?: number | undefined
  signal?: AbortSignal | undefined
  /** The first argument is '1' when the call is sent again. */
  resentFlag?: boolean
  /** Another call, sent from the second attempt on. */
  again?: () => [ScriptName, ScriptCall]
  /** The reply is due at once. */
  isBrief?: boolean
  /** Number of its jobs, where `jobIds` does not say it. */
  jobs?: number | undefined
  queueName?: string
  /** The jobs by their numbers in the script. */
  jobIds?: readonly string[]
  /** Gets the jobs that had faults. */
  faulty?: string[]
}

/** Scripts whose first reply is Redis's time. */
const reportsTime: ReadonlySet<ScriptName> = new Set<ScriptName>([
  'enqueue',
  'handOff',
  'reserve',
  'claim',
  'renew',
  'wait',
])

function dueArgs(due: Due): [string, number] {
  return 'at' in due ? ['at', Math.round(due.at)] : ['in', Math.round(due.in)]
}

function flags(reply: ScriptReply[], from: number): boolean[] {
  return reply.slice(from).map((value) => value === 1)
}
