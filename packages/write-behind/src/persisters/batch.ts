import { checkOptions } from '@arq-ts/core/task-kit'
import { asError } from '@arq-ts/protocol/errors'
import { z } from 'zod'
import { failuresOf } from '../batch/persist-apart.ts'
import type { BatchPersister, Persister } from '../options.ts'

const argumentSchema = z.strictObject({
  persistMany: z.custom<BatchPersister>(
    (value) => typeof value === 'function',
    'Expected a function (writes, { signal })',
  ),
})

/**
 * Makes a persister of a function that persists many values at once. A key that comes alone is a batch of one.
 *
 * ```ts
 * const save_user = batchPersister(async (writes, { signal }) => {
 *   await api.putUsers(writes.map(({ key, value }) => ({ id: key, ...value })), { signal })
 * })
 * ```
 *
 * @throws OptionsError unless it is given a function.
 */
export function batchPersister(persistMany: BatchPersister): Persister {
  checkOptions('batchPersister', argumentSchema, { persistMany })
  const persist: Persister = async (key, value, { signal, version }) => {
    const writes = [{ key, value, version }]
    const [failure] = failuresOf(await persistMany(writes, { signal }), writes)
    if (failure) throw asError(failure.error)
  }
  persist.persistMany = persistMany
  return persist
}
