import { Client, createLogger, defineTask, Worker } from '@arq-ts/core'
import { versionOf } from '../version.ts'
import { playRole } from './harness.ts'
import type { Handlers, JobCall, Peer, RoleOptions } from './harness.ts'

const logger = createLogger({ level: 'silent' })

const peer: Peer = {
  name: 'arq-ts',
  version: versionOf('@arq-ts/core'),

  async openProducer({ redis, queue, codec }) {
    const client = new Client({ redis, queueName: queue, logger, ...(codec ? { codec } : {}) })
    // Other peers have a call that waits for the connection.
    await client.now()
    const args = (call: JobCall) => (call.arg === undefined ? [] : [call.arg])
    const later = (deferByMs = 0) => (deferByMs > 0 ? { deferByMs } : {})
    return {
      enqueue: (call, deferMs) => client.enqueue(call.fn, args(call), later(deferMs)),
      enqueueMany: (calls, deferMs) =>
        client.enqueueMany(calls.map((call) => [call.fn, args(call), later(deferMs)] as const)),
      close: () => client.close(),
    }
  },

  async startWorker({ redis, queue, concurrency, leaseMs, handOff }: RoleOptions, handlers: Handlers) {
    const tasks = [
      defineTask({ name: 'noop', handler: async () => handlers.noop() }),
      defineTask({ name: 'sleep1', handler: () => handlers.sleep1() }),
      defineTask({ name: 'probe', handler: async (_, sentUs) => handlers.probe(sentUs as number) }),
      defineTask({ name: 'hold', handler: () => handlers.hold(), timeoutMs: 86_400_000 }),
      defineTask({ name: 'take', handler: async (_, data) => handlers.take(data) }),
    ]
    const worker = new Worker({
      redis,
      queueName: queue,
      tasks,
      maxJobs: concurrency,
      logger,
      handleSignals: false,
      ...(leaseMs ? { leaseMs } : {}),
      ...(handOff === undefined ? {} : { handOff }),
    })
    const started = new Promise<void>((resolve) => worker.once('started', resolve))
    void worker.run()
    await started
    return () => worker.stop()
  },
}

await playRole(peer)
