import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ARQ_VERSIONS, Child, eventually } from '@arq-ts/test-support'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { bucketOf } from '../../src/index.ts'
import { keys } from '../../src/keys.ts'
import { RECORD } from '../../src/record-script.ts'
import { RequestCounts } from '../../src/requests.ts'
import { MemoryAliases, quick, useHarness } from '../support/harness.ts'

const why = process.env.ARQ_TEST_NO_PYTHON
const folder = fileURLToPath(new URL('../..', import.meta.url))
const script = fileURLToPath(new URL('routers.py', import.meta.url))

test('canary_router.py has the script that counts, word for word', () => {
  expect(readFileSync(`${folder}/canary_router.py`, 'utf8')).toContain(`RECORD = """${RECORD}"""`)
})

describe.skipIf(why !== undefined)(`routers of Python${why ? ` (left out: ${why})` : ''}`, () => {
  const bench = useHarness()
  const python = process.env[`ARQ_TEST_PYTHON_${ARQ_VERSIONS.at(-1)!}`]!
  const route = {
    deployment_id: 'canary_1',
    alias: 'products',
    old_collection: 'v1',
    new_collection: 'v2',
    percentage: 5,
    status: 'running',
    updated_at: 1_700_000_000.5,
  }
  const setRoute = (changes: object) =>
    bench.redis().set('canary:routes:products', JSON.stringify({ ...route, ...changes }))
  const users = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}${i}`)

  async function start(which: 'copy' | 'original') {
    const child = new Child(python, [script, bench.database().url, folder, which], { stdin: true })
    onTestFinished(async () => {
      child.kill('SIGKILL')
      await child.exited
    })
    let answers = 1
    await eventually(() => child.lines.length >= 1, { timeoutMs: 20_000 })
    return async <T>(request: object): Promise<T> => {
      child.process.stdin!.write(`${JSON.stringify(request)}\n`)
      await eventually(() => child.lines.length > answers, { timeoutMs: 40_000 })
      const line = child.lines[answers++]!
      expect(line, child.lines.join('\n')).toMatch(/^["[{]/)
      return JSON.parse(line) as T
    }
  }
  const ours = async (all: readonly string[], by: 'userId' | 'requestId') => {
    const router = bench.router()
    const decisions = await Promise.all(all.map((id) => router.route('products', { [by]: id } as { userId: string })))
    return decisions.map(({ collection }) => collection)
  }

  test('copied from canary_router.py decide ten thousand times as ours do, sessions of one another included', async () => {
    const ask = await start('copy')
    const returning = users('u', 1_000)
    for (const percentage of [0, 5, 25, 50, 100]) {
      await setRoute({ percentage })
      // Half of the users reach Python first, half reach us; then each reaches the other.
      const [first, second] = [returning.slice(0, 500), returning.slice(500)]
      const theirs = await ask<string[]>({ users: first })
      const ourOwn = await ours(second, 'userId')
      expect(await ours(first, 'userId')).toEqual(theirs)
      expect(await ask<string[]>({ users: second })).toEqual(ourOwn)
      const requests = users(`r${percentage}-`, 1_000)
      expect(await ask<string[]>({ requests })).toEqual(await ours(requests, 'requestId'))
    }
    await setRoute({ percentage: 50, status: 'paused' })
    expect(await ask<string[]>({ users: ['u1'] })).toEqual(['products'])
  })

  test('copied from canary_router.py count as ours do', async () => {
    const ask = await start('copy')
    const requests = Array.from({ length: 200 }, (_, i) => ({
      latencyMs: 1.37 ** (i % 40) / 7,
      isError: i % 9 === 0,
      ctr: (i % 10) / 10,
    }))
    const router = bench.router()
    for (const { ctr, isError, latencyMs } of requests) {
      await router.record({ deploymentId: 'ours', collection: 'v2', latencyMs, isError, values: { ctr } })
    }
    const record = requests.map(({ ctr, isError, latencyMs }) => ({
      deployment_id: 'theirs',
      collection: 'v2',
      latency_ms: latencyMs,
      is_error: isError,
      values: { ctr },
    }))
    await ask({ record })
    const counts = new RequestCounts(bench.redis(), keys(''))
    const sums = async (id: string) => {
      const minutes = await counts.read(id, 'v2', Date.now() - 300_000, Date.now() + 60_000)
      const buckets = new Map<number, number>()
      for (const { tally } of minutes)
        tally.latency.buckets.forEach((n, i) => n > 0 && buckets.set(i, (buckets.get(i) ?? 0) + n))
      const sum = (of: (tally: (typeof minutes)[number]['tally']) => number) =>
        minutes.reduce((total, { tally }) => total + of(tally), 0)
      return {
        requests: sum(({ requests }) => requests),
        errors: sum(({ errors }) => errors),
        ctr: sum(({ values }) => values.ctr?.count ?? 0),
        ctrSum: Math.round(sum(({ values }) => values.ctr?.sum ?? 0)),
        latencies: Math.round(sum(({ latency }) => latency.sumMs)),
        buckets: [...buckets].sort(([a], [b]) => a - b),
      }
    }
    expect(await sums('theirs')).toEqual(await sums('ours'))
    expect((await sums('ours')).requests).toBe(200)
  })

  describe('with the rule of the Python application', () => {
    let ask: Awaited<ReturnType<typeof start>>
    beforeEach(async () => {
      ask = await start('original')
    })
    const covered = (all: readonly string[], percentage: number) =>
      all.filter((user) => bucketOf('products', user) < percentage).length
    const onNew = (collections: readonly string[]) => collections.filter((collection) => collection === 'v2').length

    test('hold a user where a session says, whatever the share: by themselves their share stands still', async () => {
      const all = users('u', 500)
      await setRoute({ percentage: 5 })
      await ask({ users: all })
      await setRoute({ percentage: 50 })
      expect(onNew(await ask<string[]>({ users: all }))).toBe(covered(all, 5))
    })

    test('follow a session that our router moved', async () => {
      const all = users('u', 500)
      await setRoute({ percentage: 5 })
      await ask({ users: all })
      await setRoute({ percentage: 50 })
      await ours(all, 'userId')
      expect(onNew(await ask<string[]>({ users: all }))).toBe(covered(all, 50))
    })

    test('get each stage’s share when a deployment of ours drives: sessions that it covers are released', async () => {
      const aliases = new MemoryAliases()
      const deployments = bench.deployments(aliases)
      bench.worker({ aliases, rules: { inconclusive: 'proceed' } })
      const all = users('u', 500)
      const id = await deployments.startCanary('products', 'v2', {
        stages: [...quick([10, 3]), ...quick([60, 600])],
        inconclusive: 'proceed',
      })
      const at = async (percentage: number) =>
        eventually(async () => (await deployments.status(id))!.percentage === percentage, { timeoutMs: 20_000 })
      await at(10)
      const first = await ask<string[]>({ users: all })
      await at(60)
      // The release follows the new share.
      await eventually(async () => onNew(await ask<string[]>({ users: all })) === covered(all, 60), {
        timeoutMs: 20_000,
      })
      const second = await ask<string[]>({ users: all })
      expect(all.filter((_, i) => first[i] === 'v2' && second[i] === 'v1')).toEqual([])
      await deployments.rollback(id)
    })

    test('count latencies that a look sees', async () => {
      const record = Array.from({ length: 5 }, () => ({
        deployment_id: 'canary_1',
        collection: 'v2',
        latency_ms: 250,
        is_error: false,
      }))
      await ask({ record })
      const metrics = await bench.router().metrics('canary_1', 'v2', Date.now() - 120_000)
      expect(metrics).toMatchObject({ totalRequests: 5, avgLatencyMs: 250, p95LatencyMs: 250 })
    })

    test('count latencies that are seen, though somebody has looked at a deployment that is paused before it begins', async () => {
      const aliases = new MemoryAliases()
      const deployments = bench.deployments(aliases)
      const id = await deployments.startCanary('products', 'v2')
      await deployments.pause(id)
      const before = Date.now()
      bench.worker({ aliases })
      // Its next look is in ten minutes: those who look meanwhile count up to then.
      await eventually(async () => (await deployments.status(id))!.nextTickAtMs > before + 300_000, {
        timeoutMs: 20_000,
      })
      const record = (latencyMs: number) =>
        ask({ record: [{ deployment_id: id, collection: 'v2', latency_ms: latencyMs, is_error: false }] })
      for (const latencyMs of [50, 250, 450]) {
        await record(latencyMs)
        await deployments.details(id)
      }
      const metrics = await bench.router().metrics(id, 'v2', Date.now() - 120_000)
      expect(metrics).toMatchObject({ totalRequests: 3, avgLatencyMs: 250, p95LatencyMs: 450 })
    })
  })
})
