// Moves a worker from Python arq to arq-ts while jobs keep coming: both work on one queue, then the old one ends. Nothing is
// copied, lost or run twice, and the producer is never touched. PYTHON is an interpreter with arq.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Client, createLogger, defineTask, Worker } from '@arq-ts/core'
import { z } from 'zod'

const redis = process.env.REDIS_URL ?? 'redis://localhost:6379'
const logger = createLogger({ level: 'warn' })
const queueName = 'example:from-arq'
const script = fileURLToPath(new URL('worker.py', import.meta.url))
const python = process.env.PYTHON ?? 'python3'
const env = { ...process.env, REDIS_URL: redis }
const enqueue = (...names) => promisify(execFile)(python, [script, 'enqueue', ...names], { env })

const client = new Client({ redis, logger, queueName })
const by = async (...names) => {
  const results = await Promise.all(names.map((name) => client.job(`mail-${name}`).result({ timeoutMs: 20_000 })))
  return results.map((result) => result.split(' by ')[1])
}

// Before: Python alone.
const old = spawn(python, [script, 'work'], { env, stdio: ['ignore', 'pipe', 'ignore'] })
process.on('exit', () => old.kill('SIGKILL'))
await once(old.stdout, 'data')
await enqueue('ann', 'bob')
console.log('Python alone:', ...new Set(await by('ann', 'bob')))

// Step 1: a worker of arq-ts on the same queue, with the same function.
const sendMail = defineTask({
  name: 'send_mail',
  params: z.object({ to: z.string(), lang: z.string().default('en') }),
  handler: async (_ctx, { to, lang }) => `${to} (${lang}) by TypeScript`,
})
const worker = new Worker({ redis, logger, queueName, tasks: [sendMail], handleSignals: false })
const ready = once(worker, 'started')
void worker.run()
await ready
const many = Array.from({ length: 20 }, (_, i) => `user${i}`)
await enqueue(...many)
console.log('side by side, each once:', (await by(...many)).length)

// Step 2: the old worker is asked to stop, finishes its jobs, and ends.
old.kill('SIGTERM')
await once(old, 'close')
await enqueue('cem')
console.log('TypeScript alone:', ...(await by('cem')))
await worker.stop()
await client.close()
