// The arq-ts command, as a person would type it.
import { execFile, spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url)) // task packages are looked for from here
const cli = fileURLToPath(import.meta.resolve('@arq-ts/cli/package.json'))
const main = join(dirname(cli), 'dist', 'main.js')
/** A pool polls within seconds, on a busy machine too. */
const PATIENCE_MS = 60_000

const children = new Map()
process.on('exit', () => {
  for (const [child, signal] of children) child.kill(signal)
})

/** Lets a process end with ours, however ours ends. */
export function endWithUs(child, signal = 'SIGTERM') {
  children.set(child, signal)
  child.on('close', () => children.delete(child))
}

/** Runs one command to its end; gives what it printed. */
export function arqTs(redisUrl, args) {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args, '--redis', redisUrl], (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, output: stdout + stderr }),
    )
  })
}

/** Starts a pool of two processes, and waits until both poll. `stop` drains it. */
export async function startPool({ redisUrl, client, settings = [], env: more = {}, signal }) {
  const args = ['worker', ...settings, '--workers', '2', '--queue', client.queueName, '--redis', redisUrl, '--quiet']
  const env = { ...process.env, ...more }
  // A group of its own: Ctrl-C is for us, and we drain it.
  const child = spawn(process.execPath, [main, ...args], {
    cwd: here,
    env,
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const complaints = []
  createInterface({ input: child.stderr }).on('line', (line) => complaints.push(line))
  const ended = new Promise((resolve) => child.on('close', resolve))
  endWithUs(child)
  const stop = async () => {
    child.kill('SIGTERM')
    await ended
  }
  const deadline = performance.now() + PATIENCE_MS
  while ((await client.workers.list()).length < 2) {
    const last = complaints.slice(-5).join('\n')
    if (child.exitCode !== null) throw new Error(`the pool ended (${child.exitCode}):\n${last}`)
    if (performance.now() > deadline) {
      await stop()
      throw new Error(`the pool does not poll after ${PATIENCE_MS / 1_000} s:\n${last}`)
    }
    if (signal?.aborted) break
    await sleep(50)
  }
  return { stop }
}
