import { eventually } from '@arq-ts/test-support'
import { beforeEach, describe, expect, test } from 'vitest'
import type { CanaryDeployments, DeploymentReport } from '../../src/index.ts'
import { hasReached, MemoryAliases, quick, useHarness } from '../support/harness.ts'

const bench = useHarness()
let aliases: MemoryAliases
let deployments: CanaryDeployments

beforeEach(() => {
  aliases = new MemoryAliases()
  deployments = bench.deployments(aliases)
})

const reached = (id: string, status: DeploymentReport['status']) => hasReached(deployments, id, status)

describe('a stage is judged by its own requests', () => {
  /** A worker and services with one clock, and a tick when we say so. */
  async function begin(stages: ReturnType<typeof quick>) {
    const clock = { nowMs: 1_700_000_030_000 }
    const redis = bench.redis()
    deployments = bench.deployments(aliases, () => clock.nowMs)
    bench.worker({ aliases, now: () => clock.nowMs })
    const router = bench.router(() => clock.nowMs)
    const id = await deployments.startCanary('products', 'v2', { stages, minSamples: 10 })
    await reached(id, 'running')
    const record = async (count: number, isError: boolean) => {
      const one = { deploymentId: id, collection: 'v2', latencyMs: 10, isError }
      await Promise.all(Array.from({ length: count }, () => router.record(one)))
    }
    const tick = async () => {
      const { tick: before } = (await deployments.status(id))!
      const next = `${id}:tick:${before}`
      await eventually(async () => (await redis.zscore('arq:queue', next)) !== null)
      await redis.zadd('arq:queue', 1, next)
      await eventually(async () => (await deployments.status(id))!.tick > before)
    }
    return { id, clock, record, tick }
  }

  test('not by those of the stage before in the same minute', async () => {
    const { clock, id, record, tick } = await begin(quick([10, 5], [50, 5], [100, 0]))
    await record(10, false)
    clock.nowMs += 5_000
    await tick()
    expect(await deployments.status(id)).toMatchObject({ currentStage: 1, reason: null })
    clock.nowMs += 5_000
    await tick()
    expect(await deployments.status(id)).toMatchObject({
      currentStage: 1,
      reason: '0 of 10 requests seen at 50 %',
    })
    await record(10, false)
    clock.nowMs += 60_000
    await tick()
    expect((await deployments.status(id))!.decisions.map(({ decision }) => decision)).toContain(
      'stage of 50 % passed: 10 requests, 0 % errors, p95 10 ms',
    )
  })

  test('not by what failed while it was paused', async () => {
    const { clock, id, record, tick } = await begin(quick([10, 5], [100, 0]))
    await deployments.pause(id)
    await record(50, true)
    await deployments.resume(id)
    await reached(id, 'running')
    await eventually(async () => (await deployments.status(id))!.stageStartedAtMs !== null)
    await record(10, false)
    clock.nowMs += 5_000
    await tick()
    expect((await deployments.status(id))!.reason).toBeNull()
    await reached(id, 'completed')
  })

  test('by requests of services whose clocks are half a minute off', async () => {
    const { clock, id, record, tick } = await begin(quick([10, 5], [100, 0]))
    clock.nowMs -= 31_000
    await record(5, true)
    clock.nowMs += 62_000
    await record(5, true)
    clock.nowMs -= 31_000
    await tick()
    expect((await reached(id, 'rolled_back')).reason).toBe('error rate 100 % is above 5 %')
  })
})
