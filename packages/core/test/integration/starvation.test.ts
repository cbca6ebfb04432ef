import { encodeJob } from '@arq-ts/protocol/jobs'
import { eventually, RedisServer } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Client, createLogger, defineTask, Worker } from '../../src/index.ts'
import type { WorkerOptions } from '../../src/index.ts'
import { silent } from './support.ts'

const MANY = 100_000
const foreign = encodeJob({ jobTry: null, functionName: 'theirs', args: [], kwargs: {}, enqueueTimeMs: 1 }, 'pickle')

/** Fills the head of the queue by one script; `$i` is the number of the job, `id` its id. */
const fill = (each: string, id = "'job-' .. i") => `
for i = 1, tonumber(ARGV[1]) do
  local id = ${id}
  redis.call('ZADD', 'arq:queue', i, id)
  ${each}
end`

const heads: [what: string, script: string, reported: RegExp][] = [
  ['that Python runs', fill("redis.call('SET', 'arq:in-progress:' .. id, '1')"), /100000 held by other workers/],
  ['of ids that are not UTF-8, without payloads', fill('', 'string.char(255) .. i'), /\d+ without a payload/],
  [
    'of functions that this worker does not have',
    fill("redis.call('SET', 'arq:job:' .. id, ARGV[2])"),
    /of functions that this worker does not have/,
  ],
  [
    'with faulty keys',
    fill(`redis.call('SET', 'arq:job:' .. id, ARGV[2])
      if i % 3 == 0 then redis.call('HSET', 'arq:in-progress:' .. id, 'a', 'b')
      elseif i % 3 == 1 then redis.call('SET', 'arq:retry:' .. id, 'abc')
      else redis.call('ZADD', 'arq:queue', '-inf', id) end`),
    /100000 with faulty keys/,
  ],
]

describe('a healthy job', () => {
  let server: RedisServer
  let redis: Redis
  let client: Client
  let worker: Worker
  let lines: string[]

  beforeEach(async () => {
    server = await RedisServer.start()
    redis = new Redis(server.url)
    client = new Client({ redis: server.url, logger: silent })
    lines = []
  })
  afterEach(async () => {
    await worker.stop()
    await client.close()
    redis.disconnect()
    await server.stop()
  })

  function start(options: Partial<WorkerOptions> = {}): void {
    const logger = createLogger({
      level: 'warn',
      destination: { write: (line: string) => void lines.push(line) },
    } as never)
    const tasks = [defineTask({ name: 'ours', handler: (_ctx, value: unknown) => value })]
    worker = new Worker({
      redis: server.url,
      tasks,
      logger,
      handleSignals: false,
      unknownFunction: 'release',
      ...options,
    })
    void worker.run()
  }

  async function redisCpuMs(): Promise<number> {
    const info = await redis.info('cpu')
    const of = (name: string) => Number(new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)![1])
    return 1_000 * (of('used_cpu_user') + of('used_cpu_sys'))
  }

  test.each(heads)(
    `runs behind ${MANY} jobs %s`,
    async (_what, script, reported) => {
      await redis.eval(script, 0, MANY, foreign)
      const behind = await client.enqueue('ours', ['behind'])
      const [cpu, began] = [await redisCpuMs(), performance.now()]
      start()
      expect(await behind!.result({ timeoutMs: 60_000 })).toBe('behind')
      const foundMs = performance.now() - began
      await eventually(() => lines.some((line) => reported.test(line)), { timeoutMs: 30_000 })
      const after = await client.enqueue('ours', ['after'])
      expect(await after!.result({ timeoutMs: 30_000 })).toBe('after')
      // One that is queued before all others, and announced by nobody, as Python does it.
      const early = encodeJob(
        { jobTry: null, functionName: 'ours', args: ['early'], kwargs: {}, enqueueTimeMs: 1 },
        'pickle',
      )
      await redis.multi().set('arq:job:early', early).zadd('arq:queue', -5e12, 'early').exec()
      expect(await client.job('early').result({ timeoutMs: 30_000 })).toBe('early')
      const share = (await redisCpuMs()) - cpu
      const wallMs = performance.now() - began
      console.log(
        `found after ${Math.round(foundMs)} ms; Redis ${Math.round((100 * share) / wallMs)} % over ${Math.round(wallMs)} ms`,
      )
      expect(share / Math.max(wallMs, 5_000)).toBeLessThan(0.25)
      // The end of a job that has no payload is logged as every end is.
      expect(lines.filter((line) => !line.includes('expired')).length).toBeLessThan(40)
    },
    150_000,
  )
})
