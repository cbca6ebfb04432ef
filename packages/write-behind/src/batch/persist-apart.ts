import { asError } from '@arq-ts/protocol/errors'
import type { BatchPersister, BatchWrite, WriteFailure } from '../options.ts'

/** Single writes that fail one after the other, none going well between them: the store is taken to be down. */
const MAX_LONE_FAILURES = 3

/** Outcomes of many writes. */
export interface Apart {
  /** Errors of failed writes, by key. All others are durable. */
  failed: Map<string, Error>
  /** The store takes nothing, so that continuing would only repeat the failure. */
  isDown: boolean
}

/**
 * Persists many writes, and finds those that fail by halving: a call that throws is repeated with each half of its writes,
 * down to single ones. One bad value among many costs a few calls more, and fails alone.
 *
 * @param call - one run of the persister. What it gives are failures of single writes; what it throws fails all of them.
 * @throws why the signal fired.
 */
export async function persistApart(
  call: (writes: readonly BatchWrite[]) => ReturnType<BatchPersister>,
  writes: readonly BatchWrite[],
  signal: AbortSignal,
): Promise<Apart> {
  const failed = new Map<string, Error>()
  const groups: (readonly BatchWrite[])[] = [writes]
  let loneFailures = 0
  for (let group = groups.shift(); group; group = groups.shift()) {
    signal.throwIfAborted()
    try {
      const failures = failuresOf(await call(group), group)
      for (const { error, key } of failures) failed.set(key, asError(error))
      if (group.some(({ key }) => !failed.has(key))) loneFailures = 0
    } catch (thrown) {
      signal.throwIfAborted()
      const error = asError(thrown)
      if (group.length > 1) {
        const half = Math.ceil(group.length / 2)
        groups.unshift(group.slice(0, half), group.slice(half))
        continue
      }
      failed.set(group[0]!.key, error)
      if (++loneFailures < MAX_LONE_FAILURES) continue
      for (const { key } of groups.flat()) failed.set(key, error)
      return { failed, isDown: true }
    }
  }
  return { failed, isDown: false }
}

/**
 * The failures that a batch persister has returned. Each must name one of the writes: a failure of an unknown key, such as
 * one that the store has changed, may belong to any write, and then no write may count as durable.
 *
 * @throws Error for anything else.
 */
export function failuresOf(returned: unknown, writes: readonly BatchWrite[]): readonly WriteFailure[] {
  if (returned === undefined || returned === null) return []
  const expected = 'expected nothing, or a list of { key, error } for those of its writes that failed'
  if (!Array.isArray(returned)) throw new Error(`persistMany returned ${shown(returned)}; ${expected}`)
  const keys = new Set(writes.map(({ key }) => key))
  for (const failure of returned as unknown[]) {
    const { error, key } = (failure ?? {}) as { error?: unknown; key?: unknown }
    if (typeof key !== 'string') throw new Error(`persistMany returned a list with ${shown(failure)}; ${expected}`)
    if (!keys.has(key))
      throw new Error(`persistMany returned a failure of '${key}', which is none of the ${keys.size} keys it was given`)
    // A list of what was written, say.
    if (error === undefined) throw new Error(`persistMany returned '${key}' without an error; ${expected}`)
  }
  return returned as WriteFailure[]
}

function shown(value: unknown): string {
  return typeof value === 'object' && value !== null ? 'an object' : (JSON.stringify(value) ?? typeof value)
}
