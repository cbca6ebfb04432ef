/** The `task_queue` configuration: its schema, where it is read from, and the options that follow from it. */
import { maskSecrets } from '../secrets.ts'

export { loadConfig } from './load.ts'
export type { LoadedConfig, LoadOptions, Setting } from './load.ts'
export { configJsonSchema } from './schema.ts'
export type { TaskQueueConfig, TaskQueueInput } from './schema.ts'
export type { Origin } from './sources.ts'
export { clientOptionsOf, queueNamesOf, redisOptionsOf, workerOptionsOf } from './to-options.ts'

/** A setting's value for a screen: passwords, whole or in a URL, and what is handed to task modules under such a name, are hidden. */
export function maskSetting(key: string, value: unknown): unknown {
  if (value === undefined || value === null) return value
  if (/(password|secret|token|api_?key)$/i.test(key)) return '***'
  if (typeof value === 'string') return maskSecrets(value)
  if (Array.isArray(value)) return value.map((item) => maskSetting('', item))
  if (typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, maskSetting(name, inner)]))
}
