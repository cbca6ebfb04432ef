import { takeDatabase } from '@arq-ts/test-support'
import { encodeJob } from '@arq-ts/protocol'
import { Redis } from 'ioredis'
import { afterEach, beforeEach } from 'vitest'
import type { Broker, Claim, EnqueueCall, Finish, Reschedule } from '../../src/redis/broker.ts'
import type { DeadLetterRecords } from '../../src/redis/dead-letters.ts'
import type { Fault } from '../../src/redis/faults.ts'
import { RedisContext } from '../../src/redis/context.ts'
import { silent } from './support.ts'

export const payload = encodeJob({ jobTry: null, functionName: 'f', args: [], kwargs: {}, enqueueTimeMs: 1 }, 'pickle')

/** A broker on a database of its own, and the calls of a worker that serves the queue `q`. */
export interface BrokerHarness {
  redis: Redis
  broker: Broker
  deadLetters: DeadLetterRecords
  /** Reports so far. */
  faults: Fault[]
  enqueue(jobIds: readonly string[], changes?: Partial<EnqueueCall>): Promise<boolean[]>
  claim(jobIds: readonly string[], token?: string, leaseMs?: number): Promise<Claim[]>
  success(of: Claim, changes?: Partial<Finish>): Finish
  back(of: Claim, changes?: Partial<Reschedule>): Reschedule
}

export function useBroker(): BrokerHarness {
  const harness = {} as BrokerHarness
  let release: () => Promise<void>
  beforeEach(async () => {
    const database = await takeDatabase()
    const redis = new Redis(database.url)
    const link = new RedisContext({ redis: database.url, keyPrefix: '', expiresExtraMs: 86_400_000, log: silent })
    const { broker } = link
    const faults: Fault[] = []
    broker.faults.listen((fault) => faults.push(fault))
    release = async () => {
      await link.close()
      redis.disconnect()
      await database.release()
    }
    Object.assign(harness, {
      redis,
      broker,
      deadLetters: link.deadLetters,
      faults,
      enqueue: (jobIds, changes = {}) =>
        broker.enqueue(
          jobIds.map((jobId) => ({
            jobId,
            queueName: 'q',
            due: { in: 0 },
            expiresMs: undefined,
            payload,
            ...changes,
          })),
        ),
      claim: (jobIds, token = 'w/1', leaseMs = 5_000) =>
        broker.claim('q', jobIds, { token, leaseMs, honourAborts: true }),
      success: ({ jobId, queueName, token, jobTry }, changes = {}) => ({
        jobId,
        queueName,
        token,
        jobTry,
        outcome: 'complete',
        result: Buffer.from('done'),
        resultTtlMs: 60_000,
        keepInProgressMs: 0,
        dead: null,
        ...changes,
      }),
      back: ({ jobId, queueName, token, jobTry }, changes = {}) => ({
        jobId,
        queueName,
        token,
        jobTry,
        due: { in: 0 },
        uncount: false,
        payload,
        ...changes,
      }),
    } satisfies BrokerHarness)
  })
  afterEach(() => release())
  return harness
}
