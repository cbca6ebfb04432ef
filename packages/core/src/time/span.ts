const UNITS: readonly [ms: number, name: string][] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1_000, 's'],
]
/** Ten thousand years. A longer span is a score that is no time. */
const LONGEST_MS = 3_652_500 * 86_400_000

/** A duration as all messages and tables show it, by its two largest units: `3 min 20 s`, `2 d 5 h`, `850 ms`. */
export function spanText(ms: number): string {
  const absolute = Math.abs(ms)
  if (!(absolute <= LONGEST_MS)) return 'more than 10,000 years'
  const at = UNITS.findIndex(([size]) => absolute >= size)
  if (at === -1) return `${Math.round(absolute)} ms`
  const [size, name] = UNITS[at]!
  const rest = UNITS[at + 1]
  const whole = Math.floor(absolute / size)
  const left = rest ? Math.floor((absolute - whole * size) / rest[0]) : 0
  return left > 0 && rest ? `${whole} ${name} ${left} ${rest[1]}` : `${whole} ${name}`
}
