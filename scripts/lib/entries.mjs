// The packages that are published, and what can be imported from them.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './command.mjs'

/** Folders of the published packages, those that others need first. */
export const publishedFolders = [
  'protocol',
  'core',
  'cli',
  'qdrant',
  'write-behind',
  'canary',
  'dashboard',
  'testkit',
].map((name) => join(root, 'packages', name))

/** Every entry of every published package: its name, as in `@arq-ts/core/client`, and its declarations. */
export function publishedEntries() {
  return publishedFolders.flatMap((folder) => {
    // Entries of the workspace alone are in `exports` only.
    const { name, publishConfig } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    return Object.entries(publishConfig.exports)
      .filter(([entry]) => !entry.endsWith('.json'))
      .map(([entry, { types }]) => ({
        folder,
        name,
        entry,
        specifier: name + entry.slice(1),
        types: join(folder, types),
      }))
  })
}
