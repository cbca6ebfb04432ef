import type { CreateTasks } from '@arq-ts/core'
import { z } from 'zod'
import { checkOptions } from './check.ts'
import { deleteCollectionTask } from './delete-collection.ts'
import type { DeleteCollectionOptions } from './delete-collection.ts'
import { connect, connectionShape } from './qdrant.ts'
import type { QdrantConnection } from './qdrant.ts'

/** What stands under `with` in a worker's configuration. */
export interface QdrantTasksOptions extends QdrantConnection, DeleteCollectionOptions {}

/** `maxTries` and `retry` are checked where the task is defined. */
const schema = z.strictObject({ ...connectionShape, maxTries: z.unknown().optional(), retry: z.unknown().optional() })

/**
 * The tasks of this package, for `tasks: [{ use: '@arq-ts/qdrant', with: { url: 'http://localhost:6333' } }]`.
 *
 * @throws OptionsError
 */
export const createTasks: CreateTasks = (options) => {
  const { maxTries, retry, ...connection } = checkOptions('@arq-ts/qdrant', schema, options ?? {}) as QdrantTasksOptions
  const task = { ...(maxTries === undefined ? {} : { maxTries }), ...(retry === undefined ? {} : { retry }) }
  return { tasks: [deleteCollectionTask(connect(connection), task)] }
}
