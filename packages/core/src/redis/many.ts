import type { Call, Calls } from './calls.ts'

/**
 * Strings under many keys, two commands for each group of keys. `MGET` shows a key of another type as none: where `EXISTS`
 * counts more keys than have values, each key of the group is read alone, and such a one is a `WrongType` among the
 * answers.
 */
export async function readMany(calls: Calls, groups: readonly (readonly string[])[]): Promise<(readonly unknown[])[]> {
  const asked = groups.filter((keys) => keys.length > 0)
  const answers = await calls.attempt(
    asked.flatMap((keys): Call[] => [
      ['mgetBuffer', ...keys],
      ['exists', ...keys],
    ]),
  )
  const read = new Map<readonly string[], readonly unknown[]>()
  for (const [i, keys] of asked.entries()) {
    const values = answers[2 * i] as readonly unknown[]
    const found = values.filter((value) => value !== null).length
    const isWhole = found === answers[2 * i + 1]
    read.set(keys, isWhole ? values : await calls.attempt(keys.map((key): Call => ['getBuffer', key])))
  }
  return groups.map((keys) => read.get(keys) ?? [])
}
