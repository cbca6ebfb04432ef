// Running other programs.
import { spawn, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../..', import.meta.url))

/** Runs a program with our input and output; gives its exit code. */
export function run(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit', ...options })
    child.on('error', () => resolve(127))
    child.on('close', (code, signal) => resolve(code ?? (signal ? 1 : 0)))
  })
}

/** Time that an example, a bundle or a page of the docs may take, in ms. One that takes longer hangs. */
export const RUN_LIMIT_MS = 120_000

/**
 * Runs a program quietly, and throws with what it printed when it fails.
 *
 * @param {import('node:child_process').SpawnOptions} options after `timeout` (in ms; default: none) the program is killed
 */
export async function quietly(command, args, { timeout, ...options } = {}) {
  let output = ''
  let timer
  let isLate = false
  const code = await new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], ...options })
    child.stdout.on('data', (chunk) => (output += chunk))
    child.stderr.on('data', (chunk) => (output += chunk))
    child.on('error', (error) => {
      output += error.message
      resolve(127)
    })
    child.on('close', (exit) => resolve(exit ?? 1))
    if (timeout === undefined) return
    timer = setTimeout(() => {
      isLate = true
      child.kill('SIGKILL')
      // Processes that it has started may hold its pipes open.
      child.stdout.destroy()
      child.stderr.destroy()
    }, timeout)
  })
  clearTimeout(timer)
  if (code !== 0) {
    const why = isLate ? `took longer than ${timeout / 1000} s and was killed` : `failed (${code})`
    throw new Error(`\`${command} ${args.join(' ')}\` ${why}:\n${output.trim().split('\n').slice(-15).join('\n')}`)
  }
  return output
}

/** True where a program is there and answers. */
export function answers(command, args) {
  return spawnSync(command, args, { stdio: 'ignore', timeout: 15_000 }).status === 0
}
