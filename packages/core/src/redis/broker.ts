import type { Keys } from '@arq-ts/protocol/jobs'
import { EXPIRES_EXTRA_MS, RETRY_COUNTER_TTL_S } from '@arq-ts/protocol/jobs'
import type { RedisClock } from './clock.ts'
import type { Connection } from './connection.ts'
import { readId, sendId } from './id-bytes.ts'
import { runScript } from './scripts.ts'
import type { ScriptName, ScriptReply, ScriptValue } from './scripts.ts'
import { Vigil } from './vigil.ts'

/** How long found jobs are set aside for the worker that found them, until it claims them. */
const RESERVE_MS = 1_000
/** How long a due job that Python runs is passed over before it is looked at again. */
const PASS_OVER_MS = 1_000
/** One call in so many finds due jobs by looking over all that are set aside, the others look behind those. */
const LOOK_OVER_ALL = 16
/** A call for so many is answered sooner than a process wakes up. */
const FEW_JOBS = 16

/** When a job is due: at a unix time in ms, or this many ms from Redis's now. */
export type Due = { at: number } | { in: number }

export interface EnqueueCall {
  jobId: string
  /** True for an id that was drawn for this call: nobody else can have it. */
  isFreshId?: boolean
  queueName: string
  due: Due
  /** Milliseconds after which the job may not start any more; default: its due time + `expiresExtraMs`. */
  expiresMs: number | undefined
  payload: Uint8Array
}

/** One job as a worker took it: all that is needed to run, renew and settle it. */
export interface Claim {
  jobId: string
  queueName: string
  /** The fencing token in `arq:in-progress:<id>`. */
  token: string
  /** The stored job, or null where it expired or was evicted. */
  payload: Buffer | null
  /** The counted try, from 1. */
  jobTry: number
  /** When its abort was asked for, in unix ms; null where it was not. */
  abortAskedMs: number | null
  /** When it was due, in unix ms: its score before the claim moved it. */
  score: number
}

type Held = Pick<Claim, 'jobId' | 'queueName' | 'token' | 'jobTry'>

export interface Renewal extends Held {
  leaseMs: number
}

export interface DeadLetterEntry {
  ttlMs: number
  payload: Uint8Array
  functionName: string
  error: string
}

/** How a job ended, as it is counted per queue. */
export type FinishOutcome = 'complete' | 'failed' | 'aborted'

export interface Finish extends Held {
  outcome: FinishOutcome
  /** The stored result, or null for none. */
  result: Uint8Array | null
  /** Its lifetime in ms; 0 keeps it for ever. */
  resultTtlMs: number
  /** How long the in-progress key stays; 0 deletes it. arq keeps a cron job's for 60 s. */
  keepInProgressMs: number
  dead: DeadLetterEntry | null
}

export interface Reschedule extends Held {
  due: Due
  /** True for a hand-back that must not count as a try. */
  uncount: boolean
  payload: Uint8Array
}

/** The jobs found due, the time of the next one, and the time at Redis. */
export interface Reservation {
  jobIds: string[]
  /** Unix ms, or null when nothing else is queued or it was not looked for. */
  nextDueMs: number | null
  nowMs: number
}

/**
 * What a queue does in Redis, one script per operation, each on a batch. Every call outlives an outage: it waits for
 * Redis and is sent again, and its script makes the repetition harmless.
 */
export class Broker {
  readonly keys: Keys
  readonly connection: Connection
  readonly clock: RedisClock
  /** Whether workers may listen to keyspace events; claims then take care not to wake them. */
  hasKeyspaceListeners = true
  readonly #vigil = new Vigil()
  #reserves = 0
  readonly #expiresExtraMs: number
  /** Where the id begins in an in-progress key, in bytes from 1. */
  readonly #idAt: number

  constructor(connection: Connection, keys: Keys, clock: RedisClock, expiresExtraMs = EXPIRES_EXTRA_MS) {
    this.connection = connection
    this.keys = keys
    this.clock = clock
    this.#expiresExtraMs = expiresExtraMs
    this.#idAt = Buffer.byteLength(keys.inProgress('')) + 1
  }

  /**
   * Stores and queues jobs; false where the id is queued, running or has a kept result. `resent`: an earlier attempt
   * may have stored them, so a stored job that is identical counts as queued by this call.
   */
  async enqueue(
    calls: readonly EnqueueCall[],
    options: { timeoutMs?: number | undefined; resent?: boolean } = {},
  ): Promise<boolean[]> {
    const { timeoutMs, resent = false } = options
    const ways = new Ways()
    const queues: string[] = []
    const keys: string[] = []
    const jobs: ScriptValue[] = []
    for (const { jobId, queueName, due, expiresMs = '', payload } of calls) {
      const [kind, when] = dueArgs(due)
      const way = ways.of(kind, when, expiresMs, this.keys.wakeChannel(queueName))
      if (way > queues.length) queues.push(this.keys.queue(queueName))
      keys.push(this.keys.job(jobId), this.keys.result(jobId))
      jobs.push(jobId, way, payload)
    }
    const args = [resent ? '1' : '0', this.#expiresExtraMs, ways.count, ...ways.args(), ...jobs]
    const reply = await this.#run('enqueue', [...queues, ...keys], args, {
      timeoutMs,
      resentFlag: true,
      isBrief: calls.length <= FEW_JOBS,
    })
    const queued = flags(reply, 1)
    // The reply to an earlier attempt was lost, and the job has even ended since: a fresh id can only be our own.
    if (args[0] === '1') for (const [i, call] of calls.entries()) if (call.isFreshId) queued[i] = true
    return queued
  }

  /** Sets up to `want` due jobs aside; `passOver` are ids to leave for others. */
  async reserve(
    queueName: string,
    want: number,
    passOver: Iterable<string>,
    signal?: AbortSignal,
  ): Promise<Reservation> {
    const keys = [this.keys.queue(queueName), this.keys.reserved(queueName), this.keys.paused]
    const overAll = this.#reserves++ % LOOK_OVER_ALL === 0 ? 1 : 0
    const reply = await this.#run('reserve', keys, [want, RESERVE_MS, overAll, ...passOver], { signal, isBrief: true })
    const next = Number(reply[1])
    return {
      nowMs: Number(reply[0]),
      nextDueMs: next === -1 ? null : next,
      jobIds: reply.slice(2).map((id) => readId(id as Buffer)),
    }
  }

  /** Gives reserved jobs back that are not claimed after all, and tells other workers; soon, for reservations lapse. */
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
    const told = this.hasKeyspaceListeners ? 1 : 0
    const args = [token, leaseMs, honourAborts ? 1 : 0, RETRY_COUNTER_TTL_S, PASS_OVER_MS, this.#idAt, told]
    const reply = await this.#run('claim', keys, args, { signal, isBrief: jobIds.length <= FEW_JOBS })
    return readClaims(reply, jobIds, queueName, token)
  }

  /** Sets the try counter to the `job_try` a producer asked for, as arq does when it is ahead. */
  async setTry(claim: Held, jobTry: number): Promise<void> {
    await this.connection.run((client) => client.setex(this.keys.retry(claim.jobId), RETRY_COUNTER_TTL_S, jobTry))
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
    return flags(await this.#run('renew', keys, args, { signal }), 1)
  }

  /** Ends jobs of one queue for good; false where the lease was lost, and nothing was written. */
  async finish(queueName: string, endings: readonly Finish[]): Promise<boolean[]> {
    const keys: string[] = [this.keys.abort, this.keys.dead, this.keys.queue(queueName), this.keys.stats(queueName)]
    const ways: FinishWay[] = []
    for (const [at, job] of endings.entries()) wayOf(ways, job).jobs.push(at)
    const order = ways.flatMap((way) => way.jobs)
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
    const told = ways.flatMap((way) => [way.jobs.length, way.token, way.jobTry, way.outcome, way.ttlMs, way.keepMs])
    const args = ['0', queueName, this.#idAt, order.length, ways.length, ...told, ...results, ...dead]
    const reply = await this.#run('finish', [...keys, ...letters], args, {
      resentFlag: true,
      isBrief: endings.length <= FEW_JOBS,
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
    return flags(await this.#run('reschedule', keys, args, { resentFlag: true }), 0)
  }

  /** Asks for an abort; false when the job is neither queued nor running. */
  async requestAbort(jobId: string, queueName: string, timeoutMs?: number): Promise<boolean> {
    const keys = [this.keys.abort, this.keys.queue(queueName), this.keys.inProgress(jobId)]
    const args = [jobId, this.keys.wakeChannel(queueName), this.keys.abortChannel]
    return (await this.#run('abort', keys, args, { timeoutMs }))[0] === 1
  }

  /** Which of these running jobs are asked to abort, and since when. The requests stay until the jobs are settled. */
  async abortRequests(jobIds: readonly string[], signal?: AbortSignal): Promise<Map<string, number>> {
    const scores = await this.connection.run((client) => client.zmscore(this.keys.abort, ...jobIds.map(sendId)), {
      signal,
    })
    return new Map(jobIds.flatMap((id, i) => (scores[i] == null ? [] : [[id, Number(scores[i])] as const])))
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

  async #run(
    name: ScriptName,
    keys: readonly string[],
    args: ScriptValue[],
    options: {
      timeoutMs?: number | undefined
      signal?: AbortSignal | undefined
      resentFlag?: boolean
      /** The reply is due at once. */
      isBrief?: boolean
    } = {},
  ): Promise<ScriptReply[]> {
    const { timeoutMs, signal, isBrief } = options
    return this.connection.run(
      async (client, attempt) => {
        if (options.resentFlag && attempt > 0) args[0] = '1'
        const sent = this.clock.local()
        const replied = runScript(client, name, keys, args)
        const reply = await (isBrief ? this.#vigil.for(replied) : replied)
        if (reportsTime.has(name)) this.clock.observe(Number(reply[0]), sent)
        return reply
      },
      { timeoutMs, signal },
    )
  }
}

/** Scripts whose first reply is Redis's time. */
const reportsTime: ReadonlySet<ScriptName> = new Set<ScriptName>(['enqueue', 'reserve', 'claim', 'renew'])

/** What `claim.lua` tells of the jobs it took. */
function readClaims(reply: ScriptReply[], jobIds: readonly string[], queueName: string, token: string): Claim[] {
  const taken: Claim[] = []
  for (const [i, jobId] of jobIds.entries()) {
    const score = reply[i + 1]
    if (score === null) continue
    taken.push({ jobId, queueName, token, payload: null, jobTry: 1, abortAskedMs: null, score: Number(score) })
  }
  let at = 1 + jobIds.length
  for (let more = Number(reply[at++]); more > 0; more--) {
    const claim = taken[Number(reply[at]) - 1]!
    const asked = reply[at + 2]!
    claim.jobTry = Number(reply[at + 1])
    claim.abortAskedMs = asked === null ? null : Number(asked)
    at += 3
  }
  for (const claim of taken) claim.payload = reply[at++] as Buffer | null
  return taken
}

/** How jobs of a batch ended, and which. */
interface FinishWay {
  token: string
  jobTry: number
  outcome: FinishOutcome
  ttlMs: number
  keepMs: number
  jobs: number[]
}

function wayOf(
  ways: FinishWay[],
  { token, jobTry, outcome, result, resultTtlMs, keepInProgressMs }: Finish,
): FinishWay {
  const ttlMs = result === null ? -1 : resultTtlMs
  for (let i = ways.length - 1; i >= 0; i--) {
    const way = ways[i]!
    const isSame = way.token === token && way.jobTry === jobTry && way.outcome === outcome
    if (isSame && way.ttlMs === ttlMs && way.keepMs === keepInProgressMs) return way
  }
  const way: FinishWay = { token, jobTry, outcome, ttlMs, keepMs: keepInProgressMs, jobs: [] }
  ways.push(way)
  return way
}

type Way = [ScriptValue, ScriptValue, ScriptValue, ScriptValue]

/** How many ways back an equal one is looked for: jobs that go alike stand together. */
const LOOK_BACK = 8

/** What the jobs of a batch have in common, told once. */
class Ways {
  readonly #all: Way[] = []

  get count(): number {
    return this.#all.length
  }

  /** The number of a way, from 1. */
  of(a: ScriptValue, b: ScriptValue, c: ScriptValue, d: ScriptValue): number {
    const all = this.#all
    for (let i = all.length - 1; i >= 0 && i >= all.length - LOOK_BACK; i--) {
      const way = all[i]!
      if (way[0] === a && way[1] === b && way[2] === c && way[3] === d) return i + 1
    }
    return all.push([a, b, c, d])
  }

  /** In a batch the ways come before the jobs. */
  args(): ScriptValue[] {
    return this.#all.flat()
  }
}

function dueArgs(due: Due): [string, number] {
  return 'at' in due ? ['at', Math.round(due.at)] : ['in', Math.round(due.in)]
}

function flags(reply: ScriptReply[], from: number): boolean[] {
  return reply.slice(from).map((value) => value === 1)
}
