// A change of mind: a deferred job and a running one are aborted. The running one hears of it by its signal.
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, createLogger, defineTask, Worker } from '@arq-ts/core'

const redis = process.env.REDIS_URL ?? 'redis://localhost:6379'
const logger = createLogger({ level: 'silent' })
const queueName = 'example:aborting'

const work = defineTask({ name: 'work', handler: (ctx, ms) => sleep(ms, 'done', { signal: ctx.signal }) })
const client = new Client({ redis, logger, queueName })
const worker = new Worker({ redis, logger, queueName, tasks: [work], keepResultMs: 5_000 })
const started = new Promise((resolve) => worker.once('jobStarted', resolve))
const running = worker.run()

const later = await client.enqueue(work, [10], { deferByMs: 3_600_000 })
console.log('deferred job:', await later.status(), '→ aborted:', await later.abort())

const now = await client.enqueue(work, [60_000])
await started
console.log('running job:', await now.status(), '→ aborted:', await now.abort())
await now.result().catch((error) => console.log(error.code))

await worker.stop()
await running
await client.close()
