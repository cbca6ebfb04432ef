// A mixed fleet at work on real input: the documents of this repository are read, hashed and counted, first by a
// pool of TypeScript workers for a Python producer, then by a Python worker for a TypeScript producer. Then an operator
// looks at what is left. `npm start` runs it.
import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Client, createLogger } from '@arq-ts/core'
import { arqTs, startPool } from '../command.mjs'
import { documents } from './documents.mjs'
import { progress } from './progress.mjs'
import { startPythonWorker } from './python-worker.mjs'
import { summariseDocument } from './tasks.mjs'

const here = dirname(fileURLToPath(import.meta.url))

/**
 * Runs both rounds, and shows what an operator sees; `python` is an interpreter that has arq, or undefined. Gives one
 * row per round.
 *
 * @param {{ redisUrl: string, python?: string, root: string, say: (line: string) => void, signal?: AbortSignal }} options
 */
export async function runMixedFleet({ redisUrl, python, root, say, signal }) {
  const paths = await documents(root)
  const client = new Client({
    redis: redisUrl,
    codec: 'pickle',
    queueName: 'demo:documents',
    logger: createLogger({ level: 'warn' }),
  })
  const context = { redisUrl, python, root, paths, client, say, signal }
  say('\n$ arq-ts worker settings.mjs --workers 2')
  const pool = await startPool({
    redisUrl,
    client,
    settings: [join(here, 'settings.mjs')],
    env: { DOCUMENTS_ROOT: root },
    signal,
  })
  try {
    const rounds = [await typescriptWorks(context)]
    if (python && !signal?.aborted) rounds.push(await pythonWorks(context))
    if (!signal?.aborted) await operate(context)
    return rounds
  } finally {
    await pool.stop()
    await client.close()
  }
}

/** The pool works; Python enqueues by arq, with pickles, where Python is there. */
async function typescriptWorks({ redisUrl, python, root, paths, client, say, signal }) {
  const producer = python ? 'Python' : 'TypeScript'
  say(`\n${producer} enqueues ${paths.length} documents, two TypeScript processes read them`)
  const bar = progress(paths.length)
  const before = performance.now()
  try {
    const jobs = python
      ? await pythonProduces({ redisUrl, python, paths, queueName: client.queueName, signal, bar })
      : await typescriptProduces({ client, root, paths, bar })
    return await report({ producer, worker: 'TypeScript', client, jobs, tookMs: performance.now() - before })
  } finally {
    bar.end()
  }
}

/** One job that fails for good, one that is due later; then the commands an operator would type. */
async function operate({ redisUrl, client, say }) {
  const missing = await client.enqueue('summarise_document', ['nowhere.md'], { jobId: 'summary-of-nothing' })
  await missing?.result({ timeoutMs: 30_000 }).catch(() => {})
  await client.enqueue('summarise_document', ['README.md'], { jobId: 'summary-later', deferByMs: 3_600_000 })
  say('\nWhat an operator sees; the dead letter is deliberate, a document that is not there')
  for (const command of [
    `queue ls`,
    'workers',
    'dead ls',
    'dead retry --function summarise_document --dry-run',
    `job show summary-later --queue ${client.queueName}`,
    `health --deep --queue ${client.queueName}`,
  ]) {
    say(`\n$ arq-ts ${command}`)
    const { output } = await arqTs(redisUrl, command.split(' '))
    process.stdout.write(output)
  }
}

/** A Python worker, `arq documents.WorkerSettings`; TypeScript enqueues, with pickles. */
async function pythonWorks({ redisUrl, python, root, paths, client, say, signal }) {
  say(`\n$ arq-ts queue pause ${client.queueName}`)
  await arqTs(redisUrl, ['queue', 'pause', client.queueName])
  say(`TypeScript enqueues ${paths.length} documents, a Python worker reads them; the pool rests`)
  const worker = startPythonWorker({ redisUrl, python, root, queueName: client.queueName, signal })
  const bar = progress(paths.length)
  const before = performance.now()
  try {
    const outcomes = await client.enqueueMany(
      paths.map((path) => ['summarise_document', [path], { kwargs: { encoding: 'utf-8' } }]),
    )
    const jobs = outcomes.map(({ job }) => job)
    const results = Promise.all(jobs.map((job) => job.result({ timeoutMs: 60_000 }).finally(() => bar.tick())))
    await Promise.race([results, worker.died])
    return await report({
      producer: 'TypeScript',
      worker: 'Python',
      client,
      jobs: jobs.map(({ jobId }) => jobId),
      tookMs: performance.now() - before,
    })
  } finally {
    bar.end()
    await worker.stop()
    await arqTs(redisUrl, ['queue', 'resume', client.queueName])
  }
}

async function typescriptProduces({ client, root, paths, bar }) {
  const outcomes = await client.enqueueMany(paths.map((path) => [summariseDocument(root), { path }]))
  const end = (job) =>
    job
      .result({ timeoutMs: 120_000 })
      .catch(() => {}) // reported from the results
      .finally(() => bar.tick())
  await Promise.all(outcomes.map(({ job }) => end(job)))
  return outcomes.map(({ job }) => job.jobId)
}

async function pythonProduces({ redisUrl, python, paths, queueName, signal, bar }) {
  const env = { ...process.env, REDIS_URL: redisUrl, DOCUMENTS_QUEUE: queueName }
  const child = spawn(python, ['-u', join(here, 'producer.py')], { env, stdio: ['pipe', 'pipe', 'pipe'] })
  signal?.addEventListener('abort', () => child.kill('SIGINT'))
  const jobs = []
  const complaints = []
  createInterface({ input: child.stdout }).on('line', (line) => {
    jobs.push(JSON.parse(line).id)
    bar.tick()
  })
  createInterface({ input: child.stderr }).on('line', (line) => complaints.push(line))
  child.stdin.end(`${paths.join('\n')}\n`)
  const code = await new Promise((resolve) => child.on('close', resolve))
  if (code !== 0 && !signal?.aborted) throw new Error(`the Python producer failed:\n${complaints.slice(-5).join('\n')}`)
  return jobs
}

/** One row: what the results themselves say. */
async function report({ producer, worker, client, jobs, tookMs }) {
  const infos = (await Promise.all(jobs.map((id) => client.job(id).resultInfo()))).filter((info) => info !== null)
  const waits = infos.map((info) => info.startTime - info.enqueueTime).sort((a, b) => a - b)
  const largest = infos
    .filter((info) => info.success)
    .map((info) => info.result)
    .sort((a, b) => b.words - a.words)
    .slice(0, 5)
  return {
    producer,
    worker,
    jobs: infos.length,
    failed: infos.filter((info) => !info.success).length,
    words: infos.reduce((sum, info) => sum + (info.success ? info.result.words : 0), 0),
    p50Ms: waits[Math.floor(waits.length / 2)] ?? 0,
    p99Ms: waits[Math.floor(waits.length * 0.99)] ?? 0,
    tookMs,
    largest,
  }
}
