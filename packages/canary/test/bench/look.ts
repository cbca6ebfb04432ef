/**
 * Measures how long a look at a deployment takes, at 10 and at 5,000 requests a second to each collection, by the clock and
 * in processor time, and as a multiple of the round trip of a PING on the same Redis: `npm run bench:canary`. First looks
 * are those of a worker that has not looked before; the very first of a process compiles the code, too. `--looks` changes
 * the number of looks.
 */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { RedisServer } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { newDeployment, rulesOf, rulesSchema } from '../../src/config.ts'
import { Driver } from '../../src/driver.ts'
import { writeHistogram } from '../../src/histogram-bytes.ts'
import { addLatency, noLatencies } from '../../src/judging/latency.ts'
import { keys } from '../../src/keys.ts'
import { RequestCounts } from '../../src/requests.ts'
import { Sessions } from '../../src/sessions.ts'
import { DeploymentStore } from '../../src/store.ts'
import { MemoryAliases } from '../support/harness.ts'

const { values: flags } = parseArgs({
  // `of`: the Redis at which this process, started by another, looks once.
  options: { looks: { type: 'string', default: '200' }, of: { type: 'string' } },
})
const LOOKS = Number(flags.looks)
const FIRST_LOOKS = 20
const PROCESSES = 5
const MINUTE = 60_000
const START = 28_333_334 * MINUTE
/** Counts are kept for two hours: each look reads as many. */
const KEPT = 121

/** In ms; `cpu` of this process, each a median but for `cpu`, which is the mean. */
interface Costs {
  look: number
  ping: number
  cpu: number
}

const server = flags.of === undefined ? await RedisServer.start() : null
const redis = new Redis(flags.of ?? server!.url)
const store = new DeploymentStore(redis, keys(''))

function driverOf(counts: RequestCounts, now: () => Promise<number>): Driver {
  const parts = { store, counts, sessions: new Sessions(redis, keys('')), aliases: new MemoryAliases(), checks: {} }
  return new Driver({ ...parts, lockMs: 5_000, now })
}

/** The first look of this process, in ms. */
async function lookOnce(): Promise<number> {
  const { nextTickAtMs } = (await store.read('d'))!
  const driver = driverOf(new RequestCounts(redis, keys('')), async () => nextTickAtMs)
  return timed(() => driver.tick('d', async () => {}))
}

/** The same in a process of its own. */
function lookOfProcess(): number {
  const script = fileURLToPath(import.meta.url)
  return Number(
    execFileSync(process.execPath, [...process.execArgv, script, '--of', server!.url], { encoding: 'utf8' }),
  )
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await run()
  return performance.now() - began
}
const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!

/** A stage that has run for two hours, with latencies from 1 to 20 ms, and a look at it each minute from then on. */
async function looksAt(perSecond: number): Promise<{ first: Costs; later: Costs }> {
  await redis.flushall()
  const latency = noLatencies()
  for (let i = 0; i < 64; i++) addLatency(latency, 1.05 ** i, Math.max(1, Math.round((perSecond * 60) / 64)))
  const filling = redis.pipeline()
  for (let minute = START / MINUTE; minute < START / MINUTE + KEPT + FIRST_LOOKS + 1 + LOOKS; minute++) {
    for (const collection of ['v1', 'v2'])
      filling
        .set(`canary:metrics:d:${collection}:count:${minute}`, latency.count)
        .set(`canary:metrics:d:${collection}:histogram:${minute}`, writeHistogram(latency))
  }
  await filling.exec()
  const stage = { percentage: 50, durationMinutes: 100_000, errorThreshold: 0.05, latencyThreshold: 200 }
  const names = { id: 'd', alias: 'products', oldCollection: 'v1', newCollection: 'v2' }
  const request = {
    ...names,
    stages: [stage],
    currentStage: 0,
    autoRollback: true,
    rules: rulesOf(rulesSchema.parse({})),
  }
  const running = { status: 'running', begunAtMs: START, stageStartedAtMs: START } as const
  let nowMs = START + KEPT * MINUTE
  await store.write(null, { ...newDeployment(request, 'd', START), ...running, nextTickAtMs: nowMs }, [], START)
  const now = async () => nowMs
  const measure = async (looks: number, next: () => Driver): Promise<Costs> => {
    const [took, pings]: [number[], number[]] = [[], []]
    const before = process.cpuUsage()
    for (let i = 0; i < looks; i++) {
      const driver = next()
      took.push(await timed(() => driver.tick('d', async () => {})))
      nowMs += MINUTE
    }
    const { system, user } = process.cpuUsage(before)
    for (let i = 0; i < looks; i++) pings.push(await timed(() => redis.ping()))
    return { look: median(took), ping: median(pings), cpu: (system + user) / 1_000 / looks }
  }
  const first = await measure(FIRST_LOOKS, () => driverOf(new RequestCounts(redis, keys('')), now))
  const driver = driverOf(new RequestCounts(redis, keys('')), now)
  await driver.tick('d', async () => {})
  nowMs += MINUTE
  const later = await measure(LOOKS, () => driver)
  const state = await store.read('d')
  if (state?.status !== 'running' || state.looks !== FIRST_LOOKS + 1 + LOOKS)
    throw new Error(`it has ended: ${state?.reason}`)
  return { first, later }
}

const ms = (value: number) => `${value.toFixed(2)} ms`
async function measureAll(): Promise<void> {
  await looksAt(10) // warms up the code
  for (const perSecond of [10, 5_000]) {
    for (const [which, { cpu, look, ping }] of Object.entries(await looksAt(perSecond))) {
      console.log(
        `${perSecond} requests a second, ${which} looks: ${ms(look)}, ${ms(cpu)} of processor time, a PING ${ms(ping)}: ` +
          `${Math.round(look / ping)} round trips`,
      )
    }
    const firsts = Array.from({ length: PROCESSES }, lookOfProcess)
    console.log(`${perSecond} requests a second, the first look of a process: ${ms(median(firsts))}`)
  }
}

try {
  if (flags.of === undefined) await measureAll()
  else console.log(await lookOnce())
} finally {
  redis.disconnect()
  await server?.stop()
}
