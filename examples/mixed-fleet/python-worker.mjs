// A worker of Python arq, `arq documents.WorkerSettings`, unmodified.
import { spawn } from 'node:child_process'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { endWithUs } from '../command.mjs'

const here = dirname(fileURLToPath(import.meta.url))

/**
 * Starts it. `died` rejects when it ends unasked, with the last lines of its log; `stop` ends it.
 *
 * @param {{ redisUrl: string, python: string, root: string, queueName: string, signal?: AbortSignal }} options
 */
export function startPythonWorker({ redisUrl, python, root, queueName, signal }) {
  const env = {
    ...process.env,
    REDIS_URL: redisUrl,
    DOCUMENTS_ROOT: root,
    DOCUMENTS_QUEUE: queueName,
    PYTHONPATH: here,
  }
  const child = spawn(python, ['-m', 'arq', 'documents.WorkerSettings'], {
    env,
    cwd: here,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const complaints = []
  createInterface({ input: child.stderr }).on('line', (line) => complaints.push(line))
  const ended = new Promise((resolve) => child.on('close', resolve))
  endWithUs(child, 'SIGINT')
  signal?.addEventListener('abort', () => child.kill('SIGINT'))
  const died = ended.then((code) => {
    throw new Error(`the Python worker ended (${code}):\n${complaints.slice(-5).join('\n')}`)
  })
  died.catch(() => {})
  const stop = async () => {
    child.kill('SIGINT')
    await ended
  }
  return { died, stop }
}
