import { createHash, randomUUID } from 'node:crypto'
import { readFileSync, renameSync } from 'node:fs'
import { mkdir, open, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { checked } from '../options.ts'
import type { Persister } from '../options.ts'
import { jsonOf } from './json.ts'

const optionsSchema = z.strictObject({ folder: z.string('Expected a path').min(1, 'Expected a path') })

/** What a file holds. */
export interface FileEntry {
  key: string
  value: unknown
  version: number
}

/** The file of a key: what can be read of it, and a hash, by which no two keys share one. */
export function fileOf(folder: string, key: string): string {
  const hash = createHash('sha256').update(key).digest('hex').slice(0, 32)
  return join(folder, `${key.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, 100)}-${hash}.json`)
}

/**
 * Keeps values as JSON files, one per key, replaced as a whole and synced to disk; what is older than the file is left
 * out. For the processes of one machine: of two that overtake each other (a process frozen for longer than `lockMs`)
 * nothing but the moment between a look at the file and its replacement is left to chance.
 *
 * @throws OptionsError
 */
export function filePersister(options: { folder: string }): Persister {
  const { folder } = checked('filePersister', optionsSchema, options)
  return async (key, value, { version }) => {
    const file = fileOf(folder, key)
    if (isOlder(version, file)) return
    const text = `{"key":${JSON.stringify(key)},"value":${jsonOf(key, value ?? null)},"version":${version}}`
    const made = await mkdir(folder, { recursive: true })
    if (made !== undefined) await syncFolder(dirname(made))
    const beside = `${file}.${randomUUID()}.tmp`
    try {
      const handle = await open(beside, 'wx')
      try {
        await handle.writeFile(text)
        await handle.sync()
      } finally {
        await handle.close()
      }
      // In one go: no other call of this process may come between the look and the replacement.
      if (isOlder(version, file)) return
      renameSync(beside, file)
      await syncFolder(folder)
    } finally {
      await rm(beside, { force: true })
    }
  }
}

function isOlder(version: number, file: string): boolean {
  try {
    return version <= (JSON.parse(readFileSync(file, 'utf8')) as FileEntry).version
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || error instanceof SyntaxError) return false
    throw error
  }
}

/** A name lives in its folder: without this a crash of the machine may take the new file. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return // no folder can be opened there
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
