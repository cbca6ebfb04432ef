// A task, a producer and a worker in one file. Run it with REDIS_URL set, or on redis://localhost:6379.
import { Client, createLogger, defineTask, Worker } from '@arq-ts/core'
import { z } from 'zod'

const redis = process.env.REDIS_URL ?? 'redis://localhost:6379'
const logger = createLogger({ level: 'warn' })
const queueName = 'example:getting-started'

const resize = defineTask({
  name: 'resize_image',
  params: z.object({ path: z.string(), width: z.number().int().default(800) }),
  handler: async (_ctx, { path, width }) => `${path} at ${width} px`,
})

const client = new Client({ redis, logger, queueName })
const outcomes = await client.enqueueMany([
  [resize, { path: 'a.png' }],
  [resize, { path: 'b.png', width: 640 }, { jobId: 'resize:b.png' }],
  [resize, { path: 'b.png', width: 640 }, { jobId: 'resize:b.png' }], // queued already
  [resize, { path: 42 }], // no such path
])
for (const outcome of outcomes) console.log(outcome.status, outcome.error?.message ?? '')

// A burst: run what is queued, and end.
await new Worker({ redis, logger, queueName, tasks: [resize], burst: true, keepResultMs: 1_000 }).run()
for (const { status, job } of outcomes) if (status === 'queued') console.log(await job.status(), await job.result())
await client.close()
