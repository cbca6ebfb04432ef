// Moves a service from BullMQ to arq-ts without losing or repeating a job: new jobs go to the new queue, and the old
// workers run until the old queue is empty.
import { Client, createLogger, defineTask, Worker } from '@arq-ts/core'
import { Queue, Worker as BullWorker } from 'bullmq'
import { z } from 'zod'

const redis = process.env.REDIS_URL ?? 'redis://localhost:6379'
const { hostname, port, pathname } = new URL(redis)
const connection = {
  host: hostname,
  port: Number(port),
  db: Number(pathname.slice(1) || 0),
  maxRetriesPerRequest: null,
}
const logger = createLogger({ level: 'warn' })
const queueName = 'example:from-bullmq'

// The work itself stays as it is; both workers call it.
const sent = []
const sendMail = async ({ to }) => void sent.push(to)

// Before: jobs that BullMQ holds, some of them for later.
const old = new Queue('mail', { connection })
await old.addBulk([
  { name: 'send_mail', data: { to: 'ann' } },
  { name: 'send_mail', data: { to: 'bob' } },
  { name: 'send_mail', data: { to: 'cem' }, opts: { delay: 300 } },
])

// Step 1: arq-ts workers run alongside the old ones. They have nothing to do yet.
const mail = defineTask({
  name: 'send_mail',
  params: z.object({ to: z.string() }),
  handler: (_ctx, params) => sendMail(params),
  maxTries: 3, // attempts: 3
  retry: { delayMs: 1_000, backoff: 'exponential' }, // backoff: { type: 'exponential', delay: 1000 }
})
const worker = new Worker({ redis, logger, queueName, tasks: [mail], handleSignals: false })
void worker.run()
const oldWorker = new BullWorker('mail', (job) => sendMail(job.data), { connection })

// Step 2: producers enqueue into arq-ts.
const client = new Client({ redis, logger, queueName })
const job = await client.enqueue(mail, { to: 'dan' })
await job.result({ timeoutMs: 10_000 })

// Step 3: when nothing is left in the old queue, its workers end.
const left = async () => {
  const counts = await old.getJobCounts('wait', 'active', 'delayed', 'prioritized', 'waiting-children', 'paused')
  return Object.values(counts).reduce((sum, count) => sum + count, 0)
}
const drained = new Promise((resolve) => {
  oldWorker.on('completed', () => void left().then((count) => count === 0 && resolve()))
})
if ((await left()) > 0) await drained
await oldWorker.close()
await worker.stop()
console.log(sent.sort((a, b) => a.localeCompare(b)).join(' '))

await old.obliterate({ force: true })
await old.close()
await client.close()
