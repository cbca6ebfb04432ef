// Who asks for the three tasks: the Python application, or where there is no Python, a client that calls as it would. Both
// give what came of each call, by its name.
import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))

/** @returns {Promise<Map<string, string>>} */
export async function byPython(python, redisUrl, work, signal) {
  const child = spawn(python, ['-u', join(here, 'produce.py'), JSON.stringify(work)], {
    env: { ...process.env, REDIS_URL: redisUrl },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  signal?.addEventListener('abort', () => child.kill('SIGINT'))
  const outcomes = new Map()
  const complaints = []
  createInterface({ input: child.stdout }).on('line', (line) => {
    const { what, ...answer } = JSON.parse(line)
    outcomes.set(what, outcomeOf(answer))
  })
  createInterface({ input: child.stderr }).on('line', (line) => complaints.push(line))
  const code = await new Promise((resolve) => child.on('close', resolve))
  if (code !== 0 && !signal?.aborted) throw new Error(`the Python producer failed:\n${complaints.slice(-5).join('\n')}`)
  return outcomes
}

/** @returns {Promise<Map<string, string>>} */
export async function byTypeScript(client, work) {
  const calls = []
  for (const value of work.users) {
    const key = `user:${value.name}`
    const persister = { persist_func_module: 'src.services.users', persist_func_name: 'save_user' }
    calls.push(['persist_cache', key, { key, value, ...persister, delay: 1 }, 1_000])
  }
  for (const [collection_name, grace_period_minutes] of work.collections)
    calls.push([
      'delete_collection',
      collection_name,
      { collection_name, grace_period_minutes },
      grace_period_minutes * 60_000,
    ])
  for (const [deployment_id, deployment_config] of work.deployments)
    calls.push(['run_canary_deployment', deployment_id, { deployment_id, deployment_config }, 0])
  const outcomes = calls.map(async ([name, about, kwargs, deferByMs]) => {
    const job = await client.enqueue(name, [], { kwargs, deferByMs })
    const answer = await job.result({ timeoutMs: 60_000 }).then(
      (result) => ({ result }),
      (error) => ({ error: String(error) }),
    )
    return [`${name}(${about})`, outcomeOf(answer)]
  })
  return new Map(await Promise.all(outcomes))
}

function outcomeOf({ result, error }) {
  if (error !== undefined) return error
  return [result.status, result.reason, result.error, result.deployment_status].filter(Boolean).join(', ')
}
