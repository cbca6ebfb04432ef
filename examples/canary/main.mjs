// A search service with a canary in front. A good new collection goes through its stages and takes over; then a bad one is
// rolled back. Each line is one look: the share of the traffic, what was measured in the stage, and what was decided.
// Needs Redis and Qdrant: docker compose -f docker-compose.test.yml up -d --wait redis qdrant
//                         REDIS_URL=redis://localhost:6381 node examples/canary/main.mjs
import { setTimeout as sleep } from 'node:timers/promises'
import { CanaryDeployments, CanaryRouter, canaryTasks } from '@arq-ts/canary'
import { Client, createLogger, Worker } from '@arq-ts/core'
import { AliasManager } from '@arq-ts/qdrant'

const redis = process.env.REDIS_URL ?? 'redis://localhost:6379'
const qdrant = process.env.QDRANT_URL ?? 'http://localhost:6333'
const logger = createLogger({ level: 'silent' })
const queueName = 'example:canary'
const keyPrefix = 'example:canary:'
const alias = 'example-articles'
const names = ['example-articles-v1', 'example-articles-v2', 'example-articles-v3']
const LOOK_MS = 250
const DEPLOYMENT_MS = 40_000

/** Time after which the example ends, whatever hangs, in ms. */
setTimeout(() => fail(new Error('not done within two minutes')), 120_000).unref()

const client = new Client({ redis, logger, queueName, keyPrefix })
const aliases = new AliasManager({ qdrant: { url: qdrant, timeoutMs: 5_000 } })
const router = new CanaryRouter({ redis, keyPrefix, timeoutMs: 2_000 })
const deployments = new CanaryDeployments({ client, redis, keyPrefix, aliases })

async function main() {
  await router.route(alias, { requestId: 'is Redis there?' })
  for (const name of names) {
    await rest('DELETE', name)
    await rest('PUT', name, { vectors: { size: 2, distance: 'Cosine' } })
    const points = [1, 2, 3].map((id) => ({ id, vector: [id, 1], payload: { title: `article ${id}` } }))
    await rest('PUT', `${name}/points?wait=true`, { points })
  }
  await aliases.createAlias(alias, names[0], { force: true })
  const worker = new Worker({
    redis,
    logger,
    queueName,
    keyPrefix,
    handleSignals: false,
    ...canaryTasks({ redis, keyPrefix, aliases }),
  })
  void worker.run()
  for (const { id } of await deployments.active()) {
    await deployments.rollback(id, 'of a run cut short').catch(() => {}) // it is on its way
    await watch(id)
  }

  const stopTraffic = startTraffic()
  await deploy(names[1])
  await deploy(names[2])
  await stopTraffic()

  await worker.stop()
  for (const each of [deployments, router, client]) await each.close()
  for (const name of names) await rest('DELETE', name)
}

/** Puts a collection in front of the alias, and prints how it fares until that is decided. */
async function deploy(collection) {
  const stage = (percentage, seconds) => ({ percentage, durationMinutes: seconds / 60, latencyThreshold: 5_000 })
  console.log(`${collection} in front of ${alias}`)
  const stages = [stage(20, 1), stage(60, 1), stage(100, 1)]
  await watch(await deployments.startCanary(alias, collection, { stages, minSamples: 10 }), print)
  console.log(`${alias} → ${await aliases.getCollectionForAlias(alias)}`)
}

async function watch(id, look = () => {}) {
  const deadline = performance.now() + DEPLOYMENT_MS
  for (let printed = 0; ; await sleep(LOOK_MS)) {
    const report = await deployments.status(id)
    const decisions = report.decisions.slice(printed).map(({ decision }) => decision)
    printed = report.decisions.length
    look(report, decisions)
    if (report.finishedAtMs !== null) return
    if (performance.now() > deadline) throw new Error(`${id} is ${report.status} after ${DEPLOYMENT_MS} ms`)
  }
}

function print({ metrics, percentage }, decisions) {
  const { errorRate, p95LatencyMs, totalRequests } = metrics.new
  const columns = [
    `${percentage} %`.padStart(7),
    `${totalRequests} requests`.padStart(14),
    `${errorRate === null ? '–' : `${Math.round(errorRate * 100)} %`} errors`.padStart(13),
    `p95 ${p95LatencyMs === null ? '–' : `${Math.round(p95LatencyMs)} ms`}`.padStart(12),
  ]
  console.log(`${columns.join('')}${decisions.length > 0 ? `   ${decisions.join('; ')}` : ''}`)
}

/** The service: a search per user, behind the router. The third collection is broken: every other search fails. */
function startTraffic() {
  let isOpen = true
  let searches = 0
  const search = (userId) =>
    router.handle(alias, { userId }, async (collection) => {
      if (collection === names[2] && searches++ % 2 === 0) throw new Error('no such vector name')
      const query = { query: [1, 1], limit: 1, with_payload: true }
      const { result } = await rest('POST', `${collection}/points/query`, query)
      return result.points[0].payload.title
    })
  const going = (async () => {
    for (let user = 0; isOpen; user++) {
      await search(`user${user % 500}`).catch(() => {})
      await sleep(1)
    }
  })()
  return async () => {
    isOpen = false
    await going
  }
}

async function rest(method, path, body) {
  const init = { method, headers: { 'content-type': 'application/json' }, body: body && JSON.stringify(body) }
  const signal = AbortSignal.timeout(5_000)
  return (await fetch(`${qdrant}/collections/${path}`, { ...init, signal })).json()
}

function fail(error) {
  console.error(`${error.message}${error.cause ? ` (${error.cause.message || error.cause.code})` : ''}`)
  console.error(`Redis at ${redis} and Qdrant at ${qdrant} have to run; see the top of this file.`)
  process.exit(1)
}

await main().catch(fail)
