/** Values looked at in the arguments of one job; what is deeper in than that is not searched. */
const MAX_NODES = 10_000

/**
 * True when a string, a number or a key within these values has the text. Shared and cyclic values are looked at once.
 */
export function containsText(values: readonly unknown[], text: string): boolean {
  const waiting: unknown[] = [...values]
  const seen = new Set<object>()
  for (let nodes = 0; waiting.length > 0 && nodes < MAX_NODES; nodes++) {
    const value = waiting.pop()
    if (typeof value === 'string' ? value.includes(text) : isScalar(value) && String(value).includes(text)) return true
    if (typeof value !== 'object' || value === null || seen.has(value) || ArrayBuffer.isView(value)) continue
    seen.add(value)
    if (value instanceof Map) for (const [key, each] of value) waiting.push(key, each)
    else if (Array.isArray(value) || value instanceof Set) waiting.push(...[...value].slice(0, MAX_NODES))
    else if (value instanceof Date) waiting.push(Number.isNaN(value.getTime()) ? '' : value.toISOString())
    else for (const [key, each] of Object.entries(value)) waiting.push(key, each)
  }
  return false
}

function isScalar(value: unknown): boolean {
  return typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean'
}
