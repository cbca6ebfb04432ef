// A Fastify server that hands out the pieces of a job's result as server-sent events, while the job runs.
import { Client, createLogger, defineTask, Worker } from '@arq-ts/core'
import Fastify from 'fastify'
import { z } from 'zod'

const redis = process.env.REDIS_URL ?? 'redis://localhost:6379'
const logger = createLogger({ level: 'warn' })
const queueName = 'example:streaming'

const answer = defineTask({
  name: 'answer',
  params: z.object({ words: z.array(z.string()) }),
  emits: z.string(),
  handler: async (ctx, { words }) => {
    for (const word of words) await ctx.emit(word)
    return words.join('')
  },
})

const app = Fastify()
const client = new Client({ redis, logger, queueName })
const worker = new Worker({ redis, logger, queueName, tasks: [answer], handleSignals: false })
app.addHook('onReady', async () => void worker.run())
app.addHook('onClose', async () => {
  await worker.stop()
  await client.close()
})

// oxlint-disable-next-line oxc/no-async-endpoint-handlers -- the rule is for Express 4; Fastify awaits its handlers
app.get('/answers/:id', async (request, reply) => {
  const reading = new AbortController()
  reply.raw.on('close', () => reading.abort())
  // A browser that reconnects says which event it had last.
  const after = request.headers['last-event-id']
  reply.raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  const options = { signal: reading.signal, ...(after ? { after } : {}) }
  for await (const event of client.job(request.params.id).events(options)) {
    const data = event.kind === 'chunk' ? event.value : (event.outcome ?? event.message ?? null)
    reply.raw.write(`id: ${event.id}\nevent: ${event.kind}\ndata: ${JSON.stringify(data)}\n\n`)
  }
  reply.raw.end()
  return reply
})

await app.listen({ port: 0, host: '127.0.0.1' })
const job = await client.enqueue(answer, { words: ['Hello,', ' world'] })
const response = await fetch(`${app.listeningOrigin}/answers/${job.jobId}`)
for (const [, kind, data] of (await response.text()).matchAll(/^event: (.*)\ndata: (.*)$/gm))
  console.log(`event: ${kind} ${data}`)
await app.close()
