import * as z from '../options/zod.ts'
import { OptionsError } from '../errors.ts'
import { aFunction, checkOptions, count, duration, MAX_DEFER_MS, once } from '../options/check.ts'
import { shortKey } from '../options/short-key.ts'
import type { LimitClaim } from '../redis/limits.ts'

/** Rate at which jobs may start: `count` in `perMs` milliseconds, evenly, and up to `burst` at once. */
export interface Rate {
  /** Starts in `perMs`, at least 1. */
  count: number
  /** The span that `count` is for, in ms, at least 1. */
  perMs: number
  /** Starts that may come at once after a pause, at least 1. Default 1. */
  burst?: number
}

/**
 * A limit that jobs of a task start under. `A` are the handler's arguments: its parameters, or its positional arguments
 * where the task has no schema.
 */
export interface Limit<A extends readonly unknown[] = readonly never[]> {
  /** Its name, shared by all tasks that declare it: letters, digits, `_`, `.`, `-` and `/`. */
  name: string
  /** Jobs that run at a time, at least 0. Default: any number. */
  concurrency?: number
  /** Rate at which jobs start. Default: no bound. */
  rate?: Rate
  /** The key that is counted by: each has a limit of its own. Default: one for all. */
  key?: (...args: A) => string
  /** Shares of the limit that are served in turn, by weight (default 1). Default: the first that came is served first. */
  share?: { key: (...args: A) => string; weight?: (...args: A) => number }
}

/** Settings that can be changed at run time; null lifts a bound, undefined leaves it as it is declared. */
export interface LimitSettings {
  concurrency?: number | null
  rate?: Rate | null
}

const rateSchema = once(() =>
  z.strictObject({
    count: count(1),
    perMs: duration(1, MAX_DEFER_MS),
    burst: count(1).optional(),
  }),
)
const nameSchema = z
  .string()
  .regex(/^[\w.\-/]+$/, 'Expected letters, digits, `_`, `.`, `-` and `/` only: a colon stands between name and key')

/** @internal */
export const limitsSchema = once(
  () =>
    z.array(
      z.strictObject({
        name: nameSchema,
        concurrency: count(0).optional(),
        rate: rateSchema().optional(),
        key: aFunction.optional(),
        share: z.strictObject({ key: aFunction, weight: aFunction.optional() }).optional(),
      }),
    ) as unknown as z.ZodType<readonly AnyLimit[]>,
)

const settingsSchema = once(() =>
  z.strictObject({
    key: z.string().min(1).optional(),
    concurrency: count(0).nullable().optional(),
    rate: rateSchema().nullable().optional(),
  }),
)

/** @throws OptionsError */
export function checkLimitSettings(
  name: string,
  options: LimitSettings & { key?: string },
): LimitSettings & { key?: string } {
  if (!nameSchema.safeParse(name).success)
    throw new OptionsError(`limits.set: expected the name of a limit, got '${name}'`)
  const checked = checkOptions('limits.set', settingsSchema(), options)
  if (checked.concurrency === undefined && checked.rate === undefined)
    throw new OptionsError(
      `limits.set('${name}'): give 'concurrency', 'rate' or both; limits.clear takes settings back`,
    )
  return checked as LimitSettings & { key?: string }
}

/** The id of a limit: its name, and the key it is counted by. */
export function limitId(name: string, key: string | undefined): string {
  return key === undefined ? name : `${name}:${shortKey(key)}`
}

/** Settings as scripts read them: `concurrency|count|per ms|burst`, empty where nothing is set, `-` where it is lifted. */
export function settingsText({ concurrency, rate }: LimitSettings): string {
  const most = concurrency === null ? '-' : (concurrency ?? '')
  if (rate === undefined) return `${most}|||`
  return rate === null ? `${most}|-|-|-` : `${most}|${rate.count}|${rate.perMs}|${rate.burst ?? 1}`
}

/** Reads what `settingsText` wrote; nothing where it is something else, as the scripts do. */
export function readSettings(text: string): LimitSettings {
  const [most = '', starts = '', ...others] = text.split('|')
  if (others.length !== 2) return {}
  const concurrency = numberIn(most)
  const [count, perMs, burst] = [starts, ...others].map((part) => numberIn(part) ?? 0) as [number, number, number]
  return {
    ...(most === '-' ? { concurrency: null } : concurrency === undefined ? {} : { concurrency }),
    ...(starts === '-' ? { rate: null } : count > 0 && perMs > 0 && burst > 0 ? { rate: { count, perMs, burst } } : {}),
  }
}

/** A finite number in a string from Redis, which may be anything. */
function numberIn(text: string): number | undefined {
  const number = text.trim() === '' ? NaN : Number(text)
  return Math.abs(number) < 9e15 ? number : undefined
}

/** Later settings win, each for what it sets. */
export function mergeSettings(...all: readonly LimitSettings[]): LimitSettings {
  return Object.assign({}, ...all) as LimitSettings
}

/** A declared limit, its functions over any arguments. */
export type AnyLimit = Limit<readonly unknown[]>

/**
 * The limits that one call of a task is under, by its arguments as the handler gets them.
 *
 * @throws OptionsError where a key or a weight is none; what `key` throws.
 */
export function claimsOf(limits: readonly AnyLimit[], args: readonly unknown[]): LimitClaim[] {
  return limits.map((limit) => {
    const { name, key, share } = limit
    const declared = settingsText(limit)
    return {
      id: limitId(name, key && text(name, 'key', key(...args))),
      name,
      declared,
      share: share && {
        key: shortKey(text(name, 'share.key', share.key(...args))),
        weight: weightOf(name, share.weight?.(...args) ?? 1),
      },
    }
  })
}

function text(name: string, what: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value
  const got = typeof value === 'string' ? 'an empty string' : typeof value
  throw new OptionsError(`limit '${name}': expected \`${what}\` to return a string that is not empty, got ${got}`)
}

function weightOf(name: string, weight: number): number {
  if (typeof weight === 'number' && weight > 0 && Number.isFinite(weight)) return weight
  throw new OptionsError(`limit '${name}': expected \`share.weight\` to return a number above 0, got ${String(weight)}`)
}
