import { eventually } from '@arq-ts/test-support'
import { beforeEach, describe, expect, test } from 'vitest'
import { DeploymentError } from '../../src/index.ts'
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
const { events } = bench

describe('by hand', () => {
  test('it is paused and resumed: the stage begins anew', async () => {
    bench.worker({ aliases })
    const id = await deployments.startCanary('products', 'v2', { stages: quick([50, 600]) })
    await reached(id, 'running')
    const before = (await deployments.status(id))!.stageStartedAtMs!
    await deployments.pause(id)
    expect(await deployments.status(id)).toMatchObject({ status: 'paused', percentage: 50 })
    await expect(deployments.pause(id)).rejects.toThrow('is paused; this is for one that is queued, running')
    await deployments.resume(id)
    await eventually(async () => (await deployments.status(id))!.stageStartedAtMs! > before)
    expect((await events()).map((event) => event.type)).toEqual(['deployment_started'])
  })

  test('it is paused before it begins, and reports when it begins', async () => {
    const id = await deployments.startCanary('products', 'v2', { stages: quick([50, 600]) })
    await deployments.pause(id)
    expect(await deployments.status(id)).toMatchObject({ status: 'paused', percentage: 0 })
    await deployments.resume(id)
    bench.worker({ aliases })
    await reached(id, 'running')
    expect((await events()).map((event) => event.type)).toEqual(['deployment_started'])
  })

  test('one job looks at it, however often it is paused and resumed', async () => {
    const worker = bench.worker({ aliases })
    const redis = bench.redis()
    const id = await deployments.startCanary('products', 'v2', { stages: quick([50, 600]) })
    await reached(id, 'running')
    for (let i = 0; i < 5; i++) {
      await deployments.pause(id)
      await deployments.resume(id)
    }
    const settled = async () => (await deployments.status(id))!.stageStartedAtMs !== null
    await eventually(settled)
    // All that wait come now: those of states gone by do nothing but leave it to the newest.
    const { tick } = (await deployments.status(id))!
    const newest = `${id}:tick:${tick}`
    const waiting = async () => (await redis.zrange('arq:queue', 0, '-1')).filter((job) => job !== newest)
    for (const job of await waiting()) await redis.zadd('arq:queue', 1, job)
    await eventually(async () => (await waiting()).length === 0)
    expect(await redis.zrange('arq:queue', 0, '-1')).toEqual([newest])
    expect((await deployments.status(id))!.tick).toBe(tick)
    await worker.stop()
  })

  test('it is promoted at once', async () => {
    bench.worker({ aliases })
    const id = await deployments.startCanary('products', 'v2', { stages: quick([5, 600]) })
    await reached(id, 'running')
    await deployments.promote(id)
    await reached(id, 'completed')
    expect(aliases.aliases.get('products')).toBe('v2')
    await expect(deployments.rollback(id)).rejects.toThrow(DeploymentError)
  })

  test('a roll-back takes the traffic away at once, whether a worker or Qdrant is there or not', async () => {
    const worker = bench.worker({ aliases })
    const id = await deployments.startCanary('products', 'v2', { stages: quick([50, 600]) })
    await reached(id, 'running')
    await worker.stop()
    aliases.down = true
    await deployments.rollback(id)
    expect(await bench.router().getRoute('products')).toBeNull()
    expect(await deployments.status(id)).toMatchObject({ status: 'running', ending: 'rollback', percentage: 0 })
    bench.worker({ aliases })
    await eventually(async () => (await deployments.status(id))!.endingFailures > 0)
    aliases.down = false
    await deployments.rollback(id).catch(() => {}) // it is on its way
    await reached(id, 'rolled_back')
  })

  test('a roll-back takes the place of a promotion that cannot be finished', async () => {
    bench.worker({ aliases })
    const id = await deployments.startCanary('products', 'v2', { stages: quick([50, 600]) })
    await reached(id, 'running')
    aliases.refuses = true
    await deployments.promote(id)
    await eventually(async () => (await deployments.status(id))!.endingFailures > 0)
    await expect(deployments.promote(id)).rejects.toThrow('is on its way to promote')
    await deployments.rollback(id, 'changed my mind')
    expect((await reached(id, 'rolled_back')).reason).toBe('changed my mind')
    expect(aliases.aliases.get('products')).toBe('v1')
  })

  test('a roll-back that failed can be asked for again', async () => {
    bench.worker({ aliases })
    const id = await deployments.startCanary('products', 'v2', { stages: quick([5, 600]) })
    await reached(id, 'running')
    const redis = bench.redis()
    const state = JSON.parse((await redis.hget(`canary:deployment:${id}`, 'state'))!) as object
    aliases.aliases.set('products', 'v2')
    await redis.hset(`canary:deployment:${id}`, 'state', JSON.stringify({ ...state, status: 'rollback_failed' }))
    await deployments.rollback(id, 'once more')
    await reached(id, 'rolled_back')
    expect(aliases.switches).toEqual(['v1'])
  })
})
