import { addLatency } from '../../src/judging/latency.ts'
import { emptyTally } from '../../src/judging/tally.ts'
import type { Minute, Tally } from '../../src/judging/tally.ts'

/** A tally in short: every request took `latencyMs`, `slow` of them `slowMs`. */
export interface TallyOf {
  requests?: number
  errors?: number
  shadowed?: number
  latencyMs?: number
  slow?: number
  slowMs?: number
  values?: Record<string, readonly number[]>
}

export function tally({
  errors = 0,
  latencyMs,
  requests = 0,
  shadowed = 0,
  slow = 0,
  slowMs = 5_000,
  values = {},
}: TallyOf): Tally {
  const made = { ...emptyTally(), requests, errors, shadowed }
  if (latencyMs !== undefined && requests > slow) addLatency(made.latency, latencyMs, requests - slow)
  if (slow > 0) addLatency(made.latency, slowMs, slow)
  for (const [name, all] of Object.entries(values)) {
    const sum = all.reduce((total, value) => total + value, 0)
    const squares = all.reduce((total, value) => total + value * value, 0)
    made.values[name] = { count: all.length, sum, squares, min: Math.min(...all), max: Math.max(...all) }
  }
  return made
}

export function minute(number: number, fresh: TallyOf, old: TallyOf = {}): Minute {
  return { minute: number, new: tally(fresh), old: tally(old) }
}
