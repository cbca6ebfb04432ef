import { Queue, Worker } from 'bullmq'
import type { Job } from 'bullmq'
import { versionOf } from '../version.ts'
import { playRole } from './harness.ts'
import type { FunctionName, JobCall, Peer } from './harness.ts'

// Faster for it than its default, which keeps every finished job.
const removeOnComplete = true

const connectionOf = (redis: string) => ({ url: redis, maxRetriesPerRequest: null })

const peer: Peer = {
  name: 'BullMQ',
  version: versionOf('bullmq'),

  async openProducer({ redis, queue }) {
    const bull = new Queue(queue, { connection: connectionOf(redis), defaultJobOptions: { removeOnComplete } })
    await bull.waitUntilReady()
    const data = (call: JobCall) => (call.arg === undefined ? {} : { arg: call.arg })
    const later = (delay = 0) => (delay > 0 ? { delay } : {})
    return {
      enqueue: (call, deferMs) => bull.add(call.fn, data(call), later(deferMs)),
      enqueueMany: (calls, deferMs) =>
        bull.addBulk(calls.map((call) => ({ name: call.fn, data: data(call), opts: later(deferMs) }))),
      close: () => bull.close(),
    }
  },

  async startWorker({ redis, queue, concurrency }, handlers) {
    const worker = new Worker(
      queue,
      async (job: Job<{ arg?: never }>) => handlers[job.name as FunctionName](job.data.arg!),
      { connection: connectionOf(redis), concurrency },
    )
    await worker.waitUntilReady()
    return () => worker.close(true)
  },
}

await playRole(peer)
