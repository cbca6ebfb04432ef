import { CuttingProxy, eventually, RedisServer } from '@arq-ts/test-support'
import type { Cut } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Client, defineTask, Worker } from '../../src/index.ts'
import { silent } from './support.ts'

/** More commands than a connection sends until it is ready and subscribed. */
const STEPS = 9
const CUTS: Cut[] = Array.from({ length: STEPS }, (_, command) => command).flatMap((command) => [
  { command, at: 'command' },
  { command, at: 'reply' },
])

const echo = defineTask({ name: 'echo', handler: (_ctx, value: unknown) => value })

describe.each([0, 3])('with connections that are cut while they open database %d', (database) => {
  let server: RedisServer
  let proxy: CuttingProxy
  let direct: Redis
  let url: string
  let escaped: unknown[]
  const onRejection = (reason: unknown) => void escaped.push(reason)

  beforeAll(async () => {
    server = await RedisServer.start()
    proxy = await CuttingProxy.open(Number(new URL(server.url).port))
    url = `redis://127.0.0.1:${proxy.port}/${database}`
    direct = new Redis(`${server.url}/${database}`)
  })
  afterAll(async () => {
    direct.disconnect()
    await proxy.close()
    await server.stop()
  })
  beforeEach(() => {
    escaped = []
    process.on('unhandledRejection', onRejection)
    process.on('uncaughtException', onRejection)
  })
  afterEach(async () => {
    process.off('unhandledRejection', onRejection)
    process.off('uncaughtException', onRejection)
    await direct.flushall()
  })

  test('a worker and a waiting client get through, wherever the cut falls', async () => {
    const client = new Client({ redis: url, logger: silent, commandTimeoutMs: 20_000 })
    const worker = new Worker({ redis: url, tasks: [echo], logger: silent, handleSignals: false, pollDelayMs: 50 })
    const running = worker.run()
    try {
      for (const [i, cut] of CUTS.entries()) {
        // The next connections of both, for commands and for channels, are cut as they come back.
        proxy.cutNext(cut, 4)
        proxy.cutAll()
        const job = await client.enqueue('echo', [i])
        expect(await job?.result({ timeoutMs: 20_000 })).toBe(i)
      }
      expect(proxy.cuts).toBeGreaterThan(CUTS.length)
      expect(escaped).toEqual([])
    } finally {
      proxy.cutNext(CUTS[0]!, 0)
      await worker.stop()
      await running
      await client.close()
    }
  })

  test('a listener of worker events hears events again, wherever the cut falls', async () => {
    const client = new Client({ redis: url, logger: silent, commandTimeoutMs: 20_000 })
    const worker = new Worker({
      redis: `${server.url}/${database}`,
      tasks: [echo],
      logger: silent,
      handleSignals: false,
    })
    const running = worker.run()
    let heard = 0
    const stop = await client.workers.listen(() => heard++)
    try {
      for (const cut of CUTS) {
        proxy.cutNext(cut, 2)
        proxy.cutAll()
        const before = heard
        await eventually(
          async () => {
            await client.enqueue('echo', [cut.command])
            return heard > before
          },
          { timeoutMs: 20_000 },
        )
      }
      expect(escaped).toEqual([])
    } finally {
      proxy.cutNext(CUTS[0]!, 0)
      stop()
      await worker.stop()
      await running
      await client.close()
    }
  })
})
