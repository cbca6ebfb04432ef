import { encodeJob } from '@arq-ts/protocol/jobs'
import type { Redis } from 'ioredis'
import { flow } from '../../../src/index.ts'
import type { Client } from '../../../src/index.ts'
import type { RedisContext } from '../../../src/redis/context.ts'
import { Orphans } from '../../../src/redis/orphans.ts'

/** A place where one operation meets one faulty key. */
export interface Scene {
  client: Client
  /** Parts of Redis that a worker uses. */
  link: RedisContext
  redis: Redis
  queueName: string
  jobId: string
  cronName: string
  workerId: string
  /** Puts the fault in place. */
  plant(): Promise<void>
  /** Enqueues the job at a handler that waits, and resolves when it runs; `end` ends it: by a value, an error, a retry. */
  running(): Promise<{ end(how: 'return' | 'throw' | 'retry'): void }>
  /** Resolves when the worker has renewed the lease of a healthy job that runs all the while, from now on. */
  renewed(): Promise<void>
}

const payload = encodeJob({ jobTry: null, functionName: 'echo', args: [1], kwargs: {}, enqueueTimeMs: 1 }, 'pickle')

/** A job as any producer leaves it. */
async function queued({ redis, queueName, jobId }: Scene, dueMs = Date.now()): Promise<void> {
  await redis.set(`arq:job:${jobId}`, payload)
  await redis.zadd(queueName, dueMs, jobId)
}

const whileRunning =
  (act: (scene: Scene, end: (how: 'return' | 'throw' | 'retry') => void) => unknown) =>
  async (scene: Scene): Promise<void> => {
    const { end } = await scene.running()
    await scene.plant()
    await act(scene, end)
    end('return')
  }

const planted =
  (act: (scene: Scene) => Promise<unknown>, prepare: (scene: Scene) => Promise<unknown> = async () => {}) =>
  async (scene: Scene): Promise<void> => {
    await prepare(scene)
    await scene.plant()
    await act(scene)
  }

const later = (scene: Scene) => queued(scene, Date.now() + 3_600_000)

/** Operations of core on jobs and queues. Each may be refused by an error of ours, and by nothing else. */
export const operations: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  enqueue: planted(({ client, jobId }) => client.enqueue('echo', [1], { jobId })),
  'enqueue in a batch': planted(({ client, jobId }) =>
    client.enqueueMany([
      ['echo', [1], { jobId }],
      ['echo', [2]],
    ]),
  ),
  'hand a job over': planted(({ client }) => client.enqueue('echo', [1])),
  'reserve and claim': planted(async (scene) => {
    await scene.redis.publish(`arq:wake@${scene.redis.options.db}:${scene.queueName}`, '1')
  }, queued),
  'claim a job whose payload is gone': planted(
    async ({ redis, queueName }) => {
      await redis.publish(`arq:wake@${redis.options.db}:${queueName}`, '1')
    },
    ({ redis, queueName, jobId }) => redis.zadd(queueName, Date.now(), jobId),
  ),
  'bring jobs of dead workers forward': planted(
    ({ link, queueName }) => new Orphans(link.calls, link.keys).bringForward(queueName),
    // Python holds the job that keeps the queue behind: a job that a worker of ours left would be run as a suspect, which takes seconds.
    async ({ redis, queueName, jobId }) => {
      await redis.set(`arq:in-progress:held-${jobId}`, '1', 'PX', 60_000)
      await redis.zadd(queueName, Date.now() - 5_000, `held-${jobId}`)
    },
  ),
  renew: whileRunning((scene) => scene.renewed()),
  finish: whileRunning((_scene, end) => end('return')),
  'finish as a dead letter': whileRunning((_scene, end) => end('throw')),
  reschedule: whileRunning((_scene, end) => end('retry')),
  'abort a running job': whileRunning(({ client, jobId }) => allowed(client.job(jobId).abort({ timeoutMs: 200 }))),
  'abort a deferred job': planted(({ client, jobId }) => client.job(jobId).abort({ timeoutMs: 200 }), later),
  'end a deferred job that Python asks to abort': planted(async ({ client, redis, jobId }) => {
    await redis.zadd('arq:abort', Date.now(), jobId).catch(() => {}) // refused where that key is the faulty one
    await client.job(jobId).result({ timeoutMs: 300 })
  }, later),
  'ask for status, info and result': planted(async ({ client, jobId }) => {
    await allowed(client.job(jobId).status())
    await allowed(client.job(jobId).info())
    await client.job(jobId).result({ timeoutMs: 50 })
  }, later),
  'cron tick': planted(async ({ link, queueName, jobId, cronName }) => {
    const dueMs = Date.now()
    const call = { jobId, queueName, due: { at: dueMs }, expiresMs: undefined, payload }
    const record = { schedule: cronName, lifetimeMs: 60_000 }
    await allowed(link.ticks.watch(cronName, dueMs - 1_000, 60_000))
    const rules = {
      name: cronName,
      dueMs,
      record,
      isFixedId: false,
      lateMs: 60_000,
      aheadMs: 60_000,
      skipOverlap: true,
    }
    await link.ticks.enqueue(call, rules)
  }),
  'put, take and write a schedule': planted(async ({ client, link, queueName, cronName }) => {
    const put = { everyMs: 1_000, task: 'echo', input: [1], queueName, overlap: 'skip' } as const
    await allowed(client.schedules.put(cronName, put))
    await allowed(client.schedules.runNow(cronName))
    await allowed(client.schedules.pause(cronName))
    await allowed(client.schedules.list())
    await allowed(link.schedules.take(1_000, 10))
    await client.schedules.remove(cronName)
  }),
  'write health and registry': planted(async ({ client, link, queueName, workerId }) => {
    await allowed(link.registry.register(workerId, '{}', 60_000))
    await allowed(link.registry.writeHealth(`${queueName}:health-check`, 'j_complete=0', 60_000))
    await allowed(link.deadLetters.trim({ maxAgeMs: 1_000, maxCount: 10 }))
    await allowed(client.workers.list())
    await allowed(client.workers.health(queueName))
    await link.registry.unregister(workerId)
  }),
  'pause and resume': planted(async ({ client, queueName }) => {
    await allowed(client.queues.pause(queueName))
    await client.queues.resume(queueName)
  }),
  'count and list': planted(async ({ client, queueName }) => {
    await allowed(client.queues.stats(queueName))
    await allowed(client.queues.names())
    await allowed(client.queuedJobs({ queueName }))
    await allowed(client.allJobResults())
    await allowed(client.deadLetters.summaries())
    await client.deadLetters.list()
  }, later),
  'read the history': planted(async ({ client }) => {
    await allowed(client.history.totals({ by: 'function' }))
    await allowed(client.history.series({ metric: 'depth' }))
    await allowed(client.history.functions())
  }, later),
  'read and write the log of a job': planted(async ({ client, link, jobId }) => {
    await allowed(link.jobLogs.append(jobId, ['{}']))
    await client.history.log(jobId)
  }),
  'show a job': planted(({ client, jobId }) => client.jobs.details(jobId), later),
  'listen to events': planted(async ({ client }) => {
    const stop = await client.workers.listen(() => {})
    await client.enqueue('echo', [1])
    stop()
  }),
  'start, show and cancel a flow': planted(async ({ client, queueName }) => {
    const f = flow('matrix', { onUnknown: 'fail' })
    f.call('echo', [1], { after: f.call('echo', [2], { queueName, delayMs: 60_000 }) })
    await allowed(client.flows.list())
    const run = await client.start(f)
    await allowed(run.status())
    await run.cancel()
  }),
  'run a flow, and replay it': planted(async ({ client, queueName }) => {
    const f = flow('replayed', { onUnknown: 'fail' })
    f.call('echo', [1], { queueName })
    const run = await client.start(f)
    await allowed(run.result({ timeoutMs: 500 }))
    await run.replay()
  }),
  'move, and run now': planted(async ({ client, queueName, jobId }) => {
    await allowed(client.jobs.move(queueName, 'elsewhere', [jobId]))
    await allowed(client.jobs.runNow(queueName, [jobId]))
    await client.jobs.remove(jobId, { queueName: 'elsewhere', force: true })
  }, later),
  'reschedule, take out and put back as it was seen': planted(async ({ client, queueName, jobId }) => {
    const [place = null] = await client.reversals.places(queueName, [jobId])
    const to = String(Date.now() + 7_200_000)
    await allowed(client.reversals.reschedule(queueName, [{ jobId, from: String(place), to }]))
    const [taken] = await client.reversals.takeOut(queueName, [{ jobId, place: to, isDead: false }], { keep: true })
    if (taken?.remains) await client.reversals.putBack(queueName, taken.remains)
  }, later),
  'run a job that asks for a later try': planted(({ client, jobId }) =>
    client.enqueue('echo', [1], { jobId, jobTry: 2 }),
  ),
  'enqueue under a unique key': planted(({ client }) =>
    client.enqueue('echo', [1], { unique: { key: 'echo', onConflict: 'reject' } }),
  ),
  'run under a limit': planted(async ({ client }) => {
    const jobs = [1, 2].map((value) => client.enqueue('limited', [value]))
    for (const job of await Promise.all(jobs)) await allowed(job!.result({ timeoutMs: 200 }))
  }),
  'pause and resume a cron job': planted(async ({ client, cronName }) => {
    await allowed(client.cron.list())
    await allowed(client.cron.pause(cronName))
    await client.cron.resume(cronName)
  }),
  'free a job of a worker that is gone': planted(
    ({ client, queueName, jobId }) => client.doctor.repair({ check: 'lost-in-progress', queueName, jobIds: [jobId] }),
    async (scene) => {
      await later(scene)
      await scene.redis.set(`arq:in-progress:${scene.jobId}`, 'gone:1:ab/token', 'PX', 60_000)
    },
  ),
  remove: planted(({ client, jobId }) => client.jobs.remove(jobId, { force: true }), later),
  purge: planted(({ client, queueName }) => client.queues.purge(queueName, { all: true }), later),
  replay: planted(
    ({ client, jobId }) => client.jobs.retry(jobId),
    async ({ redis, jobId, queueName }) => {
      await redis.zadd('arq:dead', Date.now(), jobId)
      await redis.hset(`arq:dead:${jobId}`, {
        payload,
        queue: queueName,
        function: 'echo',
        error: 'x',
        try: 1,
        failedAt: 1,
      })
    },
  ),
  'purge dead letters': planted(({ client, jobId }) => client.deadLetters.purge({ jobIds: [jobId] })),
  'examine and repair': planted(async ({ client, queueName }) => {
    const { findings } = await client.doctor.examine({ queues: [queueName] })
    for (const finding of findings) await allowed(client.doctor.repair(finding))
  }, queued),
}

/** An error of ours is an answer too; anything else is a fault of the operation. */
export async function allowed(act: Promise<unknown>): Promise<void> {
  try {
    await act
  } catch (error) {
    const { code } = error as { code?: unknown }
    if (typeof code !== 'string' || !code.startsWith('ARQ_')) throw error
  }
}
