import type { CreateTasks } from '@arq-ts/core'
import { z } from 'zod'
import { checkOptions } from '@arq-ts/core/task-kit'
import { deletionTask } from './delete-collection.ts'
import type { DeleteCollectionOptions } from './delete-collection.ts'
import { connect, connectionShape, sendsKeyInClear } from './qdrant.ts'
import type { QdrantConnection } from './qdrant.ts'

/** Settings under `with` in a worker's configuration. */
export interface QdrantTasksOptions extends QdrantConnection, DeleteCollectionOptions {
  /** Time Qdrant may take for a snapshot, in ms. Default 3,600,000; the job's own timeout counts besides. */
  snapshotTimeoutMs?: number
}

/** Options of the task itself are checked where it is defined. */
const schema = z.strictObject({
  ...connectionShape,
  snapshotTimeoutMs: connectionShape.timeoutMs.default(3_600_000),
  ...Object.fromEntries(
    (['deletable', 'snapshot', 'dryRun', 'maxTries', 'retry'] as const).map((name) => [name, z.unknown().optional()]),
  ),
})

/**
 * The tasks of this package, for `tasks: [{ use: '@arq-ts/qdrant', with: { url: 'http://localhost:6333' } }]`.
 *
 * @throws OptionsError
 */
export const createTasks: CreateTasks = (options, environment) => {
  const { url, apiKey, timeoutMs, snapshotTimeoutMs, ...task } = checkOptions(
    '@arq-ts/qdrant',
    schema,
    options ?? {},
  ) as QdrantTasksOptions & { snapshotTimeoutMs: number }
  const connection = { ...(url === undefined ? {} : { url }), ...(apiKey === undefined ? {} : { apiKey }) }
  if (sendsKeyInClear(connection))
    environment.logger.warn(`Qdrant's \`apiKey\` is sent to ${new URL(url!).origin} without TLS; use an https URL`)
  const calls = connect({ ...connection, ...(timeoutMs === undefined ? {} : { timeoutMs }) })
  return { tasks: [deletionTask({ calls, snapshots: connect({ ...connection, timeoutMs: snapshotTimeoutMs }) }, task)] }
}
