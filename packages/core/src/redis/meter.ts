import { AsyncLocalStorage } from 'node:async_hooks'

interface Meter {
  commands: number
}

const meters = new AsyncLocalStorage<Meter>()

/** Counts commands towards the measurement that the caller belongs to; without one this is a lookup. */
export function countCommands(commands: number): void {
  const meter = meters.getStore()
  if (meter) meter.commands += commands
}

/**
 * Counts the commands that an operator's calls (`jobs`, `deadLetters`, `workers`, `queues`, `doctor`) send to Redis within `work`. A script
 * counts as one command. Enqueues and workers are not counted.
 */
export async function measureCommands<T>(work: () => Promise<T>): Promise<{ value: T; commands: number }> {
  const meter: Meter = { commands: 0 }
  const value = await meters.run(meter, work)
  return { value, commands: meter.commands }
}
