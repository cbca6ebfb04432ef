// The worker pool runs the three tasks on what the Python application enqueues: users are persisted, a forgotten
// collection is deleted and one in use is not, and a new collection goes out as a canary. `npm start` runs it.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client, createLogger } from '@arq-ts/core'
import { startPool } from '../command.mjs'
import { ALIAS, FORGOTTEN, IN_USE, NEW, OLD, openArticles } from './articles.mjs'
import { byPython, byTypeScript } from './producers.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const QUEUE = 'demo:tasks'
const USERS = ['ann', 'bob', 'cho']
const emailOf = (name) => `${name}@example.org`

/**
 * Without `qdrantUrl` only `persist_cache` runs: the other tasks are about Qdrant. `python` is an interpreter that has arq.
 *
 * @param {{ redisUrl: string, qdrantUrl?: string, python?: string, say: (line: string) => void, signal?: AbortSignal }} options
 * @returns {Promise<{ what: string, outcome: string, expected: string }[]>} what was asked, what came of it, what should have
 */
export async function runThreeTasks({ redisUrl, qdrantUrl, python, say, signal }) {
  const client = new Client({
    redis: redisUrl,
    queueName: QUEUE,
    codec: 'pickle',
    logger: createLogger({ level: 'silent' }),
  })
  const users = mkdtempSync(join(tmpdir(), 'arq-ts-users-'))
  const persisters = { 'src.services.users': join(here, 'persisters.mjs') }
  const tasks = [{ use: '@arq-ts/write-behind', with: { persisters } }]
  if (qdrantUrl !== undefined) {
    tasks.push({ use: '@arq-ts/qdrant', with: { url: qdrantUrl } })
    tasks.push({ use: '@arq-ts/canary', with: { url: qdrantUrl, minSamples: 5 } })
  }
  const env = { ARQ_TS_TASK_QUEUE__TASKS: JSON.stringify(tasks), USERS_FOLDER: users }
  let pool
  let articles
  try {
    articles = qdrantUrl === undefined ? undefined : await openArticles(redisUrl, qdrantUrl, client)
    say(`\n$ arq-ts worker --workers 2        # tasks: ${tasks.map(({ use }) => use).join(', ')}`)
    pool = await startPool({ redisUrl, client, env, signal })
    await articles?.endLeftovers(signal)

    const deployment = `canary_${Math.floor(Date.now() / 1000)}`
    const work = workOf(deployment, articles !== undefined)
    say(`\n${python ? 'Python enqueues' : 'TypeScript enqueues, as Python would,'} its tasks, with pickles`)
    const outcomes = python ? await byPython(python, redisUrl, work, signal) : await byTypeScript(client, work)
    if (articles) {
      outcomes.set(`the deployment ${deployment}`, await articles.watchDeployment(deployment, say, signal))
      outcomes.set(`the alias ${ALIAS}`, `→ ${await articles.collectionBehind(ALIAS)}`)
    }
    outcomes.set('users on disk', onDisk(users))
    return expectations(deployment, articles !== undefined).map(([what, expected]) => ({
      what,
      outcome: outcomes.get(what) ?? 'no answer',
      expected,
    }))
  } finally {
    await articles?.stopSearching()
    await pool?.stop()
    await articles?.close()
    await client.close()
    rmSync(users, { recursive: true, force: true })
  }
}

/** The values that the persister has saved. */
function onDisk(folder) {
  const entries = readdirSync(folder).map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')))
  return entries
    .map(({ value }) => value.email)
    .toSorted((a, b) => a.localeCompare(b))
    .join(', ')
}

/** Requests of the application, as plain data. */
function workOf(deployment, hasQdrant) {
  const stage = (percentage, duration_minutes) => ({ percentage, duration_minutes, latency_threshold: 2_000 })
  const config = {
    alias: ALIAS,
    old_collection: OLD,
    new_collection: NEW,
    stages: [stage(20, 0.03), stage(60, 0.03), stage(100, 0)],
    current_stage: 0,
  }
  return {
    queue: QUEUE,
    users: USERS.map((name) => ({ name, email: emailOf(name) })),
    collections: hasQdrant ? [FORGOTTEN, IN_USE].map((name) => [name, 0.02]) : [],
    deployments: hasQdrant ? [[deployment, config]] : [],
  }
}

/** The expected outcome. */
function expectations(deployment, hasQdrant) {
  const persisted = USERS.map((name) => [`persist_cache(user:${name})`, 'success'])
  const saved = ['users on disk', USERS.map(emailOf).join(', ')]
  if (!hasQdrant) return [...persisted, saved]
  return [
    ...persisted,
    [`delete_collection(${FORGOTTEN})`, 'success'],
    [`delete_collection(${IN_USE})`, 'skipped, collection_has_aliases'],
    // The job of a deployment ends with its first look; later ones are jobs of their own.
    [`run_canary_deployment(${deployment})`, 'success, running'],
    [`the deployment ${deployment}`, 'completed'],
    [`the alias ${ALIAS}`, `→ ${NEW}`],
    saved,
  ]
}
