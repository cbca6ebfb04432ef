import { execFile } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
/** Checks of CI run side by side, and apt refuses a second call instead of waiting. */
const lock = join(tmpdir(), 'arq-ts-apt.lock')
/** Its age is that of the package lists: one look at the mirror serves all that a check installs. */
const looked = join(tmpdir(), 'arq-ts-apt.updated')
const FRESH_MINUTES = 60

/**
 * Runs a line of shell that calls `apt-get` while no other process of ours does, with package lists of this hour.
 *
 * @param args `$1` and the following of the line
 */
export async function aptLocked(line: string, ...args: string[]): Promise<void> {
  const update = `[ -n "$(find '${looked}' -mmin -${FRESH_MINUTES} 2>/dev/null)" ] || { apt-get update && touch '${looked}'; }`
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const script = `set -e; ${update}; ${line}`
  await run('flock', [lock, 'sh', '-c', script, 'sh', ...args], {
    env,
    timeout: 300_000,
    maxBuffer: 64 * 1_024 * 1_024,
  })
}

/** Installs packages of a Debian or an Ubuntu, without what they recommend. Wants root. */
export async function aptInstall(...names: string[]): Promise<void> {
  await aptLocked('apt-get install -y --no-install-recommends "$@"', ...names)
}
