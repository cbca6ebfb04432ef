// A service that is down: its job is retried by a policy, becomes a dead letter, and is retried by hand once the service is back.
import { Client, createLogger, defineTask, Worker } from '@arq-ts/core'

const redis = process.env.REDIS_URL ?? 'redis://localhost:6379'
const logger = createLogger({ level: 'silent' })
const queueName = 'example:retries'
let isDown = true

const charge = defineTask({
  name: 'charge_card',
  maxTries: 3,
  retry: { delayMs: 50, backoff: 'exponential' },
  handler: async (ctx, amount) => {
    console.log(`try ${ctx.jobTry}`)
    if (isDown) throw new Error('the bank is down')
    return `charged ${amount}`
  },
})

const client = new Client({ redis, logger, queueName })
const worker = new Worker({ redis, logger, queueName, tasks: [charge], keepResultMs: 5_000 })
const running = worker.run()

const job = await client.enqueue(charge, [12])
await job.result().catch((error) => console.log(`failed: ${error.message}`))
const [letter] = await client.deadLetters.list({ limit: 1 })
console.log(`dead letter: ${letter.functionName}(${letter.job.args}) – ${letter.error}`)

isDown = false
await client.jobs.retry(job.jobId)
console.log(await job.result())

await worker.stop()
await running
await client.close()
