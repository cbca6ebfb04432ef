import { describe, expect, test } from 'vitest'
import { eventually } from '@arq-ts/test-support'
import { defineTask } from '../../src/index.ts'
import { useHarness } from './support.ts'

const known = defineTask({ name: 'known', handler: (_ctx, value: unknown) => value })

describe("a worker that hands back what it does not have (unknownFunction: 'release')", () => {
  const bench = useHarness()

  test('reaches its own job behind 5,000 of others, and then leaves those alone', async () => {
    const client = bench.client()
    const past = Date.now() - 60_000
    const foreign = Array.from({ length: 5_000 }, (_, i) => ['foreign', [], { deferUntil: past + i }] as const)
    await client.enqueueMany(foreign as never)
    const behind = await client.enqueue('known', ['behind'])
    const worker = await bench.worker({ tasks: [known], unknownFunction: 'release' })
    let released = 0
    worker.on('jobReleased', () => released++)
    expect(await behind?.result({ timeoutMs: 20_000 })).toBe('behind')
    const after = await client.enqueue('known', ['after'])
    expect(await after?.result({ timeoutMs: 5_000 })).toBe('after')
    // The first thousand may have come back once since.
    expect(released).toBeLessThan(5_000 + 2_000)
    const { redis } = bench.database()
    expect(await redis.zcard('arq:queue')).toBe(5_000)
    await eventually(async () => (await redis.keys('arq:retry:*')).length === 0)
  })
})
