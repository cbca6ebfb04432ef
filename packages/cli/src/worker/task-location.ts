import { createRequire } from 'node:module'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CommandError } from '../exit.ts'

/** The folders that task packages are looked for from: of the configuration file, and the current one. */
export function taskFolders(configFile: string | undefined): string[] {
  return [...(configFile === undefined ? [] : [dirname(resolve(configFile))]), process.cwd()]
}

/**
 * The file of a task package: a path from the first folder, a package that one of the folders has, or one that came with
 * us. Whether a path leads to a file is not looked at.
 *
 * @throws CommandError when nobody has the package.
 */
export function locateTasks(use: string, folders: readonly string[]): string {
  if (isAbsolute(use)) return use
  if (use.startsWith('.')) return resolve(folders[0] ?? '.', use)
  for (const folder of folders) {
    try {
      return createRequire(join(resolve(folder), 'noop.js')).resolve(use)
    } catch {
      // the next one may have it
    }
  }
  try {
    return fileURLToPath(import.meta.resolve(use))
  } catch {
    throw new CommandError(`cannot find the task package ${use}; is it installed here? (npm install ${use})`)
  }
}
