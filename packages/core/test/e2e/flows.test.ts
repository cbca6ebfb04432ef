import { fileURLToPath } from 'node:url'
import { Child, eventually, RedisServer } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { familiesOf } from '@arq-ts/protocol/flows'
import type { FlowGraph, FlowNode, MemberOutcome } from '@arq-ts/protocol/flows'
import { expectedEnds, random, randomFlow } from '../../../protocol/test/support/random-flows.ts'
import { Client, createLogger, flow } from '../../src/index.ts'
import type { FlowMember, FlowRun } from '../../src/index.ts'

/** The long form: FLOW_RUNS=200 FLOW_SEED=1. */
const COUNT = Number(process.env.FLOW_RUNS ?? 5)
const FIRST = Number(process.env.FLOW_SEED ?? 1)
const PROCESSES = 3
const script = fileURLToPath(new URL('fixtures/flow-worker.mjs', import.meta.url))

let server: RedisServer
let redis: Redis
let client: Client
let children: Child[]

beforeEach(async () => {
  server = await RedisServer.start({ persistent: true })
  redis = new Redis(server.url, { maxRetriesPerRequest: null, retryStrategy: () => 20 })
  redis.on('error', () => {})
  client = new Client({ redis: server.url, logger: createLogger({ level: 'silent' }) })
  children = []
})
afterEach(async () => {
  for (const child of children) child.kill()
  await Promise.all(children.map((child) => child.exited))
  await client.close()
  redis.disconnect()
  await server.stop()
})

async function startWorker(): Promise<void> {
  const child = new Child(process.execPath, [script, server.url])
  children.push(child)
  await child.line(/^ready/)
}

async function killOne(): Promise<void> {
  const child = children.shift()!
  child.kill('SIGKILL')
  await child.exited
}

const isRun = (end: MemberOutcome) => end === 'success' || end === 'failure'

interface Planned {
  run: FlowRun
  graph: FlowGraph
  ends: Map<string, MemberOutcome>
}

/** A flow at random whose members add others; its expected end is known from its graph. */
async function startFlow(seed: number): Promise<Planned> {
  const next = random(seed)
  const { graph: drawn, outcomes } = randomFlow(next, 6 + Math.floor(next() * 10))
  const graph = new Map<string, FlowNode>(drawn)
  for (const [key, end] of outcomes) outcomes.set(key, end === 'success' ? end : 'failure')
  const kids = new Map([...drawn.keys()].map((key) => [key, next() < 0.15 ? 1 + Math.floor(next() * 3) : 0]))
  // A run that fails adds nothing.
  const added = (key: string) => (outcomes.get(key) === 'success' ? kids.get(key)! : 0)
  const own = expectedEnds(drawn, 'fail', outcomes)
  for (const key of drawn.keys()) {
    for (let kid = 0; own.get(key) === 'success' && kid < added(key); kid++) {
      graph.set(`${key}.${kid}`, { after: [], on: 'any' })
      outcomes.set(`${key}.${kid}`, 'success')
    }
  }
  const ends = expectedEnds(graph, 'fail', outcomes)
  const hasRun = (key: string) => isRun(ends.get(key)!)
  const families = familiesOf(graph.keys())
  const flowId = `flow-${seed}`
  const f = flow('chaos', { onUnknown: 'fail' })
  const handles = new Map<string, FlowMember>()
  for (const [key, { after, on }] of drawn) {
    const before = after.flatMap((parent) => families.get(parent)!).filter(hasRun)
    const call = [flowId, key, before, outcomes.get(key), kids.get(key)]
    handles.set(
      key,
      f.call('step', call, { after: after.map((parent) => handles.get(parent)!) as never, on, name: key }),
    )
  }
  return { run: await client.start(f, { flowId }), graph, ends }
}

test('every flow ends, each member once and none early, with workers and a Redis that are killed throughout', async () => {
  await Promise.all(Array.from({ length: PROCESSES }, startWorker))
  const flows = await Promise.all(Array.from({ length: COUNT }, (_, i) => startFlow(FIRST + i)))
  const total = flows.flatMap(({ ends }) => [...ends.values()].filter(isRun)).length
  const done = async () => {
    const counts = await Promise.all(flows.map(({ run }) => redis.scard(`ledger:done:${run.flowId}`)))
    return counts.reduce((sum, count) => sum + count, 0)
  }
  for (let kills = 1; kills <= 2; kills++) {
    await eventually(async () => (await done()) >= (total * kills) / 4, { timeoutMs: 60_000 })
    await killOne()
    if (kills === 1) await server.restart()
    await startWorker()
  }
  for (const { ends, graph, run } of flows) {
    await run.result({ timeoutMs: 60_000 }).catch((error: { code?: string }) => {
      if (error.code !== 'ARQ_FLOW_FAILED') throw error
    })
    const { members } = await run.status()
    const keys = new Map(members.map(({ jobId, state }) => [jobId.slice(run.flowId.length + 1), state]))
    expect([...keys].sort(), run.flowId).toEqual([...ends].sort())
    const runs = (await redis.lrange(`ledger:runs:${run.flowId}`, 0, -1)).map((each) => each.split(' ')[0]!)
    const ran = [...graph.keys()].filter((key) => isRun(ends.get(key)!))
    expect([...new Set(runs)].sort(), `runs of ${run.flowId}`).toEqual(ran.sort())
  }
  expect(await redis.lrange('ledger:early', 0, -1)).toEqual([])
  expect(await redis.exists('arq:queue', 'arq:held', 'arq:flow-watch')).toBe(0)
}, 180_000)
