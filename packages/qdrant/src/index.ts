export { AliasManager } from './alias-manager.ts'
export type { AliasManagerOptions, Compatibility, CopyOptions, SwitchResult } from './alias-manager.ts'
export { DEFAULT_GRACE_MINUTES, DELETE_COLLECTION, deleteCollectionTask } from './delete-collection.ts'
export type { DeleteCollectionOptions, DeletionResult } from './delete-collection.ts'
export { QdrantError } from './qdrant.ts'
export type { QdrantConnection } from './qdrant.ts'
export { ScheduledDeletions } from './scheduled-deletions.ts'
export type {
  DeletionPage,
  DeletionPageRequest,
  ScheduledDeletion,
  ScheduledDeletionsOptions,
} from './scheduled-deletions.ts'
export { createTasks } from './tasks.ts'
export type { QdrantTasksOptions } from './tasks.ts'
