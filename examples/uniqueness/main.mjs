// Unique jobs by policy: what becomes of a second call under a key.
import { Client, createLogger, defineTask, Worker } from '@arq-ts/core'
import { z } from 'zod'

const redis = process.env.REDIS_URL ?? 'redis://localhost:6379'
const logger = createLogger({ level: 'warn' })
const queueName = 'example:uniqueness'

const ran = []
const sync = defineTask({
  name: 'sync_account',
  params: z.object({ id: z.number(), revision: z.number() }),
  handler: async (_ctx, { revision }) => void ran.push(revision),
})
const client = new Client({ redis, logger, queueName })
const key = 'sync:42'
const call = (revision, unique) => client.enqueue(sync, { id: 42, revision }, { unique: { key, ...unique } })
const run = async () => {
  await new Worker({ redis, logger, queueName, tasks: [sync], burst: true, pollDelayMs: 20 }).run()
  return ran.splice(0).join(', ')
}

// reject: the second call is not enqueued while the first one is queued or runs.
const first = await call(1)
console.log('reject:', first !== null, await call(2))
console.log('ran revision', await run())

// A kept result blocks nothing: the key is free again.
await call(3)
console.log('again:', await run())

// replace: the waiting job gets the newer data.
const waiting = await call(4)
const replaced = await call(5, { onConflict: 'replace' })
console.log('replace: the same job', waiting.jobId === replaced.jobId)
console.log('ran revision', await run())

// debounce: the job waits until it has been quiet, and has the newest data.
for (const revision of [6, 7, 8]) await call(revision, { onConflict: 'debounce', quietMs: 100 })
console.log('debounce:', await run())

// throttle: the first call's time, the newest data.
for (const revision of [9, 10]) await call(revision, { onConflict: 'throttle', quietMs: 100 })
console.log('throttle:', await run())
await client.close()
