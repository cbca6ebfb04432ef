import { eventually } from '@arq-ts/testkit'
import { beforeEach, describe, expect, test } from 'vitest'
import { DeploymentError } from '../../src/index.ts'
import type { CanaryDeployments, CanaryRouter, DeploymentReport } from '../../src/index.ts'
import { MemoryAliases, quick, useBench } from '../support/bench.ts'

const bench = useBench()
let aliases: MemoryAliases
let deployments: CanaryDeployments

beforeEach(() => {
  aliases = new MemoryAliases()
  deployments = bench.deployments(aliases)
})

const reached = async (id: string, status: DeploymentReport['status'], timeoutMs = 20_000) => {
  await eventually(async () => (await deployments.status(id))?.status === status, { timeoutMs })
  return (await deployments.status(id))!
}

/** Requests until the test ends or says so. */
function traffic(router: CanaryRouter, behave: (collection: string) => { latencyMs: number; isError: boolean }) {
  let going = true
  const run = (async () => {
    for (let i = 0; going; i++) {
      const { collection, deploymentId } = await router.route('products', { requestId: `r${i}` })
      if (deploymentId) await router.record({ deploymentId, collection, ...behave(collection) })
      else await new Promise((resolve) => setTimeout(resolve, 5))
    }
  })()
  return async () => {
    going = false
    await run
  }
}

const events = async () =>
  (await bench.redis().xrange('deployment:events', '-', '+')).map(([, fields]) =>
    Object.fromEntries(Array.from({ length: fields.length / 2 }, (_, i) => [fields[2 * i], fields[2 * i + 1]])),
  )

describe('a canary', () => {
  test('goes through its stages for real, in seconds, and ends behind the alias', async () => {
    const router = bench.router()
    const stop = traffic(router, () => ({ latencyMs: 10, isError: false }))
    bench.worker({ aliases })
    const id = await deployments.startCanary('products', 'v2', {
      stages: quick([20, 1], [60, 1], [100, 0]),
      minSamples: 5,
    })
    expect(id).toMatch(/^canary_\d{10}$/)
    const report = await reached(id, 'completed')
    await stop()
    expect(aliases.aliases.get('products')).toBe('v2')
    expect(aliases.switches).toEqual(['v2'])
    expect(await router.getRoute('products')).toBeNull()
    expect(report).toMatchObject({ percentage: 100, reason: null, ending: null })
    expect(report.decisions.map(({ decision }) => decision.replace(/: .*/, ''))).toEqual([
      'stage begins at 20 %',
      'stage of 20 % passed',
      'stage begins at 60 %',
      'stage of 60 % passed',
      'stage begins at 100 %',
      expect.stringMatching(/^stage of 100 % passed/) as string,
      'promote',
      'completed',
    ])
    expect(await events()).toMatchObject([
      { type: 'deployment_started', deployment_id: id, alias: 'products', old_collection: 'v1', new_collection: 'v2' },
      { type: 'deployment_completed', deployment_id: id },
    ])
    expect(await deployments.active()).toEqual([])
    expect((await deployments.history()).map((each) => each.id)).toEqual([id])
  })

  test('that fails its thresholds is rolled back, and says why', async () => {
    const router = bench.router()
    const stop = traffic(router, (collection) => ({ latencyMs: 10, isError: collection === 'v2' }))
    bench.worker({ aliases })
    const id = await deployments.startCanary('products', 'v2', { stages: quick([50, 3], [100, 0]), minSamples: 5 })
    const report = await reached(id, 'rolled_back')
    await stop()
    expect(report.reason).toBe('error rate 100 % is above 5 %')
    expect(aliases.switches).toEqual([])
    expect(await router.getRoute('products')).toBeNull()
    expect((await events()).at(-1)).toMatchObject({ type: 'deployment_failed', error: report.reason })
  })

  test('without automatic roll-back fails, with its alias untouched', async () => {
    const stop = traffic(bench.router(), () => ({ latencyMs: 999, isError: false }))
    bench.worker({ aliases })
    const id = await deployments.startCanary('products', 'v2', {
      stages: quick([50, 3]),
      minSamples: 5,
      autoRollback: false,
    })
    expect((await reached(id, 'failed')).reason).toBe('p95 latency 999 ms is above 200 ms')
    await stop()
  })

  test('without traffic holds: it invents no numbers', async () => {
    bench.worker({ aliases })
    const id = await deployments.startCanary('products', 'v2', { stages: quick([50, 0.5], [100, 0]) })
    await eventually(async () => (await deployments.status(id))?.reason === '0 of 20 requests seen at 50 %')
    expect((await deployments.status(id))!).toMatchObject({
      status: 'running',
      metrics: { new: { totalRequests: 0, p95LatencyMs: 0 } },
    })
    await deployments.rollback(id)
    expect((await reached(id, 'rolled_back')).reason).toBe('rolled back by hand')
  })

  test('of two hours, with its clock in our hands', async () => {
    let now = 1_700_000_000_000
    const router = bench.router(() => now)
    const client = bench.client()
    const worker = bench.worker({ aliases, now: () => now })
    const id = await deployments.startCanary('products', 'v2', { minSamples: 10 })
    await eventually(async () => (await deployments.status(id))?.status === 'running')
    const seen: number[] = []
    for (let minute = 0; minute < 215 && (await deployments.status(id))!.status === 'running'; minute++) {
      const { percentage } = (await deployments.status(id))!
      if (seen.at(-1) !== percentage) seen.push(percentage)
      for (let i = 0; i < 10; i++)
        await router.record({ deploymentId: id, collection: 'v2', latencyMs: 20, isError: false })
      now += 60_000
      // The next tick is deferred by a minute of real time: we do not wait for it.
      const [tick] = await bench.redis().zrange('arq:queue', 0, '0')
      const finished = new Promise((resolve) => worker.once('jobFinished', resolve))
      await bench.redis().zadd('arq:queue', 1, tick!)
      await client.enqueue('nobody', [], { jobId: `wake${minute}` })
      await finished
    }
    await eventually(async () => (await deployments.status(id))?.status === 'completed')
    expect(seen).toEqual([5, 25, 50])
    expect(aliases.switches).toEqual(['v2'])
  }, 60_000)
})

describe('by hand', () => {
  test('it is paused and resumed: the stage begins anew', async () => {
    bench.worker({ aliases })
    const id = await deployments.startCanary('products', 'v2', { stages: quick([50, 600]) })
    await reached(id, 'running')
    const before = (await deployments.status(id))!.stageStartedAtMs
    await deployments.pause(id)
    expect(await deployments.status(id)).toMatchObject({ status: 'paused', percentage: 50 })
    await expect(deployments.pause(id)).rejects.toThrow('is paused; this is for one that is queued, running')
    await deployments.resume(id)
    expect((await deployments.status(id))!.stageStartedAtMs).toBeGreaterThan(before)
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

describe('drivers', () => {
  test('however many: each change is made once', async () => {
    for (let i = 0; i < 4; i++) bench.worker({ aliases })
    const stop = traffic(bench.router(), () => ({ latencyMs: 10, isError: false }))
    const client = bench.client()
    const id = await deployments.startCanary('products', 'v2', {
      stages: quick([20, 0.5], [60, 0.5], [100, 0]),
      minSamples: 1,
    })
    const config = {
      alias: 'products',
      old_collection: 'v1',
      new_collection: 'v2',
      stages: [{ percentage: 1, duration_minutes: 1 }],
    }
    for (let i = 0; i < 30; i++) {
      await client.enqueue('run_canary_deployment', [id, config], { deferByMs: i * 50 })
    }
    const report = await reached(id, 'completed')
    await stop()
    expect(aliases.switches).toEqual(['v2'])
    expect((await events()).map((event) => event.type)).toEqual(['deployment_started', 'deployment_completed'])
    expect(report.decisions.filter(({ decision }) => decision.startsWith('stage begins')).length).toBe(3)
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

  test('find a deployment whose tick was lost', async () => {
    bench.worker({ aliases })
    const id = await deployments.startCanary('products', 'v2', { stages: quick([5, 600]) })
    await reached(id, 'running')
    const redis = bench.redis()
    await redis.del('arq:queue')
    const state = JSON.parse((await redis.hget(`canary:deployment:${id}`, 'state'))!) as object
    await redis.hset(`canary:deployment:${id}`, 'state', JSON.stringify({ ...state, nextTickAtMs: 1 }))
    const client = bench.client()
    const watch = await client.enqueue('cron:canary-watch')
    await eventually(async () => (await watch!.status()) !== 'queued')
    await eventually(async () =>
      (await redis.zrange('arq:queue', 0, '-1')).some((job) => job.startsWith(`${id}:tick:`)),
    )
  })
})

describe('what cannot begin is refused, and says why', () => {
  test.each<[string, string, string, object, RegExp]>([
    ['an alias that points nowhere', 'nothing', 'v2', {}, /alias nothing points nowhere/],
    ['an alias that is there already', 'products', 'v1', {}, /points to v1 already/],
    ['a collection that is not there', 'products', 'v9', {}, /there is no collection v9/],
    [
      'an unknown option',
      'products',
      'v2',
      { autoRolback: true },
      /Unknown option `autoRolback`, did you mean `autoRollback`\?/,
    ],
    ['no stage', 'products', 'v2', { stages: [] }, /`stages`/],
    [
      'a share beyond all',
      'products',
      'v2',
      { stages: [{ percentage: 101, durationMinutes: 1 }] },
      /`stages\.0\.percentage` to be at most 100/,
    ],
    ['a stage without an end', 'products', 'v2', { stages: [{ percentage: 1 }] }, /`stages\.0\.durationMinutes`/],
    ['no samples', 'products', 'v2', { minSamples: 0 }, /`minSamples` to be at least 1/],
  ])('%s', async (_, alias, collection, options, message) => {
    await expect(deployments.startCanary(alias, collection, options)).rejects.toThrow(message)
  })

  test('a second one of the same alias', async () => {
    await deployments.startCanary('products', 'v2')
    await expect(deployments.startCanary('products', 'v2')).rejects.toThrow(/has a deployment under way: canary_/)
  })

  test('what is not there', async () => {
    await expect(deployments.pause('canary_0')).rejects.toThrow('there is no deployment canary_0')
    expect(await deployments.status('canary_0')).toBeNull()
  })
})
