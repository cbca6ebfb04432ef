import { Client, createLogger, cron, defineTask, Retry, Worker } from '@arq-ts/core'
import { Keys } from '@arq-ts/protocol/jobs'
import { eventually, takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import type { Redis } from 'ioredis'

/** The queue of the healthy jobs, and of those with a fault. */
export const CALM = 'calm'
/** Its healthy jobs by state, with the number of their tries. */
export const HEALTHY = {
  running: 'ok-running',
  retrying: 'ok-retrying',
  dead: 'ok-dead',
  complete: 'ok-complete',
  queued: 'ok-queued',
  deferred: 'ok-deferred',
} as const
export const CRON = 'cron:calm'
const HOUR_MS = 3_600_000

interface Kept {
  key: Buffer
  value: Buffer
  ttlMs: number
}

/**
 * Keys that a real worker and a real client leave in Redis at one moment: a job in each state, a live worker and its cron
 * job. They are copied once, and put back for each scene: a live worker would repair what a scene plants.
 */
export class CalmFleet {
  readonly workerId: string
  /** The message by which the worker reported the end of `HEALTHY.complete`. */
  readonly eventMessage: string
  readonly #kept: readonly Kept[]

  private constructor(workerId: string, eventMessage: string, kept: readonly Kept[]) {
    this.workerId = workerId
    this.eventMessage = eventMessage
    this.#kept = kept
  }

  static async take(): Promise<CalmFleet> {
    const database = await takeDatabase()
    const logger = createLogger({ level: 'silent' })
    const client = new Client({ redis: database.url, queueName: CALM, logger })
    let end = () => {}
    const ended = new Promise<void>((resolve) => (end = resolve))
    const tasks = [
      defineTask({ name: 'hold', handler: () => ended }),
      defineTask({ name: 'echo', handler: (_ctx, value: unknown) => value }),
      defineTask({ name: 'fail', handler: () => Promise.reject(new Error('bad luck')) }),
      defineTask({ name: 'again', handler: () => Promise.reject(new Retry({ deferMs: HOUR_MS })) }),
    ]
    const nightly = cron(CRON, { hour: 2, minute: 0 }, () => {})
    const worker = new Worker({
      redis: database.url,
      tasks,
      cron: [nightly],
      queueName: CALM,
      logger,
      handleSignals: false,
    })
    const listener = database.redis.duplicate()
    const eventMessage = new Promise<string>((resolve) =>
      listener.on('message', (_channel, message) => {
        if (message.includes(HEALTHY.complete) && message.includes('jobFinished')) resolve(message)
      }),
    )
    // Before the worker starts, which then publishes from its first job on.
    await listener.subscribe(new Keys('', database.redis.options.db).events)
    const run = worker.run()
    const enqueue = (name: string, jobId: string, deferByMs = 0) =>
      client.enqueue(name, ['healthy'], { jobId, deferByMs })
    await Promise.all([
      enqueue('again', HEALTHY.retrying),
      enqueue('fail', HEALTHY.dead),
      enqueue('echo', HEALTHY.complete),
      enqueue('hold', HEALTHY.running),
    ])
    const isShown = async () => {
      const [entry] = await client.workers.list()
      const counts = entry?.counters
      return entry?.healthLine != null && counts?.complete === 1 && counts.retried === 1 && entry.running.length === 1
    }
    await eventually(async () => (await database.redis.exists(`arq:result:${HEALTHY.dead}`)) === 1 && isShown(), {
      timeoutMs: 60_000,
    })
    const message = await eventMessage
    const kept = await dump(database.redis)
    end()
    await worker.stop()
    await run
    await database.redis.flushdb()
    await Promise.all([enqueue('echo', HEALTHY.queued), enqueue('echo', HEALTHY.deferred, HOUR_MS)])
    const queued = await dump(database.redis)
    const members = await database.redis.zrange(CALM, '0', '-1', 'WITHSCORES')
    await client.close()
    await database.release()
    listener.disconnect()
    const fleet = new CalmFleet(worker.id, message, [...kept, ...queued.filter(({ key }) => key.toString() !== CALM)])
    fleet.#queued.push(...members)
    return fleet
  }

  readonly #queued: string[] = []

  /** Replaces everything in a database by the fleet, with time to spare. */
  async restore({ redis }: Database): Promise<void> {
    await redis.flushdb()
    const pipeline = redis.pipeline()
    for (const { key, value, ttlMs } of this.#kept) {
      pipeline.restore(key, ttlMs > 0 ? Math.max(ttlMs, HOUR_MS) : 0, value)
    }
    const far = Date.now() + HOUR_MS
    pipeline.zadd('arq:workers', far, this.workerId)
    // As if its worker had just renewed it.
    pipeline.zadd(CALM, far + 1 / 128, HEALTHY.running)
    for (let i = 0; i < this.#queued.length; i += 2) pipeline.zadd(CALM, this.#queued[i + 1]!, this.#queued[i]!)
    await pipeline.exec()
  }
}

async function dump(redis: Redis): Promise<Kept[]> {
  const keys = (await redis.callBuffer('KEYS', '*')) as Buffer[]
  return Promise.all(
    keys.map(async (key) => ({ key, value: (await redis.dumpBuffer(key)) as Buffer, ttlMs: await redis.pttl(key) })),
  )
}
