// Moves one task from Celery to arq-ts: new calls go to arq-ts, Celery's worker empties its queue, and ends. PYTHON is an
// interpreter with Celery.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Client, createLogger, defineTask, Worker } from '@arq-ts/core'
import { z } from 'zod'

const redis = process.env.REDIS_URL ?? 'redis://localhost:6379'
const logger = createLogger({ level: 'warn' })
const queueName = 'example:from-celery'
const python = process.env.PYTHON ?? 'python3'
const cwd = fileURLToPath(new URL('.', import.meta.url))
const env = { ...process.env, REDIS_URL: redis, PYTHONDONTWRITEBYTECODE: '1' }

const sent = []
const isSent = (count) => sent.length >= count

// Before: calls that Celery holds.
await promisify(execFile)(python, ['app.py', 'delay', 'ann', 'bob', 'cem'], { cwd, env })

// Step 1: a worker of arq-ts, and producers that enqueue there. In Python they need arq alone:
//   await redis.enqueue_job('send_mail', 'dan')
const sendMail = defineTask({
  name: 'send_mail',
  params: z.object({ to: z.string() }),
  handler: async (_ctx, { to }) => void sent.push(to),
  maxTries: 3, // max_retries=2
  retry: { delayMs: 1_000, backoff: 'exponential' }, // autoretry_for=(Exception,), retry_backoff=True
})
const worker = new Worker({ redis, logger, queueName, tasks: [sendMail], handleSignals: false })
void worker.run()
const client = new Client({ redis, logger, queueName })
const job = await client.enqueue(sendMail, { to: 'dan' })
await job.result({ timeoutMs: 10_000 })
console.log('by arq-ts:', ...sent)

// Step 2: Celery's worker runs what is left, is asked to stop, and ends.
const args = [
  '-m',
  'celery',
  '-A',
  'app',
  'worker',
  '--pool',
  'solo',
  '--loglevel',
  'WARNING',
  '--without-gossip',
  '--without-mingle',
]
const old = spawn(python, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
process.on('exit', () => old.kill('SIGKILL'))
const left = new Promise((resolve, reject) => {
  const take = (line) => {
    const [, name] = /sent (\w+)/.exec(line) ?? []
    if (name) sent.push(name)
    if (isSent(4)) resolve()
  }
  for (const stream of [old.stdout, old.stderr]) createInterface({ input: stream }).on('line', take)
  old.once('close', () => reject(new Error('the worker of Celery ended early')))
})
await left
old.kill('SIGTERM')
await once(old, 'close')
console.log('by both, each once:', ...sent.toSorted((a, b) => a.localeCompare(b)))

await worker.stop()
await client.close()
