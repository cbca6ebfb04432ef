import { createHash, randomUUID } from 'node:crypto'
import { readFileSync, renameSync } from 'node:fs'
import { mkdir, open, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { checkOptions } from '@arq-ts/core/task-kit'
import type { BatchWrite, Persister, WriteFailure } from '../options.ts'
import { jsonOf } from './json.ts'

/** Number of files of a batch that are written concurrently. */
const FILES_AT_ONCE = 16

const optionsSchema = z.strictObject({ folder: z.string('Expected a path').min(1, 'Expected a path') })

/** Content of a file. */
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
 * out. A batch syncs the folder once. For the processes of one machine: of two that overtake each other (a process frozen for longer than `lockMs`)
 * nothing but the moment between a look at the file and its replacement is left to chance.
 *
 * @throws OptionsError
 */
export function filePersister(options: { folder: string }): Persister {
  const { folder } = checkOptions('filePersister', optionsSchema, options)
  const persist: Persister = async (key, value, { version }) => {
    await make(folder)
    if (await replace(folder, { key, value, version })) await syncFolder(folder)
  }
  persist.persistMany = async (writes) => {
    await make(folder)
    const failures: WriteFailure[] = []
    const queue = [...writes]
    const lanes = Array.from({ length: FILES_AT_ONCE }, async () => {
      for (let write = queue.pop(); write; write = queue.pop()) {
        const { key } = write
        await replace(folder, write).catch((error: unknown) => failures.push({ key, error }))
      }
    })
    await Promise.all(lanes)
    await syncFolder(folder) // once for all: a name lives in its folder
    return failures
  }
  return persist
}

async function make(folder: string): Promise<void> {
  const made = await mkdir(folder, { recursive: true })
  if (made !== undefined) await syncFolder(dirname(made))
}

/** Puts a write in the place of an older one; false where the file is as new already. */
async function replace(folder: string, { key, value, version }: BatchWrite): Promise<boolean> {
  const file = fileOf(folder, key)
  if (isOlder(version, file)) return false
  const text = `{"key":${JSON.stringify(key)},"value":${jsonOf(key, value ?? null)},"version":${version}}`
  const temporary = `${file}.${randomUUID()}.tmp`
  try {
    const handle = await open(temporary, 'wx')
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    // In one go: no other call of this process may come between the look and the replacement.
    if (isOlder(version, file)) return false
    renameSync(temporary, file)
    return true
  } finally {
    await rm(temporary, { force: true })
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
