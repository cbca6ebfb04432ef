import { useRef } from 'preact/hooks'

/**
 * Keeps the order of rows while the pointer is on them, so that no row moves away under a click. A new `version`, such as an
 * order that the user chose, applies immediately.
 */
export function useSteady<T>(
  rows: T[],
  key: (row: T) => string,
  version = '',
): { rows: T[]; hold: { onPointerEnter: () => void; onPointerLeave: () => void } } {
  const held = useRef(false)
  const order = useRef<{ version: string; keys: string[] }>({ version, keys: [] })
  const hold = { onPointerEnter: () => void (held.current = true), onPointerLeave: () => void (held.current = false) }
  if (!held.current || order.current.version !== version) {
    order.current = { version, keys: rows.map(key) }
    return { rows, hold }
  }
  const places = new Map(order.current.keys.map((name, i) => [name, i]))
  const kept = [...rows].sort((a, b) => (places.get(key(a)) ?? places.size) - (places.get(key(b)) ?? places.size))
  return { rows: kept, hold }
}
