// A Fastify server with a worker inside: one process that takes requests and runs their jobs.
import { Client, createLogger, defineTask, Worker } from '@arq-ts/core'
import Fastify from 'fastify'
import { z } from 'zod'

const redis = process.env.REDIS_URL ?? 'redis://localhost:6379'
const logger = createLogger({ level: 'warn' })
const queueName = 'example:fastify'

const resize = defineTask({
  name: 'resize_image',
  params: z.object({ path: z.string(), width: z.number().int().default(800) }),
  handler: async (_ctx, { path, width }) => `${path} at ${width} px`,
})

const app = Fastify()
const client = new Client({ redis, logger, queueName })
// The server decides when the process ends, so the worker leaves the signals to it.
const worker = new Worker({ redis, logger, queueName, tasks: [resize], handleSignals: false })
app.addHook('onReady', async () => void worker.run())
app.addHook('onClose', async () => {
  await worker.stop() // running jobs end, or go back to the queue
  await client.close()
})

app.post('/resize', async (request, reply) => {
  const job = await client.enqueue(resize, request.body)
  return reply.code(202).send({ jobId: job.jobId })
})
// oxlint-disable-next-line oxc/no-async-endpoint-handlers -- the rule is for Express 4; Fastify awaits its handlers
app.get('/jobs/:id', async (request) => {
  const job = client.job(request.params.id)
  const status = await job.status()
  return { status, ...(status === 'complete' ? { result: await job.result() } : {}) }
})
// A caller's mistake, which the schema refuses, is answered with 400.
app.setErrorHandler((error, _request, reply) =>
  reply.code(error.code === 'ARQ_ARGUMENTS' ? 400 : 500).send({ error: error.message }),
)

await app.listen({ port: 0, host: '127.0.0.1' })
const base = app.listeningOrigin
const post = (body) =>
  fetch(`${base}/resize`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })

const accepted = await post({ path: 'a.png' })
const { jobId } = await accepted.json()
console.log(accepted.status)
await client.job(jobId).result({ timeoutMs: 10_000 })
console.log(await (await fetch(`${base}/jobs/${jobId}`)).json())
const refused = await post({ path: 42 })
console.log(refused.status, (await refused.json()).error)
await app.close()
