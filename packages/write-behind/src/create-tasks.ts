import { pathToFileURL } from 'node:url'
import { resolve } from 'node:path'
import { OptionsError } from '@arq-ts/core'
import type { CreateTasks } from '@arq-ts/core'
import { packageSchema } from './options.ts'
import type { Persister } from './options.ts'
import { checkOptions } from '@arq-ts/core/task-kit'
import type { RedisTarget } from '@arq-ts/core/task-kit'
import { persistCache } from './tasks.ts'

/**
 * Entry for `arq-ts worker`: `tasks: [{ use: '@arq-ts/write-behind', with: { persisters: { 'app.db': './persisters.js' } } }]`.
 * Each module's exported functions may be called under the name on the left.
 *
 * @throws OptionsError when a module cannot be imported or exports no function.
 */
export const createTasks: CreateTasks = async (options, environment) => {
  const { persisters: modules, ...settings } = checkOptions('@arq-ts/write-behind', packageSchema, options)
  const persisters: Record<string, Record<string, Persister>> = {}
  for (const [name, file] of Object.entries(modules))
    persisters[name] = await functionsOf(name, file, environment.folder)
  const { redis, keyPrefix } = environment
  return persistCache({ ...settings, redis: redis as RedisTarget, keyPrefix, persisters })
}

async function functionsOf(name: string, file: string, folder: string): Promise<Record<string, Persister>> {
  const isPath = file.startsWith('.') || file.startsWith('/')
  let exports: Record<string, unknown>
  try {
    exports = (await import(isPath ? pathToFileURL(resolve(folder, file)).href : file)) as Record<string, unknown>
  } catch (error) {
    throw new OptionsError(
      `@arq-ts/write-behind: \`persisters.${name}\`: ${file} cannot be imported: ${(error as Error).message}`,
    )
  }
  const functions = Object.entries(exports).filter(
    (entry): entry is [string, Persister] => typeof entry[1] === 'function',
  )
  if (functions.length === 0) {
    throw new OptionsError(
      `@arq-ts/write-behind: \`persisters.${name}\`: ${file} exports no function (key, value, write)`,
    )
  }
  return Object.fromEntries(functions)
}
