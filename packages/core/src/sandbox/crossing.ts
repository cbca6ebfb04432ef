/** Rules for what crosses between a worker and its sandboxes: data, by structured clone. Runs on both sides. */
import { types } from 'node:util'
import type { PackedError } from './messages.ts'

/** Characters of a message or a stack that are carried. */
const MAX_TEXT = 65_536
/** Errors within errors that are carried. */
const MAX_CAUSES = 5

/**
 * Names the first value that a structured clone would refuse or change, `items.3.run: a function`; undefined where all
 * crosses. An instance of a class would arrive as a plain object, without its methods, so it is refused.
 */
export function problemOf(value: unknown): string | undefined {
  const seen = new Set<object>()
  const open: { value: unknown; path: string }[] = [{ value, path: '' }]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { path, value } = next
    const at = (key: string) => (path === '' ? key : `${path}.${key}`)
    if (typeof value === 'function' || typeof value === 'symbol') return `\`${path || 'the value'}\`: a ${typeof value}`
    if (typeof value !== 'object' || value === null || seen.has(value)) continue
    seen.add(value)
    if (isLeaf(value)) continue
    const prototype: unknown = Object.getPrototypeOf(value)
    if (types.isMap(value)) {
      for (const [key, inner] of value)
        open.push({ value: inner, path: at(String(key)) }, { value: key, path: at('a key') })
    } else if (types.isSet(value)) {
      for (const inner of value) open.push({ value: inner, path: at('an element') })
    } else if (prototype === Object.prototype || prototype === null || prototype === Array.prototype) {
      for (const key of Object.keys(value)) open.push({ value: value[key as never], path: at(key) })
    } else return `\`${path || 'the value'}\`: an instance of ${value.constructor?.name ?? 'a class'}`
  }
  return undefined
}

function isLeaf(value: object): boolean {
  return (
    types.isDate(value) ||
    types.isRegExp(value) ||
    types.isArrayBuffer(value) ||
    ArrayBuffer.isView(value) ||
    types.isNativeError(value)
  )
}

/** Never throws: JavaScript can throw anything. */
export function packError(thrown: unknown, depth = 0): PackedError {
  try {
    if (!(thrown instanceof Error)) {
      return { name: 'Error', message: String(thrown), stack: undefined, fields: {}, cause: undefined }
    }
    const fields = Object.entries(thrown).filter(([key, value]) => key !== 'cause' && problemOf(value) === undefined)
    const { cause, message, name, stack } = thrown
    return {
      name: text(name),
      message: text(message),
      stack: stack === undefined ? undefined : text(stack),
      fields: Object.fromEntries(fields),
      cause: cause === undefined || depth >= MAX_CAUSES ? undefined : packError(cause, depth + 1),
    }
  } catch {
    const message = 'an error that cannot be read was thrown'
    return { name: 'Error', message, stack: undefined, fields: {}, cause: undefined }
  }
}

/** Any class may have a name or a message that is no string, and a handler may put a payload into it. */
function text(value: unknown): string {
  return String(value).slice(0, MAX_TEXT)
}

/** An error with the name, message, stack and fields of the packed one; its `code` says what it is. */
export function unpackError({ cause, fields, message, name, stack }: PackedError): Error {
  const error = new Error(message, cause === undefined ? undefined : { cause: unpackError(cause) })
  return Object.assign(error, fields, { name }, stack === undefined ? {} : { stack })
}
