// A schedule that is made while the fleet runs, paused, run by hand and removed. Two workers; each tick runs once.
import { Client, createLogger, defineTask, Worker } from '@arq-ts/core'
import { z } from 'zod'

const redis = process.env.REDIS_URL ?? 'redis://localhost:6379'
const logger = createLogger({ level: 'warn' })
const queueName = 'example:schedules'

const ticks = []
let onTick = () => {}
const digest = defineTask({
  name: 'send_digest',
  params: z.object({ user: z.number().int() }),
  handler: async (ctx, { user }) => {
    ticks.push(ctx.jobId)
    onTick()
    return `digest for user ${user}`
  },
})

const client = new Client({ redis, logger, queueName })
const workers = [1, 2].map(() => new Worker({ redis, logger, queueName, tasks: [digest], handleSignals: false }))
const running = workers.map((worker) => worker.run())

const put = { everyMs: 1_000, task: digest, input: { user: 42 }, overlap: 'skip', missed: 'latest' }
const schedule = await client.schedules.put('digest:42', put)
console.log(`${schedule.name} runs ${schedule.functionName} every ${schedule.everyMs} ms`)
await new Promise((resolve) => (onTick = () => ticks.length >= 2 && resolve()))
await client.schedules.pause('digest:42')
console.log(new Set(ticks).size === ticks.length ? 'each tick ran once' : 'a tick ran twice')

const job = await client.schedules.runNow('digest:42')
console.log(await job.result({ timeoutMs: 10_000 }))
console.log(`paused: ${(await client.schedules.get('digest:42')).paused}`)
console.log(`removed: ${await client.schedules.remove('digest:42')}`)

for (const worker of workers) await worker.stop()
await Promise.all(running)
await client.close()
