// The tarballs that would be published, and folders with packages as a user has them: installed by npm, outside of this
// workspace.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { quietly, root } from '../lib/command.mjs'
import { publishedFolders } from '../lib/entries.mjs'
import { step } from '../lib/say.mjs'
import { pnpm } from '../lib/setup.mjs'

/**
 * Packs every published package, and installs all with the newest zod; once for the checks that need them.
 *
 * @returns {Promise<{ packed: { folder: string, name: string, tarball: string }[], app: string }>}
 */
export async function ensurePacked() {
  const out = join(root, '.cache', 'packed')
  const digest = digestOfSources()
  const stamp = join(out, 'sources')
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== digest) {
    rmSync(out, { recursive: true, force: true })
    await step('packing', () => packAll(out))
    const tarballs = listPacked(out).map(({ tarball }) => tarball)
    await step('installing by npm', () => installInto(join(out, 'app'), [...tarballs, 'zod@4', '@types/node@20']))
    writeFileSync(stamp, digest)
  }
  return { packed: listPacked(out), app: join(out, 'app') }
}

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

/** Of all that a tarball is made from. */
function digestOfSources() {
  const hash = createHash('sha256')
  const add = (file) => hash.update(`${file}\n`).update(readFileSync(join(root, file)))
  for (const file of ['pnpm-lock.yaml', 'CHANGELOG.md', 'scripts/bundle.mjs', 'tsconfig.base.json']) add(file)
  for (const folder of publishedFolders.map((each) => each.slice(root.length))) {
    for (const file of ['package.json', 'README.md']) add(join(folder, file))
    const below = ['src', 'assets'].filter((each) => existsSync(join(root, folder, each)))
    for (const each of below) {
      const entries = readdirSync(join(root, folder, each), { recursive: true, withFileTypes: true })
      const files = entries
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(root.length))
      for (const file of files.sort()) add(file)
    }
  }
  return hash.digest('hex')
}

/** Installs packages by npm into a new folder; gives the folder. */
export async function installInto(folder, packages) {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{"private":true,"type":"module"}')
  await quietly('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', ...packages], { cwd: folder })
  return folder
}
