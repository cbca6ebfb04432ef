import type { LimitRate, LimitRow } from '@arq-ts/dashboard/api'
import { brief } from '../format/duration.ts'
import { shown } from '../format/names.ts'
import { digits, number } from '../format/number.ts'

/** A rate in words: "10 a second, up to 5 at once". */
export function rateWords({ burst = 1, count, perMs }: LimitRate): string {
  const unit = { 1000: 'second', 60000: 'minute', 3600000: 'hour', 86400000: 'day' }[perMs]
  const often = unit ? `${number(count)} a ${unit}` : `${number(count)} in ${brief(perMs)}`
  return burst > 1 ? `${often}, up to ${number(burst)} at once` : often
}

/** The bounds of a limit in words. */
export function boundWords({ concurrency, isSet, rate }: LimitRow): string {
  const parts = [concurrency !== null && `${number(concurrency)} at a time`, rate && rateWords(rate)].filter(Boolean)
  return parts.length > 0 ? parts.join('; ') : isSet ? 'lifted' : 'known to the workers alone'
}

/** The name of a limit with its key. */
export const limitName = ({ key, name }: Pick<LimitRow, 'key' | 'name'>): string =>
  key === null ? name : `${name}:${key}`

/** True where every place is taken. */
export const isFull = ({ concurrency, running }: LimitRow): boolean => concurrency !== null && running >= concurrency

/** The summary of the list. */
export function limitsTitle(limits: readonly LimitRow[]): string {
  const counted = limits.filter(({ isKeyed }) => !isKeyed)
  const waiting = counted.reduce((sum, limit) => sum + limit.waiting, 0)
  const holding = counted.filter((limit) => limit.waiting > 0)
  if (limits.length === 0) return 'No limit is in force.'
  if (holding.length === 1) return `${shown(limitName(holding[0]!))} holds ${digits(waiting, 'job')} back.`
  return holding.length > 1
    ? `${digits(holding.length, 'limit')} hold ${digits(waiting, 'job')} back.`
    : 'No limit holds a job back.'
}
