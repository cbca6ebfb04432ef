import { Writable } from 'node:stream'
import { eventually, RedisServer } from '@arq-ts/test-support'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Client, createLogger, defineTask, Worker } from '../../src/index.ts'
import type { WorkerParts } from '../../src/worker/assembly.ts'
import { next, silent } from './support.ts'

let server: RedisServer

beforeAll(async () => {
  server = await RedisServer.start({ persistent: true })
})
afterAll(() => server.stop())

test.each([
  ['a worker that is about to take up its leases', false],
  ['a burst that asks what is left', true],
])('%s stops while Redis is away', async (_, burst) => {
  const lines: string[] = []
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(String(chunk))
      done()
    },
  })
  let end = () => {}
  const ended = new Promise<void>((resolve) => (end = resolve))
  const worker = new Worker({
    redis: server.url,
    tasks: [defineTask({ name: 'wait', handler: () => ended })],
    logger: createLogger({ level: 'info', destination, pretty: false }),
    handleSignals: false,
    maxJobs: 1,
    burst,
  })
  const client = new Client({ redis: server.url, logger: silent })
  try {
    const started = next(worker, 'jobStarted')
    await client.enqueue('wait')
    const running = worker.run()
    await started
    const { link } = Worker.partsOf(worker) as WorkerParts
    const down = next(worker, 'redisDown')
    await server.kill()
    await down
    // As late as if the outage had outlasted the leases.
    link.clock.observe(Date.now() + 3_600_000, Date.now())
    end()
    // The slot is free, and the loop that fills it is at its next turn.
    await eventually(() => lines.some((line) => line.includes('←')))
    await new Promise((resolve) => setImmediate(resolve))
    const stopped = worker.stop()
    await eventually(() => lines.some((line) => line.includes('shutdown')))
    await server.restart()
    await running
    await expect(stopped).resolves.toBeUndefined()
  } finally {
    await client.close()
  }
})
