// Limits: how many jobs of a tenant run at a time, how often jobs start, and a limit that is changed while they wait.
import { Client, createLogger, defineTask, Worker } from '@arq-ts/core'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'

const redis = process.env.REDIS_URL ?? 'redis://localhost:6379'
const logger = createLogger({ level: 'warn' })
const queueName = 'example:limits'

const running = new Map()
const most = new Map()
const render = defineTask({
  name: 'render',
  params: z.object({ tenant: z.string() }),
  limits: [{ name: 'example-tenant', key: ({ tenant }) => tenant, concurrency: 2 }],
  handler: async (_ctx, { tenant }) => {
    running.set(tenant, (running.get(tenant) ?? 0) + 1)
    most.set(tenant, Math.max(most.get(tenant) ?? 0, running.get(tenant)))
    await sleep(20)
    running.set(tenant, running.get(tenant) - 1)
  },
})

const starts = []
const callApi = defineTask({
  name: 'call_api',
  limits: [{ name: 'example-api', rate: { count: 20, perMs: 1_000 } }], // one each 50 ms
  handler: async () => void starts.push(performance.now()),
})

const client = new Client({ redis, logger, queueName })
const worker = new Worker({ redis, logger, queueName, tasks: [render, callApi], maxJobs: 20, handleSignals: false })
void worker.run()
const results = (jobs) => Promise.all(jobs.map(({ job }) => job.result({ timeoutMs: 10_000 })))

// Six jobs each of two tenants; the worker has room for all of them.
const tenants = Array.from({ length: 12 }, (_, n) => (n % 2 === 0 ? 'acme' : 'globex'))
await results(await client.enqueueMany(tenants.map((tenant) => [render, { tenant }])))
for (const tenant of ['acme', 'globex']) console.log(`${tenant}: never more than 2 at a time: ${most.get(tenant) <= 2}`)

// Five calls at once start 50 ms apart.
await results(await client.enqueueMany(Array.from({ length: 5 }, () => [callApi, []])))
const took = starts.at(-1) - starts[0]
console.log(`five calls spread over 200 ms or more: ${took > 190}`)

// A pause for one tenant, at run time: on every worker, from the next start on.
await client.limits.set('example-tenant', { key: 'acme', concurrency: 0 })
const held = await client.enqueue(render, { tenant: 'acme' })
const other = await client.enqueue(render, { tenant: 'globex' })
await other.result({ timeoutMs: 10_000 })
const isHeld = async () => (await client.limits.get('example-tenant', { key: 'acme' })).waiting === 1
while (!(await isHeld())) await sleep(5)
console.log(`acme waits, globex ran: ${await held.status()}`)
await client.limits.clear('example-tenant', { key: 'acme' })
await held.result({ timeoutMs: 10_000 })
console.log('acme ran')

await worker.stop()
await client.close()
