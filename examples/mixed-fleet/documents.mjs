// The real input of the mixed fleet: every text of a repository that a person may want to read.
import { readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'

const skipped = new Set(['node_modules', 'dist', '.git', '.cache', 'coverage'])

/** Paths below `root`, sorted. */
export async function documents(root) {
  const found = []
  async function walk(folder) {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (skipped.has(entry.name)) continue
      const path = join(folder, entry.name)
      if (entry.isDirectory()) await walk(path)
      else if (/\.(md|ts|mts|mjs|py|lua|json)$/.test(entry.name)) found.push(relative(root, path))
    }
  }
  await walk(root)
  return found.sort((a, b) => a.localeCompare(b))
}
