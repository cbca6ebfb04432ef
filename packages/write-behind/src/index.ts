export type { DirtyEntry, EntryFilter, EntryPage, EntryPageRequest } from './entries.ts'
export { CacheBusyError, CacheFullError } from './errors.ts'
export { createMetrics } from './create-metrics.ts'
export { createTasks } from './create-tasks.ts'
export type {
  BatchPersister,
  BatchWrite,
  LoadContext,
  LoadOptions,
  PersistCacheOptions,
  Persister,
  Persisters,
  Write,
  WriteBehindOptions,
  WriteFailure,
  WriteOptions,
} from './options.ts'
export { batchPersister } from './persisters/batch.ts'
export { filePersister } from './persisters/file.ts'
export { postgresPersister } from './persisters/postgres.ts'
export type { PostgresPersisterOptions, Queryable } from './persisters/postgres.ts'
export { persistCache } from './tasks.ts'
export type { PersistCache, PersistResult } from './tasks.ts'
export { WriteBehind } from './write-behind.ts'
export type { CacheStats, FailedWrite } from './write-behind.ts'
