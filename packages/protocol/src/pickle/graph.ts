/** A walk over what was unpickled, once per value: for what can only be known when all of it is there. */
import { DecodeError, RemoteError } from '../errors.ts'
import { MAX_DEPTH } from '../values/limits.ts'
import { isDict } from './globals.ts'
import { DateTime, PlainTime, PyObject } from '../values/values.ts'

/**
 * Checks the depth, and replaces dicts that had been handed out before a key that is no text made them Maps. Only
 * cycles do that.
 * @throws DecodeError
 */
export function settleGraph(root: unknown, maps: ReadonlyMap<object, Map<unknown, unknown>> | undefined): unknown {
  const heights = new Map<object, number>()

  const current = (value: unknown): unknown =>
    maps !== undefined && typeof value === 'object' && value !== null ? (maps.get(value) ?? value) : value

  /** The levels below and with a value; a value within itself counts as none. */
  const height = (value: unknown, depth: number): number => {
    if (typeof value !== 'object' || value === null) return 0
    const known = heights.get(value)
    if (depth + (known ?? 0) > MAX_DEPTH) throw new DecodeError(`the payload nests deeper than ${MAX_DEPTH} levels`)
    if (known !== undefined) return known
    heights.set(value, 0)
    let below = 0
    visit(value, (child) => {
      const now = current(child)
      below = Math.max(below, height(now, depth + 1))
      return now
    })
    heights.set(value, below + 1)
    return below + 1
  }

  const settled = current(root)
  height(settled, 0)
  return settled
}

/** Shows each child, and puts in its place what comes back. */
function visit(value: object, show: (child: unknown) => unknown): void {
  if (Array.isArray(value)) return list(value, show)
  if (value instanceof Map) {
    for (const [key, item] of value) {
      show(key)
      const now = show(item)
      if (now !== item) value.set(key, now)
    }
  } else if (value instanceof Set) {
    for (const item of value) show(item)
  } else if (value instanceof PyObject) {
    show(value.callee)
    list(value.args as unknown[], show)
    show(value.kwargs)
    value.state = show(value.state)
    show(value.stateSetter)
    list(value.listItems, show)
    for (const pair of value.dictItems) list(pair, show)
  } else if (value instanceof RemoteError) {
    list(value.args as unknown[], show)
    ;(value as { attributes: unknown }).attributes = show(value.attributes)
  } else if (value instanceof DateTime || value instanceof PlainTime) show(value.tzinfo)
  else if (isDict(value)) {
    for (const key of Object.keys(value)) {
      const item = value[key]
      const now = show(item)
      if (now !== item)
        Object.defineProperty(value, key, { value: now, enumerable: true, writable: true, configurable: true })
    }
  }
}

function list(items: unknown[], show: (child: unknown) => unknown): void {
  for (let i = 0; i < items.length; i++) {
    const item = items[i]
    const now = show(item)
    if (now !== item) items[i] = now
  }
}
