/** The search for jobs as chips: `status:failed queue:mail "two words"`, with names as they are shown. Pure. */

import { shown } from './names.ts'

/** One part of a query: a word has no key. */
export interface Chip {
  key: string | null
  value: string
}

const keys = new Set(['status', 'function', 'queue', 'id', 'older', 'error'])

/** The parts of a query. */
export function parse(q: string): Chip[] {
  const chips: Chip[] = []
  for (const [, key, quoted, bare] of q.matchAll(/(?:([a-z]+):)?(?:"((?:[^"\\]|\\.)*)"|(\S+))/g)) {
    const value = quoted?.replace(/\\(.)/g, '$1') ?? bare ?? ''
    if (key && keys.has(key)) chips.push({ key, value })
    else if (key || value) chips.push({ key: null, value: key ? `${key}:${value}` : value })
  }
  return chips
}

/** The query of parts. */
export function write(chips: readonly Chip[]): string {
  return chips
    .map(
      ({ key, value }) =>
        (key ? `${key}:` : '') + (/[\s"]/.test(value) || value === '' ? `"${value.replace(/["\\]/g, '\\$&')}"` : value),
    )
    .join(' ')
}

/** A query of one chip, about the name of something. */
export function about(key: string, name: string): string {
  return write([{ key, value: shown(name) }])
}

/** The query with a chip more; a chip of the same key is replaced. */
export function withChip(q: string, chip: Chip): string {
  const rest = parse(q).filter(({ key }) => chip.key === null || key !== chip.key)
  return write([...rest, chip])
}

/** The query without the chip at a place. */
export function without(q: string, at: number): string {
  return write(parse(q).filter((_, i) => i !== at))
}

/** The value of a key; null where the query does not have it. */
export function valueOf(q: string, key: string): string | null {
  return parse(q).find((chip) => chip.key === key)?.value ?? null
}
