import { useRef } from 'preact/hooks'

/** Keeps the order of rows while the pointer or the focus is on them, so that no row moves away under a click. */
export function useSteady<T>(
  rows: T[],
  key: (row: T) => string,
): { rows: T[]; hold: { onPointerEnter: () => void; onPointerLeave: () => void } } {
  const held = useRef(false)
  const order = useRef<string[]>([])
  const hold = { onPointerEnter: () => void (held.current = true), onPointerLeave: () => void (held.current = false) }
  if (!held.current) {
    order.current = rows.map(key)
    return { rows, hold }
  }
  const places = new Map(order.current.map((name, i) => [name, i]))
  const kept = [...rows].sort((a, b) => (places.get(key(a)) ?? places.size) - (places.get(key(b)) ?? places.size))
  return { rows: kept, hold }
}
