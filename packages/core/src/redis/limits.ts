import type { Keys } from '@arq-ts/protocol/jobs'
import { EXPIRES_EXTRA_MS } from '@arq-ts/protocol/jobs'
import { PAGE } from './calls.ts'
import type { Call, Calls } from './calls.ts'
import type { Connection } from './connection.ts'
import { intact } from './damage.ts'
import { readId, sendId } from './id-bytes.ts'
import { runScript } from './scripts.ts'
import type { ScriptValue } from './scripts.ts'
import type { LeasedJob } from './broker-calls.ts'

/** Length of a hold in ms: ten years, which no worker of either language waits for. */
export const HOLD_MS = 315_360_000_000
/** Time a free place is kept for the job it was offered to, past the job's due time, in ms. */
export const OFFER_MS = 5_000
/** Offers of a rate are made for starts within this many ms. */
const HORIZON_MS = 1_000
const MAX_OFFERS = 100
/** Jobs that the first call of a row offers places to, at most: mostly one or two can have one. */
const FIRST_OFFERS = 4
/** Limits that one call names which are to be looked at. */
export const MAX_DUE = 100
const SEPARATOR = '\u0000'
/** First part of the ids of limits that keep jobs of a unique key apart; the key follows. No name of a user's has an `@`. */
export const OF_UNIQUE_KEY = '@unique:'

/** One limit that a job is under. */
export interface LimitClaim {
  /** Its name, and the key it is counted by: `name:key`, or the name alone. */
  id: string
  name: string
  /** Settings as the task declares them, as `settingsText` writes them. */
  declared: string
  /** The share of the limit that the job belongs to, and the weight of that share; undefined without shares. */
  share?: { key: string; weight: number } | undefined
}

/** The answer to a request for places: `waiting` are the limits, by their place in the request, that others wait for. */
export interface LimitAnswer {
  kind: 'admitted' | 'held' | 'lost'
  waiting: number[]
}

/** Jobs that leave a limit. */
export interface Leavers {
  /** Places that are given back. */
  places: readonly string[]
  /** Jobs that wait no more. */
  jobs: readonly { jobId: string; queueName: string }[]
}

/** Outcome of a call that serves a limit. */
export interface Served {
  /** Number of jobs that were offered a place. */
  offers: number
  /** Time until another call can make an offer that had to wait, in ms. */
  againMs: number | undefined
}

/** Counts of one limit. */
export interface LimitCounts {
  id: string
  running: number
  offered: number
  waiting: number
  /** Settings as a task declared them; empty unless a job waits. */
  declared: string
}

/** A job under a limit. */
export interface LimitJob {
  jobId: string
  /** `running`: it has a place. `offered`: a place is reserved for it. `waiting`: it is held. */
  state: 'running' | 'offered' | 'waiting'
  /** Its queue; null for a running job, whose place does not name the queue. */
  queueName: string | null
  /** The worker that runs it; null for a job that does not run. */
  workerId: string | null
  /** The end of the lease of its place, or of its offer; null for a waiting job. */
  until: Date | null
}

/** A hold of a job: why its score is far. */
export interface HoldRecord {
  /** The capability that holds it: `limit`, `flow`, `unique`. */
  by: string
  /** Id of the limit that holds the job; its flow and member; its unique key, which the job before it has. */
  about: string
  sinceMs: number
}

/** Reads the note in `arq:held`; null where the job's score is not that of the hold. */
function readHold(text: unknown, score: number): HoldRecord | null {
  if (typeof text !== 'string') return null
  const [mark, since, , by, ...about] = text.split(' ')
  if (Number(mark) !== Math.floor(score)) return null
  const id = about.join(' ')
  const isOfKey = by === 'limit' && id.startsWith(OF_UNIQUE_KEY)
  const what = isOfKey ? { by: 'unique', about: id.slice(OF_UNIQUE_KEY.length) } : { by: by ?? '', about: id }
  return { ...what, sinceMs: Number(since) }
}

/** The places, offers and queues of limits in Redis. */
export class LimitRecords {
  readonly #connection: Connection
  readonly #calls: Calls
  readonly #keys: Keys
  readonly #expiresExtraMs: number

  constructor(connection: Connection, calls: Calls, keys: Keys, expiresExtraMs = EXPIRES_EXTRA_MS) {
    this.#connection = connection
    this.#calls = calls
    this.#keys = keys
    this.#expiresExtraMs = expiresExtraMs
  }

  /** Takes a place in every limit for a claimed job, or holds the job. Waits for Redis. */
  async admit(
    claim: LeasedJob,
    limits: readonly LimitClaim[],
    { leaseMs, turn }: { leaseMs: number; turn: number },
  ): Promise<LimitAnswer> {
    const { jobId, queueName, token } = claim
    const keys = this.#keys
    const scriptKeys = [keys.queue(queueName), keys.inProgress(jobId), keys.job(jobId), keys.retry(jobId)]
    scriptKeys.push(keys.held, keys.limits, keys.limitWatch, ...limits.flatMap(({ id }) => this.#setsOf(id)))
    const member = memberOf(queueName, jobId)
    const args: ScriptValue[] = [
      jobId,
      token,
      leaseMs,
      HOLD_MS,
      this.#expiresExtraMs,
      member,
      Math.max(1, Math.round(turn)),
    ]
    for (const { id, name, declared, share } of limits)
      args.push(id, name, declared, share?.key ?? '', String(share?.weight ?? 1))
    const reply = await this.#connection.run((client) => runScript(client, 'limitAdmit', scriptKeys, args))
    const kind = reply[0] === 1 ? 'admitted' : reply[0] === 0 ? 'held' : 'lost'
    return { kind, waiting: reply.slice(1).map((number) => Number(number) - 1) }
  }

  /** Extends the places of a job with its lease. */
  async renew(claim: LeasedJob, limits: readonly LimitClaim[], untilMs: number, leaseMs: number): Promise<void> {
    const place = placeOf(claim)
    const running = limits.map(({ id }) => this.#keys.limitRunning(id))
    await this.#calls.attempt(
      running.flatMap((key): Call[] => [
        ['zadd', key, 'XX', Math.ceil(untilMs), place],
        ['pexpire', key, leaseMs + 60_000],
      ]),
    )
  }

  /**
   * Gives places back and offers free ones to those that wait, until nobody waits who could start. In a queue that is behind,
   * a start that the rate allows later is offered by a call at that time: in `againMs`.
   */
  async serve(
    limit: { id: string; name: string },
    { places, jobs }: Leavers,
    options: { offerAnew?: boolean } = {},
  ): Promise<Served> {
    const { id, name } = limit
    const leavers = [
      places.length,
      ...places,
      jobs.length,
      ...jobs.flatMap((job) => [memberOf(job.queueName, job.jobId), job.jobId]),
    ]
    let next = options.offerAnew ? await this.#offered(id) : []
    let leaving: ScriptValue[] = leavers
    let anew = options.offerAnew ? 1 : 0
    const served: Served = { offers: 0, againMs: undefined }
    const named = new Set<string>()
    do {
      const members = next.map(readMember)
      const keys = [...this.#setsOf(id), this.#keys.held, this.#keys.limits, this.#keys.limitWatch]
      for (const { queueName, jobId } of members) keys.push(this.#keys.queue(queueName), this.#keys.job(jobId))
      const most = members.length === 0 ? FIRST_OFFERS : MAX_OFFERS
      const args = [id, name, OFFER_MS, this.#expiresExtraMs, HORIZON_MS, most, anew, ...leaving]
      for (const { queueName, jobId } of members)
        args.push(memberOf(queueName, jobId), jobId, this.#keys.wakeChannel(queueName))
      const [made, again, ...nexts] = await this.#calls.script('limitFill', keys, args)
      served.offers += Number(made)
      served.againMs = String(again) === '' ? undefined : Number(again)
      for (const member of next) named.add(member)
      next = nexts.map((member) => readId(member as Buffer)).filter((member) => !named.has(member))
      leaving = [0, 0]
      anew = 0
    } while (next.length > 0)
    return served
  }

  async #offered(id: string): Promise<string[]> {
    const [members] = (await this.#calls.pipeline([['zrangeBuffer', this.#keys.limitOffered(id), 0, -1]])) as [Buffer[]]
    return members.map(readId)
  }

  /** Limits that are to be looked at by now, the longest overdue first: at most `MAX_DUE`, without the first `behind`. */
  async due(nowMs: number, behind = 0): Promise<string[]> {
    const [ids] = (await this.#calls.pipeline([
      ['zrangebyscore', this.#keys.limitWatch, '-inf', nowMs, 'LIMIT', behind, MAX_DUE],
    ])) as [string[]]
    return ids
  }

  /** Ids of limits that jobs wait for. */
  async watched(): Promise<string[]> {
    const [ids] = (await this.#calls.pipeline([['zrange', this.#keys.limitWatch, 0, -1]])) as [string[]]
    return ids
  }

  /** Ids of limits that were set at run time; for all keys of a limit, its name. */
  async setIds(): Promise<string[]> {
    const [ids] = (await this.#calls.pipeline([['hkeys', this.#keys.limits]])) as [string[]]
    return ids
  }

  /** Settings made at run time for these ids, in the order given; null where nothing is set. */
  async settings(ids: readonly string[]): Promise<(string | null)[]> {
    const pages: Call[] = []
    for (let from = 0; from < ids.length; from += PAGE)
      pages.push(['hmget', this.#keys.limits, ...ids.slice(from, from + PAGE)])
    return ((await this.#calls.pipeline(pages)) as (string | null)[][]).flat()
  }

  async set(id: string, settings: string): Promise<void> {
    await this.#calls.pipeline([['hset', this.#keys.limits, id, settings]])
  }

  /** False where nothing was set. */
  async unset(id: string): Promise<boolean> {
    const [removed] = await this.#calls.pipeline([['hdel', this.#keys.limits, id]])
    return removed === 1
  }

  /** Counts of limits, in the order given. Leases and offers that have ended are left out. */
  async counts(ids: readonly string[], nowMs: number): Promise<LimitCounts[]> {
    const replies: unknown[] = []
    for (let from = 0; from < ids.length; from += PAGE) {
      const calls = ids.slice(from, from + PAGE).flatMap((id): Call[] => [
        ['zcount', this.#keys.limitRunning(id), `(${nowMs}`, '+inf'],
        ['zcount', this.#keys.limitOffered(id), `(${nowMs}`, '+inf'],
        ['zcard', this.#keys.limitWaiting(id)],
        ['hget', this.#keys.limitState(id), 'declared'],
      ])
      replies.push(...(await this.#calls.pipeline(calls)))
    }
    return ids.map((id, i) => {
      const [running, offered, waiting, declared] = replies.slice(4 * i, 4 * i + 4)
      return {
        id,
        running: Number(running),
        offered: Number(offered),
        waiting: Number(waiting),
        declared: (declared as string | null) ?? '',
      }
    })
  }

  /** Jobs that have a place, are offered one, or wait; at most `most` of each. */
  async members(id: string, nowMs: number, most: number): Promise<LimitJob[]> {
    const live = [`(${nowMs}`, '+inf', 'WITHSCORES', 'LIMIT', 0, most]
    const replies = await this.#calls.pipeline([
      ['zrangebyscoreBuffer', this.#keys.limitRunning(id), ...live],
      ['zrangebyscoreBuffer', this.#keys.limitOffered(id), ...live],
      ['zrangeBuffer', this.#keys.limitWaiting(id), 0, most - 1],
    ])
    const [running, offered, waiting] = replies as [Buffer[], Buffer[], Buffer[]]
    return [
      ...scored(running).map(([member, until]): LimitJob => ({ ...readPlace(member), state: 'running', until })),
      ...scored(offered).map(([member, until]): LimitJob => ({ ...held(member), state: 'offered', until })),
      ...waiting.map((member): LimitJob => ({ ...held(readId(member)), state: 'waiting', until: null })),
    ]
  }

  /** Keeps the reason of a hold by its score. */
  async recordHold(
    jobId: string,
    { untilMs, by, about }: { untilMs: number; by: string; about: string },
    nowMs: number,
  ): Promise<void> {
    const at = Math.round(nowMs)
    const text = `${Math.round(untilMs)} ${at} ${at} ${by} ${about}`
    await this.#connection.run((client) => client.hset(this.#keys.held, sendId(jobId), text))
  }

  /** The hold of each of these members of queues; null for one that is not held. */
  async holdsOf(members: readonly { jobId: string; score: number }[]): Promise<(HoldRecord | null)[]> {
    if (members.length === 0) return []
    const [reply] = await this.#calls.attempt([['hmget', this.#keys.held, ...members.map(({ jobId }) => jobId)]])
    const texts = intact<unknown[]>(reply, [])
    return members.map(({ score }, i) => readHold(texts[i], score))
  }

  #setsOf(id: string): string[] {
    const keys = this.#keys
    return [keys.limitRunning(id), keys.limitOffered(id), keys.limitWaiting(id), keys.limitState(id)]
  }
}

/** The name of a limit by its id. Names hold no colon. */
export function nameOfLimit(id: string): string {
  const colon = id.indexOf(':')
  return colon < 0 ? id : id.slice(0, colon)
}

/** The place of a claimed job: of this claim alone, so that a worker that lost its lease gives back its own. */
export function placeOf({ jobId, token }: Pick<LeasedJob, 'jobId' | 'token'>): string {
  return `${token} ${jobId}`
}

/** Reads what `placeOf` wrote: a token ends with a slash and a UUID. */
function readPlace(place: string): Pick<LimitJob, 'jobId' | 'queueName' | 'workerId'> {
  const [, workerId = null, jobId = place] = /^([^]*?)\/[\da-f]{8}-[\da-f-]{27} ([^]*)$/.exec(place) ?? []
  return { jobId, queueName: null, workerId }
}

function held(member: string): Pick<LimitJob, 'jobId' | 'queueName' | 'workerId'> {
  return { ...readMember(member), workerId: null }
}

/** Members with their scores as times. */
function scored(reply: readonly Buffer[]): [member: string, until: Date][] {
  return Array.from({ length: reply.length / 2 }, (_, i) => [
    readId(reply[2 * i]!),
    new Date(Math.round(Number(reply[2 * i + 1]))),
  ])
}

function memberOf(queueName: string, jobId: string): string {
  return queueName + SEPARATOR + jobId
}

function readMember(member: string): { queueName: string; jobId: string } {
  const end = member.indexOf(SEPARATOR)
  return { queueName: member.slice(0, end), jobId: member.slice(end + 1) }
}
