/**
 * The part of this package that stands on ioredis. It is loaded with the first connection: a module of tasks, or a
 * process that reads settings, does without.
 *
 * unloaded → loading → loaded, once in a process
 */

import type * as IoredisDriver from './ioredis-driver.ts'

type Driver = typeof IoredisDriver

let driver: Driver | undefined
let loading: Promise<Driver> | undefined

/** Loads the driver, once. @throws Error when ioredis cannot be loaded. */
export function loadDriver(): Promise<Driver> {
  loading ??= import('./ioredis-driver.ts').then(useDriver)
  return loading
}

/** Makes a driver that a module has imported itself the one of the process. */
export function useDriver(loaded: Driver): Driver {
  driver ??= loaded
  return driver
}

/** The driver, where a connection was opened before. */
export function loadedDriver(): Driver | undefined {
  return driver
}
