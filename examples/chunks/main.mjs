// Many jobs in one call: documents are indexed ten at a time; the one that is broken fails alone.
import { Client, createLogger, defineTask, Worker } from '@arq-ts/core'
import { z } from 'zod'

const redis = process.env.REDIS_URL ?? 'redis://localhost:6379'
const logger = createLogger({ level: 'silent' })
const queueName = 'example:chunks'

const index = defineTask({
  name: 'index_document',
  params: z.object({ id: z.number().int(), text: z.string() }),
  chunk: { size: 10, waitMs: 200 },
  handler: async (jobs) => {
    console.log(`one call for ${jobs.length} documents`)
    for (const job of jobs) if (job.input.text === '') job.fail(new Error(`document ${job.input.id} is empty`))
    return jobs.map(({ input }) => input.text.length)
  },
})

const client = new Client({ redis, logger, queueName })
const texts = ['one', 'two', 'three', '', 'five', 'six', 'seven', 'eight', 'nine', 'ten']
const jobs = await Promise.all(texts.map((text, id) => client.enqueue(index, { id, text })))

const worker = new Worker({ redis, logger, queueName, tasks: [index], keepResultMs: 5_000 })
const running = worker.run()
const ends = await Promise.allSettled(jobs.map((job) => job.result()))
console.log(`characters: ${ends.map((end) => (end.status === 'fulfilled' ? end.value : '–')).join(' ')}`)
console.log(ends[3].reason.message)

await worker.stop()
await running
await client.close()
