import { pathToFileURL } from 'node:url'
import { CommandError } from './exit.ts'
import { locateTasks, taskFolders } from './worker/task-location.ts'

/**
 * Loads a package that a command needs and the CLI does not bring along: from the folder of the configuration, from the
 * current one, or from the folder of the CLI.
 *
 * @throws CommandError when it is not installed.
 */
export async function loadPackage<T>(name: string, command: string, configFile: string | undefined): Promise<T> {
  let file: string
  try {
    file = locateTasks(name, taskFolders(configFile))
  } catch {
    throw new CommandError(`arq-ts ${command} needs ${name}, which is not installed here: npm install ${name}`)
  }
  return (await import(pathToFileURL(file).href)) as T
}
