import { computed } from '@preact/signals'
import { place } from '../router.ts'

const hour = 3_600_000

/** The ranges of time that charts offer, in ms. */
export const ranges = { '1h': hour, '6h': 6 * hour, '24h': 24 * hour, '7d': 7 * 24 * hour } as const

/** Name of a range. */
export type RangeName = keyof typeof ranges

/** The range in the address; an hour by default. */
export const range = computed<RangeName>(() => {
  const name = place.value.query.get('range') ?? ''
  return Object.hasOwn(ranges, name) ? (name as RangeName) : '1h'
})

/** The range in words: "last hour". */
export const rangeWords: Record<RangeName, string> = {
  '1h': 'last hour',
  '6h': 'last 6 hours',
  '24h': 'last 24 hours',
  '7d': 'last 7 days',
}

/** Width of a point for a range, as the recorder keeps them, in ms. */
export const steps: Record<RangeName, number> = { '1h': 60_000, '6h': 600_000, '24h': 600_000, '7d': hour }
