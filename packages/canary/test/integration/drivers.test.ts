import { eventually } from '@arq-ts/test-support'
import { beforeEach, describe, expect, test } from 'vitest'
import type { CanaryDeployments, DeploymentReport } from '../../src/index.ts'
import { hasReached, MemoryAliases, pythonConfig, quick, traffic, useHarness } from '../support/harness.ts'

const bench = useHarness()
let aliases: MemoryAliases
let deployments: CanaryDeployments

beforeEach(() => {
  aliases = new MemoryAliases()
  deployments = bench.deployments(aliases)
})

const reached = (id: string, status: DeploymentReport['status']) => hasReached(deployments, id, status)
const { events } = bench

describe('drivers', () => {
  test('make each change once, however many there are', async () => {
    for (let i = 0; i < 4; i++) bench.worker({ aliases })
    const stop = traffic(bench.router(), () => ({ latencyMs: 10, isError: false }))
    const client = bench.client()
    const id = await deployments.startCanary('products', 'v2', {
      stages: quick([20, 0.5], [60, 0.5], [100, 0]),
      minSamples: 1,
    })
    const config = { ...pythonConfig, stages: [{ percentage: 1, duration_minutes: 1 }] }
    for (let i = 0; i < 30; i++) {
      await client.enqueue('run_canary_deployment', [id, config], { deferByMs: i * 50 })
    }
    const report = await reached(id, 'completed')
    await stop()
    expect(aliases.switches).toEqual(['v2'])
    expect((await events()).map((event) => event.type)).toEqual(['deployment_started', 'deployment_completed'])
    expect(report.decisions.filter(({ decision }) => decision.startsWith('stage begins')).length).toBe(3)
  })

  test('resume what Python asks for anew, and not when such a job runs again', async () => {
    bench.worker({ aliases, rules: { onNoTraffic: 'proceed' } })
    const client = bench.client()
    const config = { ...pythonConfig, stages: [{ percentage: 10, duration_minutes: 100 }] }
    const run = async (jobId: string) => {
      const job = await client.enqueue('run_canary_deployment', ['canary_7', config], { jobId })
      return (await job!.result({ timeoutMs: 10_000 })) as { deployment_status: string }
    }
    /** As after a worker's death: the same job, once more. */
    const runAgain = async (jobId: string) => {
      await bench.redis().del(`arq:result:${jobId}`)
      return run(jobId)
    }
    expect(await run('starts')).toMatchObject({ deployment_status: 'running' })
    await deployments.pause('canary_7')
    expect(await runAgain('starts')).toMatchObject({ deployment_status: 'paused' })
    expect(await run('resumes')).toMatchObject({ deployment_status: 'running' })
    await deployments.pause('canary_7')
    expect(await runAgain('resumes')).toMatchObject({ deployment_status: 'paused' })
    expect((await deployments.status('canary_7'))!.status).toBe('paused')
  })

  test('call a share of Python that is no whole number what its routers make of it', async () => {
    const config = { ...pythonConfig, stages: [{ percentage: 12.5, duration_minutes: 10 }] }
    bench.worker({ aliases })
    await bench.client().enqueue('run_canary_deployment', ['canary_7', config])
    await reached('canary_7', 'running')
    expect(await deployments.status('canary_7')).toMatchObject({ percentage: 13, share: { configured: 13 } })
  })

  test('wait for a Qdrant that is away, and begin when it is back', async () => {
    const id = await deployments.startCanary('products', 'v2', { stages: quick([5, 600]) })
    aliases.down = true
    bench.worker({ aliases })
    await eventually(async () => (await deployments.status(id))!.reason === 'Qdrant does not answer')
    expect(await deployments.status(id)).toMatchObject({ status: 'queued', percentage: 0 })
    aliases.down = false
    await reached(id, 'running')
  })

  test('wait for a Qdrant that is away, and finish what they began', async () => {
    bench.worker({ aliases })
    const id = await deployments.startCanary('products', 'v2', { stages: quick([5, 600]) })
    await reached(id, 'running')
    aliases.down = true
    await deployments.promote(id)
    await eventually(async () => (await deployments.status(id))!.endingFailures > 0)
    aliases.down = false
    await reached(id, 'completed')
    expect(aliases.aliases.get('products')).toBe('v2')
  })

  test('find a deployment whose tick was lost, whatever is wrong with another', async () => {
    const redis = bench.redis()
    await redis.zadd('canary:active', 1, 'broken')
    await redis.hset('canary:deployment:broken', { tick: '1', state: 'no JSON' })
    bench.worker({ aliases }, { cron: [] })
    const id = await deployments.startCanary('products', 'v2', { stages: quick([5, 600]) })
    await reached(id, 'running')
    await redis.del('arq:queue')
    const { tick } = (await deployments.status(id))!
    const state = JSON.parse((await redis.hget(`canary:deployment:${id}`, 'state'))!) as object
    await redis.hset(`canary:deployment:${id}`, 'state', JSON.stringify({ ...state, nextTickAtMs: 1 }))
    await bench.client().enqueue('cron:canary-watch')
    await eventually(async () => (await deployments.status(id))!.tick > tick)
    const next = `${id}:tick:${tick + 1}`
    await eventually(async () => (await redis.zrange('arq:queue', 0, '-1')).includes(next))
  })
})
