import { createRequire } from 'node:module'
import { extname, isAbsolute, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { AnyTask, CreateTasks, CronJob, TaskEnvironment, TaskPackage, WorkerOptions } from '@arq-ts/core'
import { CommandError } from '../exit.ts'

type Exports = Record<string, unknown>

/**
 * What a settings module gives a worker: the object it exports by default (or as `WorkerSettings` or `settings`; a
 * function is called), and every task and cron job it exports beside.
 *
 * @throws CommandError when there is nothing of the kind.
 */
export async function loadSettingsModule(file: string, environment: TaskEnvironment): Promise<WorkerOptions> {
  const exports = await load(file)
  const main = exports.default ?? exports.WorkerSettings ?? exports.settings
  const given: unknown =
    typeof main === 'function' ? await (main as (env: TaskEnvironment) => unknown)(environment) : main
  if (isTask(given) || isCronJob(given)) return merge([{}, loose(exports)])
  if (given !== undefined && (typeof given !== 'object' || given === null || Array.isArray(given))) {
    throw new CommandError(
      `${file}: expected the default export to be worker settings ({ tasks: […], … }), got ${typeof given}`,
    )
  }
  const merged = merge([(given ?? {}) as WorkerOptions, loose(exports)])
  if (!merged.tasks?.length && !merged.cron?.length) {
    throw new CommandError(
      `${file}: exports neither worker settings nor tasks; write \`export default { tasks: [myTask] }\`, or export what defineTask() gives`,
    )
  }
  return merged
}

/** What a task package gives a worker. @throws CommandError, OptionsError of the package. */
export async function loadTaskPackage(
  use: string,
  options: unknown,
  environment: TaskEnvironment,
  folders: readonly string[],
): Promise<TaskPackage> {
  const exports = await load(locate(use, folders))
  const { createTasks } = exports as { createTasks?: CreateTasks }
  if (typeof createTasks !== 'function') {
    throw new CommandError(
      `${use}: exports no \`createTasks\`; name it as a settings module instead (arq-ts worker ${use})`,
    )
  }
  return createTasks(options, environment)
}

/** Tasks and cron jobs add up, hooks run one after the other, of other options the last wins. */
export function merge(parts: readonly WorkerOptions[]): WorkerOptions {
  const merged: WorkerOptions = Object.assign({}, ...parts) as WorkerOptions
  merged.tasks = unique(parts.flatMap((part) => part.tasks ?? []))
  merged.cron = unique(parts.flatMap((part) => part.cron ?? []))
  for (const name of ['onStartup', 'onShutdown', 'onJobStart', 'onJobEnd', 'afterJobEnd'] as const) {
    const hooks = parts.flatMap((part) => part[name] ?? [])
    if (hooks.length < 2) continue
    const inTurn = async (ctx: never) => {
      for (const hook of hooks) await (hook as (ctx: never) => unknown)(ctx)
    }
    Object.assign(merged, { [name]: inTurn })
  }
  return merged
}

/** Later settings over earlier ones; one queue and several exclude each other. */
export function overlay(base: WorkerOptions, top: WorkerOptions): WorkerOptions {
  const merged = { ...base, ...top }
  if (top.queues !== undefined) delete merged.queueName
  else if (top.queueName !== undefined) delete merged.queues
  return merged
}

function unique<T>(items: readonly T[]): T[] {
  return [...new Set(items)]
}

/** Tasks and cron jobs a module exports by name. */
function loose(exports: Exports): WorkerOptions {
  const values = Object.values(exports)
  return { tasks: values.filter(isTask), cron: values.filter(isCronJob) }
}

function isTask(value: unknown): value is AnyTask {
  return hasFunctions(value, 'handler', 'bind', 'pack')
}

function isCronJob(value: unknown): value is CronJob {
  return hasFunctions(value, 'handler', 'next')
}

function hasFunctions(value: unknown, ...names: string[]): boolean {
  return (
    typeof value === 'object' && value !== null && names.every((name) => typeof (value as Exports)[name] === 'function')
  )
}

/** A file, or a package that one of these folders has, or one that came with us. */
function locate(use: string, folders: readonly string[]): string {
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

/** TypeScript is read without a build step, by tsx. */
async function load(file: string): Promise<Exports> {
  const url = pathToFileURL(file).href
  try {
    if (!/^\.[cm]?tsx?$/.test(extname(file))) return (await import(url)) as Exports
    const { tsImport } = await import('tsx/esm/api')
    return (await tsImport(url, import.meta.url)) as Exports
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ERR_MODULE_NOT_FOUND' && message.includes(file))
      throw new CommandError(`there is no settings module ${file}`)
    if (error instanceof CommandError) throw error
    throw new CommandError(`${file} cannot be loaded:\n${(error as Error).stack ?? String(error)}`)
  }
}
