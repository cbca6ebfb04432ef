import type { Keys } from '@arq-ts/protocol/jobs'
import { RETRY_COUNTER_TTL_S } from '@arq-ts/protocol/jobs'
import { RedisReplyError } from '../errors.ts'
import type { Claim } from './broker-calls.ts'
import type { Connection } from './connection.ts'
import type { RunScript } from './due-jobs.ts'
import type { Faults } from './faults.ts'
import { readId, sendId } from './id-bytes.ts'
import { dueTimeIn, readScore } from './scores.ts'

/** Abort requests looked at, jobs that one call ends, and bytes of their payloads, at most. */
const MAX_REQUESTS = 1_000
const MAX_CLAIMS = 100
const MAX_PAYLOAD_BYTES = 16_777_216
/** Time for which one abort request makes more of them likely, in ms. */
const LATELY_MS = 86_400_000

/** Options for taking jobs that are asked to abort. */
export interface AbortedClaimOptions {
  token: string
  leaseMs: number
  /** Says whether a request of this time concerns the job of this payload, or an earlier one of the same id. */
  isAsked: (payload: Buffer, askedMs: number) => boolean
  signal?: AbortSignal
}

/** Jobs that stand in `arq:abort`: those that run are named, those that do not are taken to be ended. */
export class AbortedJobs {
  readonly #connection: Connection
  readonly #keys: Keys
  readonly #faults: Faults
  readonly #run: RunScript
  #seenAtMs = -Infinity

  constructor(options: { connection: Connection; keys: Keys; faults: Faults; run: RunScript }) {
    this.#connection = options.connection
    this.#keys = options.keys
    this.#faults = options.faults
    this.#run = options.run
  }

  /** True in a fleet that makes use of aborts: a request was seen within a day. */
  get wereAskedLately(): boolean {
    return performance.now() - this.#seenAtMs < LATELY_MS
  }

  /** Jobs among these that are asked to abort, and since when. The requests stay until the jobs are settled. */
  async requests(jobIds: readonly string[], signal?: AbortSignal): Promise<Map<string, number>> {
    const { abort } = this.#keys
    const ids = jobIds.map(sendId)
    const read = () => this.#connection.run((client) => client.zmscore(abort, ...ids), { signal })
    const scores = await this.#unlessFaulty(read, [])
    return new Map(jobIds.flatMap((id, i) => (scores[i] == null ? [] : [[id, readScore(scores[i])] as const])))
  }

  /**
   * Takes jobs of a queue that do not run and are asked to abort, due or not, so that they end whatever the slots of the
   * worker do. Newer requests come first. While there are no requests this is one cheap command.
   */
  async claim(queueName: string, { token, leaseMs, isAsked, signal }: AbortedClaimOptions): Promise<Claim[]> {
    const jobIds = await this.#askedToAbort(queueName, isAsked, signal)
    if (jobIds.length === 0) return []
    const idAt = Buffer.byteLength(this.#keys.inProgress('')) + 1
    const keys = [this.#keys.queue(queueName), this.#keys.abort, ...jobIds.flatMap((id) => this.#jobKeys(id))]
    const reply = await this.#run('claimAborted', keys, [token, leaseMs, RETRY_COUNTER_TTL_S, idAt], { signal })
    const claims: Claim[] = []
    for (let at = 0; at < reply.length; at += 6) {
      const [number, score, jobTry, asked, payload, deaths] = reply.slice(at, at + 6)
      claims.push({
        jobId: jobIds[Number(number) - 1]!,
        queueName,
        token,
        payload: payload as Buffer,
        jobTry: Number(jobTry),
        abortAskedMs: readScore(String(asked)),
        score: dueTimeIn(String(score)),
        deaths: Number(deaths),
      })
    }
    return claims
  }

  /** Members of a queue that do not run and have an abort request of their own. */
  async #askedToAbort(
    queueName: string,
    isAsked: (payload: Buffer, askedMs: number) => boolean,
    signal: AbortSignal | undefined,
  ): Promise<string[]> {
    const { abort } = this.#keys
    const waiting = { signal }
    const requests = await this.#unlessFaulty(
      () =>
        this.#connection.run(
          (client) => client.zrangeBuffer(abort, 0, String(MAX_REQUESTS - 1), 'REV', 'WITHSCORES'),
          waiting,
        ),
      [],
    )
    const asked = new Map<string, number>()
    for (let at = 0; at < requests.length; at += 2)
      asked.set(readId(requests[at]!), readScore(String(requests[at + 1])))
    if (asked.size === 0) return []
    this.#seenAtMs = performance.now()
    const ids = [...asked.keys()]
    const queue = this.#keys.queue(queueName)
    const scores = await this.#connection.run((client) => client.zmscore(queue, ...ids.map(sendId)), waiting)
    const queued = ids.filter((_, i) => scores[i] != null)
    if (queued.length === 0) return []
    const verdicts = await this.#run(
      'sift',
      queued.flatMap((id) => this.#jobKeys(id)),
      [MAX_PAYLOAD_BYTES],
      waiting,
    )
    return queued
      .filter((id, i) => verdicts[i] instanceof Buffer && isAsked(verdicts[i], asked.get(id)!))
      .slice(0, MAX_CLAIMS)
  }

  /** Runs what reads `arq:abort`; where that is no sorted set there are no requests, and the fault is reported. */
  async #unlessFaulty<T>(read: () => Promise<T>, none: T): Promise<T> {
    try {
      return await read()
    } catch (error) {
      if (!(error instanceof RedisReplyError) || error.prefix !== 'WRONGTYPE') throw error
      this.#faults.report({ queueName: undefined, jobId: undefined, key: this.#keys.abort, reason: error.message })
      return none
    }
  }

  #jobKeys(jobId: string): [string, string, string] {
    return [this.#keys.inProgress(jobId), this.#keys.job(jobId), this.#keys.retry(jobId)]
  }
}
