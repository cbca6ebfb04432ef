// Steps that a fresh clone needs before anything runs: dependencies by the pinned pnpm, and the build.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { quietly, root } from './command.mjs'
import { step } from './say.mjs'

const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** Arguments for npx that run the pinned pnpm: newer ones need a newer Node, and Corepack may be absent. */
export const pnpm = ['--yes', packageManager]

/** Installs what the lock file says, unless it is installed already. */
export async function ensureDependencies() {
  const stamp = join(root, 'node_modules', '.arq-ts-lock')
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'pnpm-lock.yaml')))
    .digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return
  await step('installing dependencies', () => quietly('npx', [...pnpm, 'install', '--frozen-lockfile']))
  mkdirSync(join(root, 'node_modules'), { recursive: true })
  writeFileSync(stamp, lock)
}

/** Compiles what has changed, and the pages of the dashboard. */
export async function ensureBuild() {
  await step('building', () => quietly(process.execPath, [join(root, 'scripts/compile.mjs')]))
  await step('building the pages of the dashboard', () =>
    quietly(process.execPath, [join(root, 'packages/dashboard-ui/scripts/build.mjs')]),
  )
}
