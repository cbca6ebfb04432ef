// Handlers get their services from the context: a worker provides real ones, a test others.
import { Client, createLogger, defineTask, Worker } from '@arq-ts/core'
import { runTask } from '@arq-ts/testkit'
import { z } from 'zod'

const redis = process.env.REDIS_URL ?? 'redis://localhost:6379'
const logger = createLogger({ level: 'warn' })
const queueName = 'example:dependency-injection'

// In TypeScript: (ctx: JobContext<{ mail: Mail, db: Database }>, …); a worker that lacks one does not compile.
const welcome = defineTask({
  name: 'welcome',
  params: z.object({ user: z.number().int() }),
  handler: (ctx, { user }) => ctx.db.transaction(async (tx) => ctx.mail.send(await tx.addressOf(user), 'Welcome!')),
})

// Opened once for each worker, before its first job; closed after the last job is settled.
async function openServices() {
  console.log('opened')
  const rows = new Map([[1, 'ann@example.org']])
  return {
    db: {
      // Services of a single job are made per job.
      transaction: (run) => run({ addressOf: async (user) => rows.get(user) }),
      close: async () => console.log('closed'),
    },
  }
}

const mail = { send: async (to, text) => `to ${to}: ${text}` }
const client = new Client({ redis, logger, queueName })
const job = await client.enqueue(welcome, { user: 1 })
await new Worker({
  redis,
  logger,
  queueName,
  tasks: [welcome],
  ctx: { mail },
  onStartup: openServices,
  onShutdown: ({ db }) => db.close(),
  burst: true,
  keepResultMs: 5_000,
}).run()
console.log(await job.result())
await client.close()

// A test provides its own, without Redis.
const db = { transaction: (run) => run({ addressOf: async () => 'test@example.org' }) }
console.log(await runTask(welcome, { user: 1 }, { ctx: { mail, db } }))
