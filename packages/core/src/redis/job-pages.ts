import type { Keys } from '@arq-ts/protocol/jobs'
import type { Calls } from './calls.ts'
import { intact } from './damage.ts'
import type { Damage, DamagedKeys } from './damage.ts'
import { readId, sendId } from './id-bytes.ts'
import { deathsIn, dueTimeIn } from './scores.ts'
import type { QueuePlace } from './jobs.ts'
import type { ScoreRange } from './queues.ts'

/** A member of a sorted set, by the score as Redis writes it. */
export interface Place {
  score: string
  jobId: string
}

/** Pages of jobs that a later call continues from the last job of the one before, at a cost that does not grow with depth. */
export class JobPages {
  readonly #calls: Calls
  readonly #keys: Keys
  readonly #damaged: DamagedKeys

  constructor(calls: Calls, keys: Keys, damaged: DamagedKeys) {
    this.#calls = calls
    this.#keys = keys
    this.#damaged = damaged
  }

  /** Members of a queue within a range of scores, after a place, in the order in which they are due. */
  async members(
    queueName: string,
    { min = '-inf', max = '+inf' }: ScoreRange,
    after: Place | null,
    limit: number,
  ): Promise<(QueuePlace & { place: string })[]> {
    const key = this.#keys.queue(queueName)
    const start = after === null ? 0 : await this.#rank(key, after, true)
    const [reply] = await this.#calls.attempt([
      after === null
        ? ['zrangeBuffer', key, min, max, 'BYSCORE', 'LIMIT', 0, limit, 'WITHSCORES']
        : ['zrangeBuffer', key, start, start + limit - 1, 'WITHSCORES'],
    ])
    const members = intact<Buffer[]>(reply, [])
    const page: (QueuePlace & { place: string })[] = []
    for (let i = 0; i < members.length; i += 2) {
      const score = members[i + 1]!.toString()
      if (max !== '+inf' && Number(score) > Number(max)) break
      page.push({ jobId: readId(members[i]!), score: dueTimeIn(score), deaths: deathsIn(score), place: score })
    }
    return page
  }

  /** The number of dead letters that are newer than a place, or at it: where the page after it begins. */
  async deadOffset(after: Place): Promise<number> {
    const [total] = await this.#calls.attempt([['zcard', this.#keys.dead]])
    return intact(total, 0) - (await this.#rank(this.#keys.dead, after, false))
  }

  /** The scores of members of a sorted set as Redis writes them; null for one that is not there. */
  async places(queueName: string | null, jobIds: readonly string[]): Promise<(string | null)[]> {
    const key = queueName === null ? this.#keys.dead : this.#keys.queue(queueName)
    const scores = await this.#calls.attempt(jobIds.map((id) => ['zscore', key, id]))
    return scores.map((score) => intact<string | null>(score, null))
  }

  /** The number of members of these queues, and of dead letters where they are asked for. */
  async size(queueNames: readonly string[], withDead: boolean): Promise<number> {
    const keys = [...queueNames.map((name) => this.#keys.queue(name)), ...(withDead ? [this.#keys.dead] : [])]
    const counts = await this.#calls.attempt(keys.map((key) => ['zcard', key]))
    return counts.reduce<number>((sum, count) => sum + intact(count, 0), 0)
  }

  /** The number of members that these queues have within a range of scores. */
  async count(queueNames: readonly string[], { min = '-inf', max = '+inf' }: ScoreRange): Promise<number> {
    const counts = await this.#calls.attempt(queueNames.map((name) => ['zcount', this.#keys.queue(name), min, max]))
    return counts.reduce<number>((sum, count) => sum + intact(count, 0), 0)
  }

  /** For each time, the number of members of a queue that are due by then. */
  async dueBy(queueName: string, timesMs: readonly number[]): Promise<number[]> {
    const key = this.#keys.queue(queueName)
    const counts = await this.#calls.attempt(timesMs.map((ms) => ['zcount', key, '-inf', ms]))
    return counts.map((count) => intact(count, 0))
  }

  /** Kept results whose ids begin with `idPrefix`, a step of a scan at a time. */
  async results(
    cursor: string | null,
    idPrefix = '',
  ): Promise<{ entries: { jobId: string; result: Buffer | null; damaged: Damage[] }[]; cursor: string | null }> {
    const prefix = this.#keys.result('')
    const step = await this.#calls.scanStep(prefix + idPrefix, cursor)
    const results = await this.#calls.attempt(step.keys.map((key) => ['getBuffer', key]))
    const broken = await this.#damaged.among(results)
    const entries = step.keys.flatMap((key, i) => {
      const result = intact<Buffer | null>(results[i], null)
      const damaged = broken.filter((damage) => damage.key === key)
      return result || damaged.length > 0 ? [{ jobId: key.slice(prefix.length), result, damaged }] : []
    })
    return { entries, cursor: step.cursor }
  }

  /** The number of members before a place, or up to and with it. Members of one score are ordered by the bytes of their ids. */
  async #rank(key: string, { score, jobId }: Place, isInclusive: boolean): Promise<number> {
    const [below, upTo] = await this.#calls.attempt([
      ['zcount', key, '-inf', `(${score}`],
      ['zcount', key, '-inf', score],
    ])
    const wanted = Buffer.from(sendId(jobId))
    let low = intact(below, 0)
    let high = intact(upTo, 0)
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      const [reply] = await this.#calls.attempt([['zrangeBuffer', key, middle, middle]])
      const [member] = intact<Buffer[]>(reply, [])
      if (!member) return middle
      const order = Buffer.compare(member, wanted)
      if (order < 0 || (isInclusive && order === 0)) low = middle + 1
      else high = middle
    }
    return low
  }
}
