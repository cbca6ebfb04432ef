// A producer of ours: enqueues jobs at a steady rate in both codecs, and writes which were accepted.
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, createLogger } from '@arq-ts/core'
import { planJob } from '../plan/jobs.ts'
import type { JobPlan } from '../plan/jobs.ts'
import { Random } from '../plan/random.ts'
import { MSGPACK_QUEUE, PICKLE_QUEUE } from '../plan/slots.ts'
import { connectionOptions, readAssignment } from './assignment.ts'
import { LedgerClient } from './ledger-client.ts'

const { worker: name, redis, ledgerPort, leaseMs, logLevel, rate, seed } = readAssignment()
const ledger = new LedgerClient(ledgerPort)
const logger = createLogger({ level: logLevel as 'warn' })
const random = new Random(`${name}:${seed}`)
const common = { ...connectionOptions(redis), logger, commandTimeoutMs: 15_000 }
const clients = [
  new Client({ ...common, codec: 'pickle', queueName: PICKLE_QUEUE }),
  new Client({ ...common, codec: 'msgpack', queueName: MSGPACK_QUEUE }),
]

/** Enqueues under way at most: what an outage may keep waiting. */
const MAX_IN_FLIGHT = 2_000
const TURN_MS = 20

let stopping = false
let inFlight = 0
let count = 0
process.once('SIGTERM', () => {
  stopping = true
})

async function enqueue(client: Client, { task, ms, failures, deferByMs, jobId, abortAfterMs }: JobPlan) {
  const nonce = `${name}/${++count}`
  try {
    const options = { ...(jobId === undefined ? {} : { jobId }), ...(deferByMs > 0 ? { deferByMs } : {}) }
    const job = await client.enqueue(task, [nonce, ms, failures], options)
    if (!job) return
    await ledger.write({
      event: 'accepted',
      nonce,
      jobId: job.jobId,
      task,
      deferMs: String(deferByMs),
      producer: name,
    })
    if (abortAfterMs === undefined) return
    await sleep(abortAfterMs)
    await ledger.write({ event: 'abort', jobId: job.jobId, producer: name })
    await job.abort({ timeoutMs: 0 }).catch(() => {})
  } catch (error) {
    await ledger.write({ event: 'uncertain', nonce, producer: name, error: String(error) })
  }
}

console.log('ready')
let owed = 0
let lastMs = performance.now()
const pending = new Set<Promise<void>>()
while (!stopping) {
  const now = performance.now()
  owed = Math.min(owed + ((now - lastMs) * rate) / 1000, rate)
  lastMs = now
  for (; owed >= 1 && inFlight < MAX_IN_FLIGHT; owed--) {
    inFlight++
    const one = enqueue(random.pick(clients), planJob(random, leaseMs)).finally(() => {
      inFlight--
      pending.delete(one)
    })
    pending.add(one)
  }
  await sleep(TURN_MS)
}
await Promise.all(pending)
await Promise.all(clients.map((client) => client.close()))
await ledger.close()
