// Work that fills a core, in processes of its own: the one that takes too long is killed, and nothing else notices.
import { Client, createLogger, defineTask, Worker } from '@arq-ts/core'
import { z } from 'zod'

const redis = process.env.REDIS_URL ?? 'redis://localhost:6379'
const logger = createLogger({ level: 'silent' })
const queueName = 'example:sandbox'

const primes = defineTask({
  name: 'count_primes',
  params: z.object({ below: z.number() }),
  returns: z.number(),
  timeoutMs: 5_000,
  sandbox: { module: new URL('./primes.mjs', import.meta.url), max: 2, memoryMb: 256 },
})

const client = new Client({ redis, logger, queueName })
const worker = new Worker({ redis, logger, queueName, tasks: [primes], keepResultMs: 60_000, abortGraceMs: 100 })
const running = worker.run()

const endless = await client.enqueue(primes, { below: 1e15 })
const small = await client.enqueue(primes, { below: 100_000 })
console.log(`${await small.result()} primes below 100,000`)
await endless.result().catch((error) => console.log(error.message))

await worker.stop()
await running
await client.close()
