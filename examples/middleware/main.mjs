// A request id that follows the work: from a request to its jobs, and on to the jobs that these enqueue.
import { AsyncLocalStorage } from 'node:async_hooks'
import { Client, createLogger, defineTask, Worker } from '@arq-ts/core'
import { z } from 'zod'

const redis = process.env.REDIS_URL ?? 'redis://localhost:6379'
const logger = createLogger({ level: 'silent' })
const queueName = 'example:middleware'

const current = new AsyncLocalStorage()

/** Both sides: what is enqueued carries the id of whatever enqueues it, and a job runs under the id it carries. */
const requestId = {
  enqueue: (call, next) => {
    call.metadata.requestId = current.getStore() ?? 'none'
    return next()
  },
  run: (ctx, next) => current.run(ctx.metadata.requestId ?? 'none', next),
}

/** The outermost layer sees the end of all others, errors included. */
const report = {
  run: async (ctx, next) => {
    try {
      const result = await next()
      console.log(`${ctx.functionName} of ${ctx.metadata.requestId}: ${result}`)
      return result
    } catch (error) {
      console.log(`${ctx.functionName} of ${ctx.metadata.requestId} failed: ${error.message}`)
      throw error
    }
  },
}

/** A rule for all producers of this client. */
const bounded = {
  enqueue: (call, next) => {
    if (call.options.deferByMs > 86_400_000) throw new Error(`${call.functionName}: deferred by more than a day`)
    return next()
  },
}

const mail = defineTask({
  name: 'send_mail',
  params: z.object({ to: z.string() }),
  handler: async (_ctx, { to }) => {
    if (!to.includes('@')) throw new Error(`no address: ${to}`)
    return `mailed ${to}`
  },
})
const welcome = defineTask({
  name: 'welcome',
  params: z.object({ to: z.string() }),
  handler: async (ctx, { to }) => {
    const job = await ctx.client.enqueue(mail, { to })
    return `asked for a mail as ${current.getStore()}: ${job !== null}`
  },
})

const client = new Client({ redis, logger, queueName, middleware: [bounded, requestId] })
const work = () => {
  const options = { redis, logger, queueName, burst: true, maxJobs: 1, keepResultMs: 5_000 }
  return new Worker({ ...options, tasks: [welcome, mail], middleware: [report, requestId] }).run()
}

await current.run('request-1', () => client.enqueue(welcome, { to: 'ann@example.org' }))
await work()
await current.run('request-2', () => client.enqueue(mail, { to: 'nobody' }))
await work()

const inAWeek = { deferByMs: 7 * 86_400_000 }
await client.enqueue(mail, { to: 'bob@example.org' }, inAWeek).catch((error) => console.log(error.message))
await client.close()
