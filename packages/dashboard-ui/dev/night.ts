/**
 * A real fleet at a bad hour, for work on the pages and for the pictures of the documentation: TypeScript and Python
 * workers, producers, a relay that goes down, and a function without a worker. `npx tsx dev/night.ts redis://…`; ends
 * with the signal that ends it.
 */
import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, cron, defineTask, Worker } from '@arq-ts/core'
import { pythonArq, whyNoPython } from '@arq-ts/test-support'
import { z } from 'zod'
import { continueGraphs, graphTasks, prepareGraphs } from './night-graph.ts'

const redis = process.argv[2] ?? process.env.REDIS_URL ?? 'redis://127.0.0.1:6379/1'
const relayDownAtMs = Date.now() + Number(process.env.RELAY_DOWN_AFTER_MS ?? 600_000)

const resize = defineTask({
  name: 'resize_image',
  params: z.object({
    path: z.string(),
    width: z.number().int().default(800),
    format: z.enum(['avif', 'webp', 'png']).default('webp'),
  }),
  handler: async (ctx, { path, width, format }) => {
    const slow = format === 'avif'
    await sleep((slow ? 1_800 : 90) * (0.5 + Math.random()), undefined, { signal: ctx.signal })
    if (path.endsWith('.heic')) throw new Error(`Input buffer of ${path} contains unsupported image format`)
    return { path, width, bytes: Math.round(width * 93.4) }
  },
})
const index = defineTask({
  name: 'index_documents',
  params: z.object({ collection: z.string(), count: z.number().int() }),
  maxTries: 4,
  record: { logs: true },
  retry: { delayMs: 20_000, backoff: 'exponential' },
  handler: async (ctx, { collection, count }) => {
    for (let done = 0; done <= count; done += Math.ceil(count / 8)) {
      ctx.progress(done / count, `${done} of ${count} documents`)
      ctx.log.info(`indexed ${done} of ${count} documents of ${collection}`)
      await sleep(1_200, undefined, { signal: ctx.signal })
      if (collection === 'contracts' && done > count / 2) {
        ctx.log.warn(`the store of "${collection}" answers 503, after ${done} documents`)
        throw new Error(`the store of "${collection}" answers 503`)
      }
    }
    return { collection, count }
  },
})
const rollup = async () => 'rolled up'

const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort())
const common = { redis, handleSignals: false, recorder: { intervalMs: 2_000 }, healthCheckIntervalMs: 10_000 } as const
const workers = [
  new Worker({ ...common, name: 'media-1', queueName: 'media', tasks: [resize], maxJobs: 6 }),
  new Worker({ ...common, name: 'media-2', queueName: 'media', tasks: [resize], maxJobs: 6 }),
  new Worker({
    ...common,
    name: 'ops-1',
    queues: ['default', 'high_priority'],
    tasks: [index],
    cron: [
      cron('cron:rollup', { minute: [0, 15, 30, 45] }, rollup),
      cron('cron:reindex', { hour: 6, minute: 0 }, rollup),
    ],
    maxJobs: 8,
  }),
  new Worker({ ...common, name: 'reports-1', queueName: 'reports', tasks: graphTasks, maxJobs: 12 }),
]
const running = workers.map((worker) => worker.run(stop.signal))

const children: ReturnType<typeof spawn>[] = []
if (!(await whyNoPython())) {
  const python = await pythonArq('0.28.0')
  for (const settings of ['Mail', 'Default']) {
    children.push(
      spawn(python, ['-m', 'arq', `mailer.${settings}`], {
        cwd: import.meta.dirname,
        env: { ...process.env, REDIS_URL: redis, RELAY_DOWN_AT_MS: String(relayDownAtMs) },
        stdio: 'ignore',
      }),
    )
  }
}

const client = new Client({ redis, codec: 'pickle' })
const people = ['ada', 'grace', 'linus', 'margaret', 'dennis', 'barbara', 'ken', 'radia']
const some = <T>(from: readonly T[]): T => from[Math.floor(Math.random() * from.length)]!
const mail = (): [string, unknown[], { queueName: string }] => [
  'send_mail',
  [`${some(people)}@example.com`],
  { queueName: 'mail' },
]
await prepareGraphs(client)
for (let second = 0; !stop.signal.aborted; second++) {
  const down = Date.now() > relayDownAtMs
  await client.enqueueMany(Array.from({ length: down ? 20 : 9 }, mail))
  for (let n = 0; n < 4; n++) {
    const path = `uploads/${some(people)}-${second}${Math.random() < 0.02 ? '.heic' : '.jpg'}`
    const format = Math.random() < (down ? 0.17 : 0.02) ? 'avif' : 'webp'
    await client.enqueue(resize, { path, format, width: some([320, 800, 1600]) }, { queueName: 'media' })
  }
  if (second % 5 === 0) await client.enqueue('delete_collection', [`tmp-${second}`], { queueName: 'arq:queue' })
  if (second % 20 === 0)
    await client.enqueue(index, { collection: some(['articles', 'contracts']), count: 400 }, { queueName: 'default' })
  if (down && second % 30 === 0) await client.enqueue('embed_documents', [second], { queueName: 'default' })
  if (second % 15 === 0) {
    const deferByMs = Math.round(Math.random() ** 2 * 86_000_000)
    await client.enqueueMany(
      Array.from({ length: 20 }, (): ReturnType<typeof mail> => {
        const [name, args, options] = mail()
        return [name, args, { ...options, deferByMs } as never]
      }),
    )
  }
  await continueGraphs(client, second)
  await sleep(1_000, undefined, { signal: stop.signal }).catch(() => undefined)
}
for (const child of children) child.kill('SIGTERM')
await Promise.allSettled(running)
await client.close()
