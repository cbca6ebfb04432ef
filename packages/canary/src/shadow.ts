/** Shadow traffic: options, and the comparison of two rankings. */
import { TimeoutError } from '@arq-ts/core'
import { inTime } from './in-time.ts'
import { z } from 'zod'
import { checkArguments } from './arguments.ts'

/** Options of `router.shadow`. */
export interface ShadowOptions<T> {
  /** Caps the percentage that the route asks for, in this service: 0 to 100. Default 100. */
  share?: number
  /** Numbers to record of the old and the new answer. Default: `compareRankings`. */
  compare?: (old: T, fresh: T) => Record<string, number>
  /**
   * Time the new collection may take for a shadow request, in ms. One that takes longer counts as failed, and is waited for
   * no more. Default 10,000.
   */
  shadowTimeoutMs?: number
  /** Shadow requests of this router at once; what comes while there are as many is not repeated. Default 50. */
  maxInFlight?: number
  /** Numbers to record with each request, read off its answer, of both collections. */
  values?: (answer: T) => Record<string, number>
}

const functionSchema = z.custom<(...args: never[]) => Record<string, number>>(
  (value) => typeof value === 'function',
  'Expected a function',
)

export const shadowSchema = z.strictObject({
  share: z.number().min(0).max(100).default(100),
  compare: functionSchema.optional(),
  maxInFlight: z.number().int().min(1).max(100_000).default(50),
  shadowTimeoutMs: z.number('Expected a number of milliseconds').min(1).max(2_147_483_647).default(10_000),
  values: functionSchema.optional(),
})

/** The answer of a search. @throws TimeoutError when its time is over. */
export function answerInTime<T>(timeoutMs: number, call: () => Promise<T>): Promise<T> {
  return inTime(timeoutMs, call, () => new TimeoutError(`no answer within ${timeoutMs} ms`))
}

const kSchema = z.strictObject({ k: z.number('Expected an integer of at least 1').int().min(1) })

/** Ids of a ranking: a list of ids or of objects with `id`, or Qdrant's answer with `points`. */
function idsOf(answer: unknown): (string | number)[] {
  const { points, result } = (answer ?? {}) as { points?: unknown; result?: unknown }
  const list = Array.isArray(answer) ? answer : (points ?? result)
  if (!Array.isArray(list)) return list === undefined ? [] : idsOf(list)
  return list.flatMap((item: unknown) => {
    const id = typeof item === 'object' && item !== null ? (item as { id?: unknown }).id : item
    return typeof id === 'string' || typeof id === 'number' ? [id] : []
  })
}

/**
 * Compares two rankings by their first `k` (default 10) ids. `overlap` is the share of ids that both have, 0 to 1;
 * `rankCorrelation` is Kendall's tau of those, -1 to 1, left out with fewer than two. Two empty rankings overlap fully.
 *
 * @throws ArgumentsError unless `k` is an integer of at least 1.
 */
export function compareRankings(old: unknown, fresh: unknown, k = 10): Record<string, number> {
  checkArguments('compareRankings', kSchema, { k })
  const [theirs, ours] = [idsOf(old).slice(0, k), idsOf(fresh).slice(0, k)]
  const longest = Math.max(theirs.length, ours.length)
  const ranks = new Map(ours.map((id, rank) => [id, rank]))
  const common = theirs.flatMap((id) => ranks.get(id) ?? [])
  const overlap = longest === 0 ? 1 : common.length / longest
  if (common.length < 2) return { overlap }
  let balance = 0
  for (let i = 0; i < common.length; i++) {
    for (let j = i + 1; j < common.length; j++) balance += common[i]! < common[j]! ? 1 : -1
  }
  return { overlap, rankCorrelation: balance / ((common.length * (common.length - 1)) / 2) }
}
