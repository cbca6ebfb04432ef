/** The `task_queue` configuration: its schema, where it is read from, and the options that follow from it. */
// A process that reads settings and supervises others loads neither Redis's client nor codecs.
export { maskSetting } from '../logging/secrets.ts'
export { loadConfig } from './load.ts'
export type { LoadedConfig, LoadOptions, Setting } from './load.ts'
export { configJsonSchema, taskQueueDefaults } from './schema.ts'
export type { TaskQueueConfig, TaskQueueInput } from './schema.ts'
export type { Origin } from './sources.ts'
export { clientOptionsOf, queueNamesOf, redisOptionsOf, workerOptionsOf } from './to-options.ts'
