import { randomUUID } from 'node:crypto'
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Persister } from '../options.ts'

/** What a file holds. */
export interface FileEntry {
  key: string
  value: unknown
  version: number
}

/** The file of a key. */
export function fileOf(folder: string, key: string): string {
  // No separator, no dot at the start: the name stays within the folder.
  return join(folder, `${encodeURIComponent(key).replaceAll('.', '%2E').slice(0, 200)}.json`)
}

/**
 * Keeps values as JSON files, one per key, replaced as a whole and synced to disk; what is older than the file is left
 * out. For one machine.
 */
export function filePersister(options: { folder: string }): Persister {
  return async (key, value, { version }) => {
    await mkdir(options.folder, { recursive: true })
    const file = fileOf(options.folder, key)
    const stored = await readEntry(file)
    if (stored && stored.version >= version) return
    const entry: FileEntry = { key, value: value ?? null, version }
    const beside = `${file}.${randomUUID()}.tmp`
    try {
      const handle = await open(beside, 'wx')
      try {
        await handle.writeFile(JSON.stringify(entry))
        await handle.sync()
      } finally {
        await handle.close()
      }
      await rename(beside, file)
    } catch (error) {
      await rm(beside, { force: true })
      throw error
    }
  }
}

async function readEntry(file: string): Promise<FileEntry | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as FileEntry
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || error instanceof SyntaxError) return undefined
    throw error
  }
}
