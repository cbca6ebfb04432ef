import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createLogger, defineTask, Worker } from '@arq-ts/core'
import type { CodecName } from '@arq-ts/core'
import { eventually } from '@arq-ts/test-support'
import { expect } from 'vitest'
import { countPythonsJobs } from './collector-scenario.ts'
import type { Fleet } from './fleet.ts'

const run = promisify(execFile)
const HEALTH_CHECK = fileURLToPath(new URL('../python/check.py', import.meta.url))

/** Scenarios for workers of both languages, in each codec. */
export const codecScenarios: Record<string, (fleet: Fleet, codec: CodecName) => Promise<void>> = {
  'finishes what a killed Python worker left, on TypeScript, when its in-progress key lapses': async (fleet, codec) => {
    // arq's key lives for the longest job timeout + 10 s; functions of a shorter one do not shorten it.
    const doomed = await fleet.pythonWorker({ codec }, { job_timeout: 1 })
    const job = await fleet.client(codec).enqueue('hold', ['b'])
    await eventually(() => fleet.redis.llen('holding'))
    doomed.child.kill('SIGKILL')
    await fleet.typescriptWorker({ codec })
    expect(await job?.result({ timeoutMs: 30_000 })).toEqual(['typescript', 2])
  },

  'finishes what a killed TypeScript worker left, on Python, within its lease': async (fleet, codec) => {
    const doomed = await fleet.typescriptWorkerProcess({ codec }, { leaseMs: 1_500 })
    const job = await fleet.client(codec).enqueue('hold', ['a'])
    await eventually(() => fleet.redis.llen('holding'))
    doomed.child.kill('SIGKILL')
    await fleet.pythonWorker({ codec })
    expect(Array.from((await job?.result({ timeoutMs: 20_000 })) as unknown[])).toEqual(['python', 2])
  },

  'runs each of 2,000 jobs exactly once when workers of both languages race': async (fleet, codec) => {
    const { redis } = fleet
    const jobs = Array.from({ length: 2_000 }, (_, i) => ['record', [i], { jobId: `race-${i}` }] as const)
    const outcomes = await fleet.client(codec).enqueueMany(jobs as never)
    expect(outcomes.every((outcome) => (outcome as { status: string }).status === 'queued')).toBe(true)
    // Ours takes two at a time, and is no faster than Python's, so that both get a share.
    await Promise.all([
      fleet.pythonWorker({ codec }),
      fleet.typescriptWorker({ codec, maxJobs: 2 }, { queueReadLimit: 2 }),
    ])
    await eventually(async () => (await redis.zcard('arq:queue')) === 0, { timeoutMs: 50_000 })
    const runs = await Promise.all(jobs.map((_, i) => redis.lrange(`ran:race-${i}`, 0, -1)))
    expect(runs.filter((names) => names.length !== 1)).toEqual([])
    expect(new Set(runs.flat())).toEqual(new Set(['python', 'typescript']))
  },

  'keeps each result when the abort of a Python producer meets the end of its job': async (fleet, codec) => {
    const { redis } = fleet
    // Channels know no databases: other tests end jobs on this server too.
    const name = randomUUID()
    const ids = Array.from({ length: 200 }, (_, i) => `${name}-${i}`)
    // An earlier request says that aborts are asked for in this fleet.
    await redis.zadd('arq:abort', Date.now(), 'another')
    // arq takes a job that ours runs for a deferred one, and puts its id to the front of the queue.
    const ends = redis.duplicate()
    fleet.endWith(async () => ends.disconnect())
    await ends.psubscribe('arq:result:*')
    ends.on('pmessage', (_pattern, _channel, id: string) => {
      if (id.startsWith(name)) void redis.zadd('arq:queue', 1, id)
    })
    await fleet.typescriptWorker({ codec })
    await fleet.pythonWorker({ codec })
    const jobs = await fleet.client(codec).enqueueMany(ids.map((jobId) => ['record', [jobId], { jobId }]) as never)
    expect(jobs).toHaveLength(ids.length)
    const ran = async (id: string) => (await redis.llen(`ran:${id}`)) === 1 && (await redis.exists(`arq:result:${id}`))
    await eventually(async () => (await Promise.all(ids.map(ran))).every(Boolean), { timeoutMs: 30_000 })
    await eventually(async () => (await redis.zcard('arq:queue')) === 0, { timeoutMs: 30_000 })
    const client = fleet.client(codec)
    const infos = await Promise.all(ids.map((id) => client.job(id).resultInfo()))
    expect(infos.filter((info) => info?.success !== true)).toEqual([])
  },

  'runs each cron tick once, under the ids Python gives': async (fleet, codec) => {
    await Promise.all([
      fleet.pythonWorker({ codec, cron: true }),
      fleet.typescriptWorker({ codec, cron: true }),
      fleet.typescriptWorker({ codec, cron: true, name: 'typescript-2' }),
    ])
    const ticks = () => fleet.redis.lrange('ticks', 0, -1)
    await eventually(
      async () => {
        const times = (await ticks()).map((id) => Number(/^cron:tick:(\d{10}123)$/.exec(id)?.[1]))
        const first = Math.min(...times)
        return [0, 1, 2, 3].every((second) => times.includes(first + 1000 * second))
      },
      { timeoutMs: 20_000 },
    )
    const ran = await ticks()
    expect(new Set(ran).size).toBe(ran.length)
  },
}

/** Scenarios in which the codec makes no difference. */
export const fleetScenarios: Record<string, (fleet: Fleet) => Promise<void>> = {
  'counts each job of a Python worker once, whoever collects and whoever dies': countPythonsJobs,

  "passes arq's own health check, and fails it once stopped": async (fleet) => {
    const worker = await fleet.typescriptWorker()
    await expect(run(fleet.python, [HEALTH_CHECK, fleet.url])).resolves.toBeDefined()
    expect(await fleet.client().workers.health('arq:queue')).toMatchObject({ ongoing: 0 })
    await worker.stop()
    await expect(run(fleet.python, [HEALTH_CHECK, fleet.url])).rejects.toMatchObject({ code: 1 })
  },

  'answers a producer of each codec in its own, on one queue': async (fleet) => {
    await fleet.typescriptWorker({ codec: 'json' })
    for (const codec of ['pickle', 'msgpack'] as const) {
      const producer = await fleet.pythonProducer(codec)
      const id = (await producer.enqueue({ function: 'echo', args: [{ py: "{'a': [1]}", ts: null }] })) as string
      expect(await producer.result(id, { py: "{'a': [1]}", ts: null })).toMatchObject({ equal: true })
    }
  },

  'runs on Python the ticks of a busy TypeScript worker, both with the codec they have by default': async (fleet) => {
    const { redis } = fleet
    await fleet.typescriptWorker({ codec: 'default', cron: true, maxJobs: 1 })
    await fleet.client().enqueue('hold', ['c'])
    await eventually(() => redis.llen('holding'))
    await redis.del('ticks')
    const theirs = await fleet.pythonWorker({ codec: 'default' })
    await eventually(async () => (await redis.llen('ticks')) >= 2)
    expect(theirs.child.lines.filter((line) => line.includes('deserializing'))).toEqual([])
  },

  'runs the kept failed result of a Python worker again': async (fleet) => {
    const job = await fleet.client().enqueue('fail', ['value', 'once'])
    const theirs = await fleet.pythonWorker()
    const failure = { pythonType: 'builtins.ValueError', args: ['once'] }
    await expect(job?.result({ timeoutMs: 15_000 })).rejects.toMatchObject(failure)
    await theirs.stop()
    expect(await fleet.client().jobs.retry(job?.jobId as string)).toBe(true)
    await fleet.typescriptWorker()
    await expect(job?.result({ timeoutMs: 15_000 })).rejects.toMatchObject(failure)
    expect(await job?.info()).toMatchObject({ jobTry: 1, args: ['value', 'once'] })
  },

  'leaves functions of the other language to it where it is configured so': async (fleet) => {
    const ours = new Worker({
      redis: fleet.url,
      tasks: [defineTask({ name: 'ours', handler: () => 'ours' })],
      unknownFunction: 'release',
      handleSignals: false,
      pollDelayMs: 50,
      logger: createLogger({ level: 'silent' }),
    })
    void ours.run()
    fleet.endWith(() => ours.stop())
    const job = await fleet.client().enqueue('record', ['x'])
    await new Promise<void>((resolve) => ours.once('jobReleased', () => resolve()))
    await fleet.pythonWorker()
    expect(await job?.result({ timeoutMs: 15_000 })).toBe('python')
    expect(await job?.resultInfo()).toMatchObject({ jobTry: 1 })
  },
}
