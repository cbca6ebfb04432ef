// The mixed fleet that stays at work: workers of both languages share the queue, a producer enqueues a few documents each
// second, and now and then one that is not there. `npm start` runs it behind the dashboard.
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Client, createLogger } from '@arq-ts/core'
import { startPool } from '../command.mjs'
import { documents } from './documents.mjs'
import { startPythonWorker } from './python-worker.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const QUEUE = 'demo:documents'
const PER_SECOND = 8
/** Every 20th document is deferred; every 50th is not there, and fails. */
const DEFERRED_EACH = 20
const MISSING_EACH = 50

/**
 * Starts the fleet; `stop` drains it.
 *
 * @param {{ redisUrl: string, python?: string, root: string }} options
 * @returns {Promise<{ stop(): Promise<void> }>}
 */
export async function keepWorking({ redisUrl, python, root }) {
  const paths = await documents(root)
  const client = new Client({
    redis: redisUrl,
    codec: 'pickle',
    queueName: QUEUE,
    logger: createLogger({ level: 'silent' }),
  })
  const pool = await startPool({
    redisUrl,
    client,
    settings: [join(here, 'settings.mjs')],
    env: { DOCUMENTS_ROOT: root },
  })
  const theirs = python ? startPythonWorker({ redisUrl, python, root, queueName: QUEUE }) : undefined
  const stopping = new AbortController()
  const producing = produce(client, paths, stopping.signal)
  return {
    async stop() {
      stopping.abort()
      await producing
      await Promise.all([pool.stop(), theirs?.stop()])
      await client.close()
    },
  }
}

async function produce(client, paths, signal) {
  for (let n = 1; !signal.aborted; n++) {
    const path = n % MISSING_EACH === 0 ? 'nowhere.md' : paths[n % paths.length]
    const options = n % DEFERRED_EACH === 0 ? { deferByMs: 120_000 } : {}
    await client.enqueue('summarise_document', [path], options).catch(() => {}) // Redis may be away; the fleet waits for it
    await sleep(1_000 / PER_SECOND, undefined, { signal }).catch(() => {})
  }
}
