import { ArgumentsError } from '@arq-ts/core'
import type { ChainableCommander, Redis } from 'ioredis'
import { z } from 'zod'
import type { Keys } from './keys.ts'
import { minuteOf } from './metrics.ts'
import type { Bucket } from './types.ts'

const KEPT_S = 7_200

/** One request of a deployment, as it went. */
export interface RequestOutcome {
  deploymentId: string
  collection: string
  /** From 0. */
  latencyMs: number
  isError: boolean
}

const text = z.string('Expected a text').min(1, 'Expected a text that is not empty')
const outcomeSchema = z.object({
  deploymentId: text,
  collection: text,
  latencyMs: z.number('Expected milliseconds from 0').min(0, 'Expected milliseconds from 0'),
  isError: z.boolean('Expected true or false'),
})

/** Requests counted by the minute, in the Python application's keys. */
export class RequestCounts {
  readonly #redis: Redis
  readonly #keys: Keys

  constructor(redis: Redis, keys: Keys) {
    this.#redis = redis
    this.#keys = keys
  }

  /** Counts one. @throws ArgumentsError; what Redis throws. */
  async add(request: RequestOutcome, nowMs: number): Promise<void> {
    const issue = outcomeSchema.safeParse(request).error?.issues[0]
    if (issue) throw new ArgumentsError(`record: \`${issue.path.join('.')}\`: ${issue.message}`)
    const { collection, deploymentId, isError, latencyMs } = request
    const minute = minuteOf(nowMs)
    const latency = this.#keys.latency(deploymentId, collection, minute)
    const count = this.#keys.count(deploymentId, collection, minute)
    const errors = this.#keys.errors(deploymentId, collection, minute)
    const calls = this.#redis.pipeline().lpush(latency, latencyMs).expire(latency, KEPT_S)
    calls.incr(count).expire(count, KEPT_S)
    if (isError) calls.incr(errors).expire(errors, KEPT_S)
    await repliesOf(calls)
  }

  /** What was counted from one time to another, by whole minutes; of the last two hours, for so long it is kept. */
  async read(deploymentId: string, collection: string, fromMs: number, toMs: number): Promise<Bucket[]> {
    const last = minuteOf(toMs)
    const first = Math.max(minuteOf(fromMs), last - KEPT_S / 60)
    const minutes = Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i)
    const calls = this.#redis.pipeline()
    for (const minute of minutes) {
      calls.get(this.#keys.count(deploymentId, collection, minute))
      calls.get(this.#keys.errors(deploymentId, collection, minute))
      calls.lrange(this.#keys.latency(deploymentId, collection, minute), 0, -1)
    }
    const replies = await repliesOf(calls)
    return minutes.map((minute, i) => ({
      minute,
      count: Number(replies[3 * i] ?? 0),
      errors: Number(replies[3 * i + 1] ?? 0),
      latencies: (replies[3 * i + 2] as string[]).map(Number),
    }))
  }
}

/** @throws the first failure among the commands. */
async function repliesOf(calls: ChainableCommander): Promise<unknown[]> {
  return ((await calls.exec()) ?? []).map(([error, reply]) => {
    if (error) throw error
    return reply
  })
}
