import { existsSync } from 'node:fs'
import { extname } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { AnyTask, CreateTasks, CronJob, TaskEnvironment, TaskPackage, WorkerOptions } from '@arq-ts/core'
import { asError } from '@arq-ts/protocol/errors'
import { CommandError } from '../exit.ts'
import { locateTasks } from './task-location.ts'
import { readTypeScript } from './typescript.ts'

type Exports = Record<string, unknown>

/**
 * Settings that a module gives a worker: the object it exports by default (or as `WorkerSettings` or `settings`; a
 * function is called), and every other task and cron job that it exports.
 *
 * @returns the options, and whether they are settings rather than tasks alone: settings stand for themselves, as arq's
 *   do, while tasks are run by the configuration.
 * @throws CommandError when there is nothing of the kind.
 */
export async function loadSettingsModule(
  file: string,
  environment: TaskEnvironment,
): Promise<{ options: WorkerOptions; isSettings: boolean }> {
  const exports = plain(await load(file))
  const main = exports.default ?? exports.WorkerSettings ?? exports.settings
  const given: unknown =
    typeof main === 'function' ? await (main as (env: TaskEnvironment) => unknown)(environment) : main
  if (isTask(given) || isCronJob(given)) return { options: merge([{}, loose(exports)]), isSettings: false }
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
  return { options: merged, isSettings: given !== undefined }
}

/** Parts that a task package gives a worker. @throws CommandError, OptionsError of the package. */
export async function loadTaskPackage(
  use: string,
  options: unknown,
  environment: TaskEnvironment,
  folders: readonly string[],
): Promise<TaskPackage> {
  const exports = await load(locateTasks(use, folders))
  const { createTasks } = exports as { createTasks?: CreateTasks }
  if (typeof createTasks !== 'function') {
    throw new CommandError(
      `${use}: exports no \`createTasks\`; name it as a settings module instead (arq-ts worker ${use})`,
    )
  }
  return createTasks(options, environment)
}

/** Tasks, cron jobs and middleware add up, hooks run one after the other, of other options the last wins. */
export function merge(parts: readonly WorkerOptions[]): WorkerOptions {
  const merged: WorkerOptions = Object.assign({}, ...parts) as WorkerOptions
  merged.tasks = unique(parts.flatMap((part) => part.tasks ?? []))
  merged.cron = unique(parts.flatMap((part) => part.cron ?? []))
  const middleware = parts.flatMap((part) => part.middleware ?? [])
  if (middleware.length > 0) merged.middleware = middleware
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

/** A CommonJS module's `exports` come as a default too: where they hold tasks, they are what it exports by name. */
function plain(exports: Exports): Exports {
  const { default: main } = exports
  if (typeof main !== 'object' || main === null || isTask(main) || isCronJob(main)) return exports
  const isOfNames = Object.values(main).some((value) => isTask(value) || isCronJob(value))
  return isOfNames ? (main as Exports) : exports
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

/** TypeScript is read without a build step. */
async function load(file: string): Promise<Exports> {
  const url = pathToFileURL(file).href
  try {
    if (/^\.[cm]?tsx?$/.test(extname(file))) await readTypeScript()
    return (await import(url)) as Exports
  } catch (error) {
    const { code, message, stack } = asError(error) as NodeJS.ErrnoException
    if (error instanceof CommandError) throw error
    if (!existsSync(file)) throw new CommandError(`there is no settings module ${file}`)
    // A module that it imports is missing; the stack has only Node's own frames.
    if (code === 'ERR_MODULE_NOT_FOUND') throw new CommandError(`${file} cannot be loaded: ${message}`)
    throw new CommandError(`${file} cannot be loaded:\n${stack ?? message}`)
  }
}
