// The worker pool runs the three tasks on what the Python application enqueues: users are persisted, an old collection is
// deleted and one that is still in use is not, and a new collection goes out as a canary. `npm start` runs it.
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { CanaryDeployments, CanaryRouter } from '@arq-ts/canary'
import { Client, createLogger } from '@arq-ts/core'
import { AliasManager } from '@arq-ts/qdrant'
import { startPool } from '../command.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const ALIAS = 'demo-articles'
const COLLECTIONS = ['demo-articles-v1', 'demo-articles-v2', 'demo-forgotten']

/**
 * @param {{ redisUrl: string, qdrantUrl: string, python?: string, say: (line: string) => void, signal?: AbortSignal }} options
 * @returns one row per job: what was asked, and what came of it
 */
export async function runThreeTasks({ redisUrl, qdrantUrl, python, say, signal }) {
  const logger = createLogger({ level: 'silent' })
  const queueName = 'demo:tasks'
  const client = new Client({ redis: redisUrl, queueName, codec: 'pickle', logger })
  const aliases = new AliasManager({ qdrant: { url: qdrantUrl } })
  const deployments = new CanaryDeployments({ client, redis: redisUrl, aliases })
  const users = mkdtempSync(join(tmpdir(), 'arq-ts-users-'))
  const collection = (method, name, body) =>
    fetch(`${qdrantUrl}/collections/${name}`, { method, headers: { 'content-type': 'application/json' }, body })
  const clear = () => Promise.all(COLLECTIONS.map((name) => collection('DELETE', name)))
  await clear()
  const vectors = JSON.stringify({ vectors: { size: 4, distance: 'Cosine' } })
  for (const name of COLLECTIONS) await collection('PUT', name, vectors)
  await aliases.createAlias(ALIAS, COLLECTIONS[0], { force: true })

  const tasks = [
    { use: '@arq-ts/qdrant', with: { url: qdrantUrl } },
    { use: '@arq-ts/write-behind', with: { persisters: { 'src.services.users': join(here, 'persisters.mjs') } } },
    { use: '@arq-ts/canary', with: { url: qdrantUrl, minSamples: 10 } },
  ]
  say('\n$ arq-ts worker --workers 2        # tasks: @arq-ts/qdrant, @arq-ts/write-behind, @arq-ts/canary')
  const env = { ARQ_TS_TASK_QUEUE__TASKS: JSON.stringify(tasks), USERS_FOLDER: users }
  const pool = await startPool({ redisUrl, client, env, signal })
  const traffic = new AbortController()
  const searches = search(redisUrl, traffic.signal)
  try {
    const work = {
      queue: queueName,
      users: ['ann', 'bob', 'cho'].map((name) => ({ name, email: `${name}@example.org` })),
      collections: [
        ['demo-forgotten', 0.02],
        ['demo-articles-v1', 0.02],
      ],
      deployment_id: `canary_${Math.floor(Date.now() / 1000)}`,
      deployment: {
        alias: ALIAS,
        old_collection: COLLECTIONS[0],
        new_collection: COLLECTIONS[1],
        stages: [20, 60, 100].map((percentage) => ({ percentage, duration_minutes: percentage < 100 ? 0.03 : 0 })),
        current_stage: 0,
      },
    }
    say(`\n${python ? 'Python enqueues' : 'TypeScript enqueues, as Python would,'} its three tasks, with pickles`)
    const rows = python ? await byPython(python, redisUrl, work, signal) : await byTypeScript(client, work)
    await watchDeployment(deployments, work.deployment_id, say, signal)
    rows.push({ what: `${ALIAS} points to`, outcome: String(await aliases.getCollectionForAlias(ALIAS)) })
    rows.push({ what: 'users on disk', outcome: readdirSync(users).sort().map(decodeURIComponent).join(', ') })
    return rows
  } finally {
    traffic.abort()
    await searches
    await pool.stop()
    await deployments.close()
    await client.close()
    await clear()
    rmSync(users, { recursive: true, force: true })
  }
}

/** A service that searches: its requests are what the canary is judged by. */
async function search(redisUrl, signal) {
  const router = new CanaryRouter({ redis: redisUrl })
  for (let i = 0; !signal.aborted; i++) {
    await router.handle(ALIAS, { requestId: `request${i}` }, () => sleep(2)).catch(() => {})
  }
  await router.close()
}

async function watchDeployment(deployments, id, say, signal) {
  for (let told = 0; !signal?.aborted;) {
    const deployment = await deployments.status(id)
    for (const { decision } of deployment?.decisions.slice(told) ?? []) say(`  canary: ${decision}`)
    told = deployment?.decisions.length ?? 0
    if (deployment?.finishedAtMs) return
    await sleep(50)
  }
}

async function byPython(python, redisUrl, work, signal) {
  const child = spawn(python, ['-u', join(here, 'produce.py'), JSON.stringify(work)], {
    env: { ...process.env, REDIS_URL: redisUrl },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  signal?.addEventListener('abort', () => child.kill('SIGINT'))
  const rows = []
  const complaints = []
  createInterface({ input: child.stdout }).on('line', (line) => rows.push(rowOf(JSON.parse(line))))
  createInterface({ input: child.stderr }).on('line', (line) => complaints.push(line))
  const code = await new Promise((resolve) => child.on('close', resolve))
  if (code !== 0 && !signal?.aborted) throw new Error(`the Python producer failed:\n${complaints.slice(-5).join('\n')}`)
  return rows
}

async function byTypeScript(client, work) {
  const calls = [
    ...work.users.map((value) => [
      'persist_cache',
      {
        key: `user:${value.name}`,
        value,
        persist_func_module: 'src.services.users',
        persist_func_name: 'save_user',
        delay: 1,
      },
      1_000,
    ]),
    ...work.collections.map(([collection_name, minutes]) => [
      'delete_collection',
      { collection_name, grace_period_minutes: minutes },
      minutes * 60_000,
    ]),
    ['run_canary_deployment', { deployment_id: work.deployment_id, deployment_config: work.deployment }, 0],
  ]
  const jobs = await Promise.all(
    calls.map(([name, kwargs, deferByMs]) => client.enqueue(name, [], { kwargs, deferByMs })),
  )
  return Promise.all(
    jobs.map(async (job, i) => rowOf({ function: calls[i][0], result: await job.result({ timeoutMs: 60_000 }) })),
  )
}

function rowOf({ function: name, result }) {
  const about = result.key ?? result.collection ?? result.deployment_id
  const outcome = [result.status, result.reason, result.deployment_status].filter(Boolean).join(', ')
  return { what: `${name}(${about})`, outcome }
}
