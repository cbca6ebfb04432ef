import { eventually } from '@arq-ts/test-support'
import { beforeEach, describe, expect, test } from 'vitest'
import { signatureOf } from '../../src/index.ts'
import type { CanaryDeployments, DeploymentReport } from '../../src/index.ts'
import { hasReached, MemoryAliases, quick, traffic, useHarness } from '../support/harness.ts'
import { listen } from '../support/http.ts'

const bench = useHarness()
let aliases: MemoryAliases
let deployments: CanaryDeployments
beforeEach(() => {
  aliases = new MemoryAliases()
  deployments = bench.deployments(aliases)
})
const reached = (id: string, status: DeploymentReport['status']) => hasReached(deployments, id, status)
const healthy = () => ({ latencyMs: 10, isError: false })
const eventTypes = async () => (await bench.events('canary:events')).map(({ type }) => type)

describe('approval', () => {
  test('is waited for at the end of its stage, and given', async () => {
    const stop = traffic(bench.router(), healthy)
    bench.worker({ aliases })
    const stages = [{ percentage: 50, durationMinutes: 1 / 60, approval: true }, ...quick([100, 0])]
    const id = await deployments.startCanary('products', 'v2', { stages, minSamples: 1 })
    await eventually(async () => (await deployments.status(id))!.reason === 'stage of 50 % waits for approval', {
      timeoutMs: 20_000,
    })
    expect(aliases.switches).toEqual([])
    await deployments.approve(id)
    await reached(id, 'completed')
    await stop()
    const types = await eventTypes()
    expect(types.indexOf('waiting_for_approval')).toBeLessThan(types.indexOf('approved'))
    await expect(deployments.approve(id)).rejects.toMatchObject({ code: 'ARQ_DEPLOYMENT' })
  })

  test('is given once, however many people approve a stage, and never to the stage behind the one they saw', async () => {
    const worker = bench.worker({ aliases })
    const stages = [10, 50].map((percentage) => ({ percentage, durationMinutes: 0, approval: true }))
    const id = await deployments.startCanary('products', 'v2', {
      stages: [...stages, ...quick([100, 0])],
      minSamples: 1,
    })
    const waits = (percentage: number) =>
      eventually(async () => (await deployments.status(id))!.reason === `stage of ${percentage} % waits for approval`, {
        timeoutMs: 20_000,
      })
    await waits(10)
    await worker.stop()
    await Promise.all([1, 2, 3].map(() => deployments.approve(id, { stage: 0 })))
    const approvals = async () => (await deployments.status(id))!.decisions.filter(({ event }) => event === 'approved')
    expect(await approvals()).toHaveLength(1)
    bench.worker({ aliases })
    await waits(50)
    await expect(deployments.approve(id, { stage: 0 })).rejects.toThrow(
      `deployment ${id} is in stage 2 of 3, not in stage 1 of 3; look at it again first`,
    )
    expect((await deployments.status(id))!.approvedStage).toBe(0)
    for (const stage of [-1, 0.5, '1'])
      await expect(deployments.approve(id, { stage } as never)).rejects.toThrow('stage')
    await deployments.approve(id, { stage: 1 })
    await reached(id, 'completed')
    expect(await approvals()).toHaveLength(2)
  })
})

describe('a dry run', () => {
  test('judges by shadow traffic, sends nobody to the new collection and moves no alias', async () => {
    bench.worker({ aliases })
    const router = bench.router()
    const id = await deployments.startCanary('products', 'v2', {
      stages: quick([20, 1], [100, 0]),
      minSamples: 5,
      dryRun: true,
    })
    await reached(id, 'running')
    expect(await router.getRoute('products')).toMatchObject({ percentage: 0, shadow: 20 })
    await expect(deployments.promote(id)).rejects.toThrow(`deployment ${id} is a dry run, which moves no alias`)
    expect((await deployments.status(id))!.acts).toEqual(['pause', 'rollback'])
    const asked = new Set<string>()
    for (let i = 0; (await deployments.status(id))!.status === 'running'; i++) {
      await router.shadow(
        'products',
        { userId: `u${i}` },
        async (collection, { isCanary }) => void asked.add(`${collection} ${isCanary}`),
      )
    }
    const report = await reached(id, 'completed')
    expect(report).toMatchObject({ percentage: 0, reason: 'dry run: would be promoted, the alias was not moved' })
    expect(report.metrics.new.totalRequests).toBeGreaterThanOrEqual(0)
    expect(aliases.switches).toEqual([])
    expect((await bench.events('canary:events')).every(({ dry_run }) => dry_run === '1')).toBe(true)
  })
})

describe('events', () => {
  test('are there for every decision, with its reason, on a stream of our own; Python’s has Python’s alone', async () => {
    const stop = traffic(bench.router(), (collection) => ({ latencyMs: 10, isError: collection === 'v2' }))
    bench.worker({ aliases })
    const id = await deployments.startCanary('products', 'v2', { stages: quick([50, 600]), failureLimit: 1 })
    await reached(id, 'running')
    await deployments.pause(id)
    await deployments.resume(id)
    await deployments.rollback(id, 'looks odd')
    await reached(id, 'rolled_back')
    await stop()
    const events = await bench.events('canary:events')
    expect(events.map(({ type }) => type).filter((type) => type !== 'breach_tolerated')).toEqual(
      expect.arrayContaining(['stage_began', 'paused', 'resumed', 'rolling_back', 'rolled_back']),
    )
    expect(events.at(-1)).toMatchObject({
      type: 'rolled_back',
      deployment_id: id,
      alias: 'products',
      old_collection: 'v1',
      new_collection: 'v2',
      reason: 'looks odd',
      decision: 'rolled back',
      stage: '0',
      percentage: '0',
    })
    expect((await bench.events()).map(({ type }) => type)).toEqual(['deployment_started', 'deployment_failed'])
  })
})

describe('notifications', () => {
  test('are sent as jobs, tried again until they arrive, and signed', async () => {
    let refusals = 2
    const hook = await listen(() => ({ status: refusals-- > 0 ? 503 : 200 }))
    const secret = 'a secret of enough characters'
    bench.worker({ aliases, notifySecret: secret })
    const notify = [{ url: hook.url, on: ['rolled_back' as const] }]
    const id = await deployments.startCanary('products', 'v2', { stages: quick([5, 600]), notify })
    await reached(id, 'running')
    await deployments.rollback(id, 'looks odd')
    await reached(id, 'rolled_back')
    await eventually(() => hook.received.length === 3, { timeoutMs: 20_000 })
    const { body, headers } = hook.received[2]!
    expect(JSON.parse(body)).toMatchObject({
      type: 'rolled_back',
      deployment_id: id,
      reason: 'looks odd',
      percentage: 0,
      status: 'rolled_back',
    })
    expect(new Set(hook.received.map((each) => each.body)).size).toBe(1)
    const [, timestamp, signature] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(headers['arq-canary-signature'] as string)!
    expect(signature).toBe(signatureOf(secret, Number(timestamp), body))
    expect(signature).not.toBe(signatureOf('another secret of enough length', Number(timestamp), body))
    const jobIds = (await bench.redis().keys('arq:result:*')).filter((key) => key.includes(':notify:'))
    expect(jobIds).toHaveLength(1)
  })

  test('are enqueued once, though their driver looks again', async () => {
    const hook = await listen(() => ({ status: 200 }))
    bench.worker({ aliases })
    const client = bench.client()
    const id = await deployments.startCanary('products', 'v2', {
      stages: quick([5, 600]),
      notify: [{ url: hook.url, on: ['stage_began'] }],
    })
    await reached(id, 'running')
    await eventually(() => hook.received.length === 1)
    // As after a worker's death: the job of the tick runs once more, and finds the same state.
    const { tick } = (await deployments.status(id))!
    const config = {
      alias: 'products',
      old_collection: 'v1',
      new_collection: 'v2',
      stages: [{ percentage: 5, duration_minutes: 1 }],
    }
    const again = await client.enqueue('run_canary_deployment', [id, config], { jobId: `${id}:tick:${tick - 1}` })
    await again?.result({ timeoutMs: 10_000 })
    expect(hook.received).toHaveLength(1)
    expect(hook.received[0]!.headers['arq-canary-signature']).toBeUndefined()
  })
})

describe('checks', () => {
  test('of a URL and of a function are asked at each look; one that fails rolls back', async () => {
    const site = await listen(() => ({ status: 200, body: { ok: true } }))
    let isWell = true
    bench.worker({ aliases, checks: { relevance: () => ({ ok: isWell, reason: 'ndcg fell' }) } })
    const checks = [{ name: 'smoke', url: site.url }, { name: 'relevance' }]
    const id = await deployments.startCanary('products', 'v2', { stages: quick([5, 1], [100, 0]), checks })
    await eventually(() => site.received.length >= 2, { timeoutMs: 20_000 })
    expect(JSON.parse(site.received[0]!.body)).toEqual({
      deploymentId: id,
      alias: 'products',
      oldCollection: 'v1',
      newCollection: 'v2',
      stage: 0,
      percentage: 5,
    })
    isWell = false
    expect((await reached(id, 'rolled_back')).reason).toBe('check relevance failed: ndcg fell')
  })

  test.each<[string, number, unknown, string]>([
    ['answers 500', 500, { ok: false }, 'answered 500'],
    ['answers nonsense', 200, 'fine', 'the answer has no `ok` that is true or false'],
  ])('that %s roll nothing back and keep the stage', async (_, status, body, why) => {
    const site = await listen(() => ({ status, body }))
    bench.worker({ aliases })
    const id = await deployments.startCanary('products', 'v2', {
      stages: quick([5, 1], [100, 0]),
      inconclusive: 'proceed',
      checks: [{ name: 'smoke', url: site.url }],
    })
    await eventually(async () => (await deployments.status(id))!.reason?.includes(why), { timeoutMs: 20_000 })
    expect(await deployments.status(id)).toMatchObject({ status: 'running', currentStage: 0 })
  })
})

describe('a guard', () => {
  test('on a number that services record rolls back, and the report has its means', async () => {
    const router = bench.router()
    bench.worker({ aliases })
    const id = await deployments.startCanary('products', 'v2', {
      stages: quick([50, 2], [100, 0]),
      guards: [{ metric: 'zeroHits', max: 0.2 }],
    })
    await reached(id, 'running')
    const record = (collection: string, zeroHits: number) =>
      router.record({ deploymentId: id, collection, latencyMs: 5, isError: false, values: { zeroHits } })
    await Promise.all(Array.from({ length: 150 }, () => [record('v1', 0), record('v2', 1)]).flat())
    const report = await reached(id, 'rolled_back')
    expect(report.reason).toBe('mean zeroHits 1 is above 0.2')
    expect(report.values).toEqual({
      new: { zeroHits: { count: 150, mean: 1 } },
      old: { zeroHits: { count: 150, mean: 0 } },
    })
  })
})

describe('the report', () => {
  test('has the configured and the observed share, and keeps its figures when it has ended', async () => {
    const router = bench.router()
    bench.worker({ aliases })
    const id = await deployments.startCanary('products', 'v2', { stages: quick([20, 600]) })
    await reached(id, 'running')
    const record = (collection: string, isShadow = false) =>
      router.record({ deploymentId: id, collection, latencyMs: 5, isError: false, isShadow })
    for (const collection of ['v1', 'v1', 'v1', 'v2']) await record(collection)
    await record('v2', true)
    const shared = { configured: 20, observed: 25, shadow: 0 }
    expect((await deployments.status(id))!.share).toEqual(shared)
    const text = await deployments.metrics()
    expect(text).toContain(`arq_canary_share_configured_ratio{alias="products",deployment="${id}"} 0.2`)
    expect(text).toContain(`arq_canary_share_observed_ratio{alias="products",deployment="${id}"} 0.25`)
    expect(text).toContain(`arq_canary_stage_requests{alias="products",deployment="${id}",collection="new"} 2`)
    expect(text).toContain('arq_canary_decisions_total{alias="products",event="stage_began"} 1')
    await deployments.rollback(id)
    const report = await reached(id, 'rolled_back')
    await bench.redis().del(...(await bench.redis().keys('canary:metrics:*')))
    expect((await deployments.status(id))!).toMatchObject({
      metrics: report.metrics,
      share: { ...shared, configured: 0 },
    })
    expect(report.metrics.new.totalRequests).toBe(2)
    expect(await deployments.metrics()).not.toContain('arq_canary_running{')
  })
})
