// A search service with a canary in front. A good new collection goes through its stages and takes over; then a bad one is
// rolled back. Each line is one look: the share, what was measured, and what was decided.
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

async function rest(method, path, body) {
  const init = { method, headers: { 'content-type': 'application/json' }, body: body && JSON.stringify(body) }
  return (await fetch(`${qdrant}/collections/${path}`, init)).json()
}
for (const name of names) {
  await rest('DELETE', name)
  await rest('PUT', name, { vectors: { size: 2, distance: 'Cosine' } })
  const points = [1, 2, 3].map((id) => ({ id, vector: [id, 1], payload: { title: `article ${id}` } }))
  await rest('PUT', `${name}/points?wait=true`, { points })
}

const client = new Client({ redis, logger, queueName, keyPrefix })
const aliases = new AliasManager({ qdrant: { url: qdrant } })
await aliases.createAlias(alias, names[0], { force: true })
const tasks = canaryTasks({ redis, keyPrefix, aliases })
const worker = new Worker({ redis, logger, queueName, keyPrefix, handleSignals: false, ...tasks })
void worker.run()

/** The service: a search per user, behind the router. The third collection is broken: every other search fails. */
const router = new CanaryRouter({ redis, keyPrefix })
let searches = 0
async function search(userId) {
  return router.handle(alias, { userId }, async (collection) => {
    if (collection === names[2] && searches++ % 2 === 0) throw new Error('no such vector name')
    const { result } = await rest('POST', `${collection}/points/query`, { query: [1, 1], limit: 1, with_payload: true })
    return result.points[0].payload.title
  })
}
let isOpen = true
const traffic = (async () => {
  for (let user = 0; isOpen; user++) {
    await search(`user${user % 500}`).catch(() => {})
    await sleep(1)
  }
})()

const deployments = new CanaryDeployments({ client, redis, keyPrefix, aliases })
async function deploy(collection) {
  const stages = [
    { percentage: 20, durationMinutes: 1 / 60, latencyThreshold: 5_000 },
    { percentage: 60, durationMinutes: 1 / 60, latencyThreshold: 5_000 },
    { percentage: 100, durationMinutes: 0, latencyThreshold: 5_000 },
  ]
  console.log(`${collection} in front of ${alias}`)
  const id = await deployments.startCanary(alias, collection, { stages, minSamples: 10 })
  for (let told = 0; ;) {
    const { decisions, finishedAtMs } = await deployments.status(id)
    for (const { decision } of decisions.slice(told))
      console.log(`  ${process.stdout.isTTY ? decision : plain(decision)}`)
    told = decisions.length
    if (finishedAtMs !== null) break
    await sleep(20)
  }
  console.log(`${alias} → ${await aliases.getCollectionForAlias(alias)}`)
}
/** Without the numbers, which are never the same. */
function plain(decision) {
  return decision.replace(/: \d.*/, '').replace(/error rate [\d.]+ %/, 'error rate')
}

await deploy(names[1])
await deploy(names[2])

isOpen = false
await traffic
await worker.stop()
for (const each of [deployments, router, client]) await each.close()
for (const name of names) await rest('DELETE', name)
