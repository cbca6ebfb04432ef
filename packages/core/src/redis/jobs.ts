import type { Keys } from '@arq-ts/protocol/jobs'
import type { ObservedJob } from '@arq-ts/protocol/jobs'
import { PAGE } from './calls.ts'
import type { Call, Calls } from './calls.ts'
import { intact } from './damage.ts'
import type { Damage, DamagedKeys } from './damage.ts'
import { isHolder } from './holds.ts'
import { readId } from './id-bytes.ts'
import { readMany } from './many.ts'
import { deathsIn, dueTimeIn } from './scores.ts'

/** Scores that one round trip asks for: many jobs in many queues are many scores. */
const MAX_SCORES = 100_000

/** A job as Redis has it; bytes are null where there are none. */
export interface StoredJob extends ObservedJob {
  job: Buffer | null
  result: Buffer | null
}

/** A member of a queue: when it is due, in unix ms, and the tries that ended with the death of their worker. */
export interface QueuePlace {
  jobId: string
  score: number
  deaths: number
}

/** One job, and everything that decides how it is and whether something is wrong with it. */
export interface ExaminedJob {
  jobId: string
  /** Its place in the queue, in unix ms; null when it is not in it. */
  score: number | null
  payload: Buffer | null
  /** The value of the in-progress key: `1` by Python, a token by ours; null when there is none. */
  holder: string | null
  /** True when the in-progress key exists, whatever it holds. */
  isHeld: boolean
  /** The value of the try counter; null when there is none. */
  tries: string | null
  /** The number of tries that ended with the death of their worker. */
  deaths: number
  /** Keys of it that hold another type of value than they should. */
  damaged: Damage[]
}

/** Everything about one job. */
export interface JobDossier extends ExaminedJob {
  result: Buffer | null
  /** Time until its payload expires, in ms; null when it has none, or it stays. */
  payloadTtlMs: number | null
  /** Time until the in-progress key expires, in ms; null when it has none, or it stays. */
  holderTtlMs: number | null
  /** Time of the abort request, in unix ms; null when there is none. */
  abortAskedMs: number | null
  /** The error of its last try, where a worker of ours has recorded it. */
  lastError: string | null
}

/** Jobs one by one: payload, result, tries, trace and abort requests, and their removal. */
export class JobRecords {
  readonly #calls: Calls
  readonly #keys: Keys
  readonly #damaged: DamagedKeys

  constructor(calls: Calls, keys: Keys, damaged: DamagedKeys) {
    this.#calls = calls
    this.#keys = keys
    this.#damaged = damaged
  }

  /** Everything that a producer asks about one job, read in one transaction. */
  async read(jobId: string, queueName: string): Promise<StoredJob> {
    const keys = this.#keys
    const [result, job, inProgress, score] = (await this.#calls.transaction([
      ['getBuffer', keys.result(jobId)],
      ['getBuffer', keys.job(jobId)],
      ['exists', keys.inProgress(jobId)],
      ['zscore', keys.queue(queueName), jobId],
    ])) as [Buffer | null, Buffer | null, number, string | null]
    return {
      result,
      job,
      hasResult: result !== null,
      inProgress: inProgress === 1,
      score: numberOf(score),
    }
  }

  /** Everything about one job, whatever is wrong with its keys. */
  async dossier(jobId: string, queueName: string): Promise<JobDossier> {
    const keys = this.#keys
    const answers = await this.#calls.attemptTogether([
      ['zscore', keys.queue(queueName), jobId],
      ['getBuffer', keys.job(jobId)],
      ['get', keys.inProgress(jobId)],
      ['get', keys.retry(jobId)],
      ['getBuffer', keys.result(jobId)],
      ['pttl', keys.job(jobId)],
      ['pttl', keys.inProgress(jobId)],
      ['zscore', keys.abort, jobId],
      ['exists', keys.inProgress(jobId)],
      ['get', keys.lastError(jobId)],
    ])
    const [score, payload, holder, tries, result, payloadTtl, holderTtl, asked, isHeld, lastError] = answers
    return {
      jobId,
      score: numberOf(intact(score, null)),
      payload: intact(payload, null),
      holder: intact(holder, null),
      isHeld: isHeld === 1 && isHolder(holder),
      tries: intact(tries, null),
      deaths: deathsIn(intact<string | null>(score, null)),
      result: intact(result, null),
      payloadTtlMs: (payloadTtl as number) < 0 ? null : (payloadTtl as number),
      holderTtlMs: (holderTtl as number) < 0 ? null : (holderTtl as number),
      abortAskedMs: numberOf(intact(asked, null)),
      lastError: intact(lastError, null),
      damaged: await this.#damaged.among(answers),
    }
  }

  /**
   * Members of a queue with their holders and try counters, and with the payloads of those that `wants` lets through.
   * A fault of one job hides no other. `together`: each job is read at one moment, so that none is seen half
   * settled.
   */
  async examine(
    members: readonly QueuePlace[],
    wants: (job: { score: number; isHeld: boolean; tries: string | null }) => boolean = () => true,
  ): Promise<ExaminedJob[]> {
    const keys = this.#keys
    const [holders = [], counters = []] = await readMany(this.#calls, [
      members.map(({ jobId }) => keys.inProgress(jobId)),
      members.map(({ jobId }) => keys.retry(jobId)),
    ])
    const jobs = members.map(({ jobId, score, deaths }, i) => ({
      jobId,
      score,
      deaths,
      holder: textOf(holders[i]),
      // A key of another type holds the job as well: `EXISTS` is all that arq asks.
      isHeld: isHolder(holders[i]),
      tries: textOf(counters[i]),
      states: [holders[i], counters[i]],
    }))
    const wanted = jobs.filter(wants)
    const [payloads = []] = await readMany(this.#calls, [wanted.map(({ jobId }) => keys.job(jobId))])
    const broken = await this.#damaged.among([...wanted.flatMap((job) => job.states), ...payloads])
    const byKey = new Map(broken.map((damage) => [damage.key, damage]))
    return wanted.map(({ jobId, score, deaths, holder, isHeld, tries }, i) => {
      const own = byKey.size === 0 ? [] : [keys.inProgress(jobId), keys.retry(jobId), keys.job(jobId)]
      const damaged = own.flatMap((key) => byKey.get(key) ?? [])
      const payload = intact<Buffer | null>(payloads[i], null)
      return { jobId, score, deaths, holder, isHeld, tries, payload, damaged }
    })
  }

  /** Jobs that are still in the queue, each read at one moment: none is seen half enqueued or half settled. */
  async examineAgain(queueName: string, jobIds: readonly string[]): Promise<ExaminedJob[]> {
    const keys = this.#keys
    const jobs: ExaminedJob[] = []
    for (let from = 0; from < jobIds.length; from += PAGE) {
      const page = jobIds.slice(from, from + PAGE)
      const answers = await this.#calls.attemptTogether(
        page.flatMap((jobId): Call[] => [
          ['zscore', keys.queue(queueName), jobId],
          ['getBuffer', keys.job(jobId)],
          ['get', keys.inProgress(jobId)],
          ['get', keys.retry(jobId)],
        ]),
      )
      const broken = await this.#damaged.among(answers)
      for (const [i, jobId] of page.entries()) {
        const [score, payload, holder, tries] = answers.slice(4 * i, 4 * i + 4)
        const place = numberOf(intact(score, null))
        if (place === null) continue
        const own = new Set([keys.inProgress(jobId), keys.retry(jobId), keys.job(jobId)])
        jobs.push({
          jobId,
          score: place,
          payload: intact(payload, null),
          holder: intact(holder, null),
          isHeld: isHolder(holder),
          tries: intact(tries, null),
          deaths: deathsIn(intact<string | null>(score, null)),
          damaged: broken.filter(({ key }) => own.has(key)),
        })
      }
    }
    return jobs
  }

  /** A job's stored result and score, without its payload: the question of a waiting producer. */
  async readResult(jobId: string, queueName: string): Promise<{ result: Buffer | null; score: number | null }> {
    const [result, score] = (await this.#calls.transaction([
      ['getBuffer', this.#keys.result(jobId)],
      ['zscore', this.#keys.queue(queueName), jobId],
    ])) as [Buffer | null, string | null]
    return { result, score: numberOf(score) }
  }

  /** Every kept result, a page at a time; keys under that name that hold no string come as `damaged`. */
  async *results(): AsyncGenerator<{ jobId: string; result: Buffer | null; damaged: Damage[] }[]> {
    const prefix = this.#keys.result('')
    for await (const page of this.#calls.scan(prefix)) {
      const results = await this.#calls.attempt(page.map((key) => ['getBuffer', key]))
      const broken = await this.#damaged.among(results)
      yield page.flatMap((key, i) => {
        const result = intact<Buffer | null>(results[i], null)
        const damaged = broken.filter((damage) => damage.key === key)
        return result || damaged.length > 0 ? [{ jobId: key.slice(prefix.length), result, damaged }] : []
      })
    }
  }

  /** The first of these queues that has each job; jobs that none has are left out. */
  async queuesOf(jobIds: readonly string[], queueNames: readonly string[]): Promise<Map<string, string>> {
    const places = await this.placesIn(jobIds, queueNames)
    return new Map(places.reverse().map(({ jobId, queueName }) => [jobId, queueName]))
  }

  /** The places of jobs in these queues; jobs that none has are left out. */
  async placesIn(
    jobIds: readonly string[],
    queueNames: readonly string[],
  ): Promise<(QueuePlace & { queueName: string })[]> {
    const places: (QueuePlace & { queueName: string })[] = []
    for (let from = 0; from < jobIds.length; from += PAGE) {
      const page = jobIds.slice(from, from + PAGE)
      const scores = await this.#scoresIn(page, queueNames)
      for (const [i, jobId] of page.entries()) {
        for (const [at, queueName] of queueNames.entries()) {
          const score = scores[at]![i] ?? null
          if (score !== null) places.push({ jobId, queueName, score: dueTimeIn(score), deaths: deathsIn(score) })
        }
      }
    }
    return places
  }

  /** For each queue, the scores of these jobs as Redis writes them, null where it has not the job; empty for a damaged key. */
  async #scoresIn(jobIds: readonly string[], queueNames: readonly string[]): Promise<(string | null)[][]> {
    const scores: (string | null)[][] = []
    const width = Math.max(1, Math.floor(MAX_SCORES / jobIds.length))
    for (let from = 0; from < queueNames.length; from += width) {
      const keys = queueNames.slice(from, from + width).map((name) => this.#keys.queue(name))
      const answers = await this.#calls.attempt(keys.map((key): Call => ['zmscore', key, ...jobIds]))
      scores.push(...answers.map((answer) => intact<(string | null)[]>(answer, [])))
    }
    return scores
  }

  /** Removes jobs of one queue; for each: removed, not there, or running and left alone. */
  async remove(
    queueName: string,
    jobIds: readonly string[],
    options: { running: boolean; kept: boolean },
  ): Promise<('removed' | 'absent' | 'running')[]> {
    const outcomes: ('removed' | 'absent' | 'running')[] = []
    for (let from = 0; from < jobIds.length; from += PAGE) {
      const page = jobIds.slice(from, from + PAGE)
      const { abort, dead } = this.#keys
      const keys = [this.#keys.queue(queueName), this.#keys.reserved(queueName), abort, dead]
      for (const id of page) keys.push(...this.#keysOf(id))
      const args = [options.running ? '1' : '0', options.kept ? '1' : '0', ...page]
      const replies = await this.#calls.script('remove', keys, args)
      for (const reply of replies) outcomes.push(reply === 1 ? 'removed' : reply === 2 ? 'running' : 'absent')
    }
    return outcomes
  }

  /**
   * Puts waiting jobs at another place: `toQueue` may be their own queue, and `dueMs` null keeps the time at which each
   * is due. For each: moved, not there, running and left alone, or refused since the other queue has the id.
   */
  async move(
    queueName: string,
    toQueue: string,
    jobIds: readonly string[],
    dueMs: number | null,
  ): Promise<('moved' | 'absent' | 'running' | 'taken')[]> {
    const outcomes: ('moved' | 'absent' | 'running' | 'taken')[] = []
    const words = ['absent', 'moved', 'running', 'taken'] as const
    for (let from = 0; from < jobIds.length; from += PAGE) {
      const page = jobIds.slice(from, from + PAGE)
      const keys = [this.#keys.queue(queueName), this.#keys.queue(toQueue), this.#keys.reserved(queueName)]
      for (const id of page) keys.push(this.#keys.inProgress(id))
      const args = [dueMs === null ? '' : String(Math.round(dueMs)), this.#keys.wakeChannel(toQueue), ...page]
      const replies = await this.#calls.script('move', keys, args)
      for (const reply of replies) outcomes.push(words[Number(reply)]!)
    }
    return outcomes
  }

  /** Takes running jobs from workers that are gone, while those still hold them; returns their number. */
  async free(queueName: string, jobs: readonly { jobId: string; holder: string }[]): Promise<number> {
    let freed = 0
    for (let from = 0; from < jobs.length; from += PAGE) {
      const page = jobs.slice(from, from + PAGE)
      const keys = [this.#keys.queue(queueName), ...page.map((job) => this.#keys.inProgress(job.jobId))]
      const args = [this.#keys.wakeChannel(queueName), ...page.flatMap((job) => [job.jobId, job.holder])]
      const replies = await this.#calls.script('free', keys, args)
      freed += replies.filter((reply) => reply === 1).length
    }
    return freed
  }

  /** Removes try counters that are no numbers, while they still are none; returns their number. */
  async dropCounters(jobIds: readonly string[]): Promise<number> {
    const values = await this.#calls.attempt(jobIds.map((id) => ['get', this.#keys.retry(id)]))
    const broken = jobIds.filter((_, i) => !isCounter(intact<string | null>(values[i], null)))
    await this.#calls.pipeline(broken.map((id) => ['del', this.#keys.retry(id)]))
    return broken.length
  }

  /** Abort requests for jobs that are in none of these queues and do not run. */
  async staleAborts(queueNames: readonly string[]): Promise<string[]> {
    const [reply] = await this.#calls.attempt([['zrangeBuffer', this.#keys.abort, 0, -1]])
    const ids = intact<Buffer[]>(reply, []).map(readId)
    const stale: string[] = []
    for (let from = 0; from < ids.length; from += PAGE) {
      const page = ids.slice(from, from + PAGE)
      const holders = await this.#calls.attempt(page.map((id) => ['get', this.#keys.inProgress(id)]))
      const scores = await this.#scoresIn(page, queueNames)
      // An in-progress key of another type holds the job as well; a queue key of another type has no members.
      stale.push(...page.filter((_, i) => !isHolder(holders[i]) && scores.every((own) => (own[i] ?? null) === null)))
    }
    return stale
  }

  /** Removes abort requests; returns their number. */
  async dropAborts(jobIds: readonly string[]): Promise<number> {
    let dropped = 0
    for (let from = 0; from < jobIds.length; from += PAGE) {
      const [count] = await this.#calls.pipeline([['zrem', this.#keys.abort, ...jobIds.slice(from, from + PAGE)]])
      dropped += Number(count)
    }
    return dropped
  }

  /** The trace context that a Python producer stored with its job; empty where there is none. */
  async readTrace(jobId: string): Promise<Record<string, string>> {
    const [value] = (await this.#calls.pipeline([['get', this.#keys.trace(jobId)]])) as [string | null]
    const carrier: unknown = value === null ? undefined : JSON.parse(value)
    return typeof carrier === 'object' && carrier !== null ? (carrier as Record<string, string>) : {}
  }

  /** Keeps the error of a try that another one follows, for those who ask why the job waits. */
  async recordError(jobId: string, error: string, ttlMs: number): Promise<void> {
    await this.#calls.pipeline([['set', this.#keys.lastError(jobId), error, 'PX', Math.round(ttlMs)]])
  }

  /** The errors of the last tries of these jobs; null where none was recorded. */
  async lastErrors(jobIds: readonly string[]): Promise<(string | null)[]> {
    const values = await this.#calls.attempt(jobIds.map((id) => ['get', this.#keys.lastError(id)]))
    return values.map((value) => intact<string | null>(value, null))
  }

  #keysOf(jobId: string): string[] {
    const keys = this.#keys
    return [
      keys.inProgress(jobId),
      keys.job(jobId),
      keys.retry(jobId),
      keys.result(jobId),
      keys.deadLetter(jobId),
      keys.trace(jobId),
      keys.lastError(jobId),
    ]
  }
}

/** An answer as text; null where there is none, or its key holds another type. */
function textOf(answer: unknown): string | null {
  return intact<Buffer | null>(answer, null)?.toString() ?? null
}

/** True when Redis can count on from this value of a try counter. */
export function isCounter(value: string | null): boolean {
  return value === null || /^-?(0|[1-9]\d{0,17})$/.test(value)
}

function numberOf(score: string | null): number | null {
  return score === null ? null : dueTimeIn(score)
}
