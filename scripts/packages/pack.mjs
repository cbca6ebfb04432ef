// The tarballs that would be published, and folders with packages as a user has them: installed by npm, outside of this
// workspace.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { quietly, root } from '../lib/command.mjs'
import { publishedFolders } from '../lib/entries.mjs'
import { step } from '../lib/say.mjs'
import { pnpm } from '../lib/setup.mjs'
import { lockedDependencies, ZODS } from './versions.mjs'

/** Time that one call of npm may take, in ms. */
const INSTALL_LIMIT_MS = 300_000
/** npm's names for a registry that does not answer. */
const UNREACHABLE =
  /\b(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EIDLETIMEOUT|ERR_SOCKET_TIMEOUT|ENETUNREACH|EHOSTUNREACH)\b/
/** Files of the repository that every tarball, or how it is installed, depends on. */
const SHARED = [
  'pnpm-lock.yaml',
  'CHANGELOG.md',
  'tsconfig.base.json',
  'scripts/bundle.mjs',
  'scripts/packages/pack.mjs',
  'scripts/packages/versions.mjs',
]

/**
 * Packs every published package, and installs all with the workspace's zod; once for the checks that need them.
 *
 * @returns {Promise<{ packed: { folder: string, name: string, tarball: string }[], app: string }>}
 */
export async function ensurePacked() {
  const out = join(root, '.cache', 'packed')
  const digest = digestOf(publishedFolders)
  const stamp = join(out, 'sources')
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== digest) {
    rmSync(out, { recursive: true, force: true })
    await step('packing', () => packAll(out))
    const tarballs = listPacked(out).map(({ tarball }) => tarball)
    await step('installing by npm', () => installAsUser(join(out, 'app'), tarballs, ZODS.at(-1)))
    writeFileSync(stamp, digest)
  }
  return { packed: listPacked(out), app: join(out, 'app') }
}

// Run by itself, it packs before other checks start: packing puts bundles in place of what processes of tests run.
if (process.argv[1] === fileURLToPath(import.meta.url)) await ensurePacked()

async function packAll(out) {
  const filters = listPacked(out).flatMap(({ name }) => ['--filter', name])
  await quietly('npx', [...pnpm, '--recursive', ...filters, 'pack', '--pack-destination', join(out, 'tarballs')])
}

function listPacked(out) {
  return publishedFolders.map((folder) => {
    const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    const file = `${name.slice(1).replace('/', '-')}-${version}.tgz`
    return { folder, name, tarball: join(out, 'tarballs', file) }
  })
}

/** Changes with every file that the tarballs of these packages are made from, or installed by. */
export function digestOf(folders) {
  const hash = createHash('sha256')
  const files = [...SHARED.map((file) => join(root, file)), ...folders.flatMap(sourcesOf)]
  for (const file of files) hash.update(`${relative(root, file)}\n`).update(readFileSync(file))
  return hash.digest('hex')
}

/** Files that the manifest of a package lists, apart from what is built of it, and what it is built by. */
function sourcesOf(folder) {
  const manifest = join(folder, 'package.json')
  const { files } = JSON.parse(readFileSync(manifest, 'utf8'))
  const listed = files.filter((entry) => entry !== 'dist' && !entry.startsWith('!')).map((entry) => join(folder, entry))
  const packed = listed.filter((path) => existsSync(path)).flatMap(filesBelow)
  return [manifest, join(folder, 'tsconfig.json'), ...packed.sort()]
}

function filesBelow(path) {
  if (!statSync(path).isDirectory()) return [path]
  const entries = readdirSync(path, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

/** Installs tarballs of ours as a user does, with dependencies in the versions of the lock; gives the folder. */
export function installAsUser(folder, tarballs, zod) {
  const { types, overrides } = lockedDependencies()
  return installInto(folder, [...tarballs, `zod@${zod}`, types], overrides)
}

/**
 * Installs packages by npm into a new folder; gives the folder.
 *
 * @throws Error that says so when the registry does not answer
 */
export async function installInto(folder, packages, overrides = {}) {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module', overrides }))
  const args = ['install', '--no-audit', '--no-fund', '--prefer-offline', '--save-exact', ...packages]
  try {
    await quietly('npm', args, { cwd: folder, timeout: INSTALL_LIMIT_MS })
  } catch (error) {
    const code = UNREACHABLE.exec(error.message)?.[0]
    if (code === undefined) throw error
    const what = packages.map((each) => basename(each)).join(', ')
    throw new Error(`npm's registry cannot be reached (${code}) to install ${what}; try again with a network`, {
      cause: error,
    })
  }
  return folder
}
