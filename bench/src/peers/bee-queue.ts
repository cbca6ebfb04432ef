import Queue from 'bee-queue'
import { versionOf } from '../version.ts'
import { playRole } from './harness.ts'
import type { JobCall, Peer } from './harness.ts'

// Nothing of what it may leave out: no results sent to producers, no finished jobs kept.
const lean = { getEvents: false, sendEvents: false, storeJobs: false, removeOnSuccess: true, removeOnFailure: true }

const peer: Peer = {
  name: 'bee-queue',
  version: versionOf('bee-queue'),

  async openProducer({ redis, queue }) {
    const bee = new Queue<JobCall>(queue, { ...lean, redis: { url: redis }, isWorker: false })
    await bee.ready()
    const job = (call: JobCall, deferMs = 0) => {
      const made = bee.createJob(call)
      return deferMs > 0 ? made.delayUntil(Date.now() + deferMs) : made
    }
    return {
      enqueue: (call, deferMs) => job(call, deferMs).save(),
      enqueueMany: (calls, deferMs) => bee.saveAll(calls.map((call) => job(call, deferMs))),
      close: () => bee.close(),
    }
  },

  async startWorker({ redis, queue, concurrency }, handlers) {
    const bee = new Queue<JobCall>(queue, { ...lean, redis: { url: redis }, activateDelayedJobs: true })
    await bee.ready()
    bee.process(concurrency, async ({ data: { fn, arg } }) => handlers[fn](arg as never))
    return () => bee.close(1_000)
  },
}

await playRole(peer)
