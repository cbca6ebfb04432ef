import { expectArgument } from './expect-argument.ts'
import { isError, isForeignDict } from './realms.ts'

/** An error of JavaScript as data: what its class and its Python exception do not say, for a producer that reads it here. */
export interface ErrorDetails {
  readonly name: string
  readonly message: string
  readonly code?: string | number
  readonly cause?: unknown
  /** Its own fields that are plain data. */
  readonly fields?: Readonly<Record<string, unknown>>
}

/** The attribute of the Python exception, and the key of the exception map, that hold it. */
export const DETAILS = 'js_error'

const MAX_DEPTH = 4
const MAX_FIELDS = 50
const MAX_LENGTH = 4_096
/** Values and characters of all that one error carries: fields may share what is within them. */
const MAX_NODES = 1_000
const MAX_CHARACTERS = 65_536
/** Named by the Python exception already. */
const COMMON: ReadonlySet<string> = new Set(['Error', 'TypeError', 'RangeError'])
/** Set by the platform, or by what is read from the wire. */
const RESERVED: ReadonlySet<string> = new Set(['name', 'message', 'code', 'cause', 'stack', '__proto__', 'constructor'])

/** The details of an error; undefined for one whose Python exception says it all. */
export function detailsOf(error: Error): ErrorDetails | undefined {
  try {
    const details = new Details().of(error, 0)
    return COMMON.has(details.name) && Object.keys(details).length === 2 ? undefined : details
  } catch {
    // A getter of its own; the failure itself must not be lost by it.
    return undefined
  }
}

/** One bounded walk over an error, its causes and its fields. */
class Details {
  #nodes = 0
  #characters = 0

  of(error: Error, depth: number): ErrorDetails {
    const { cause, code } = error as { cause?: unknown; code?: unknown }
    const name = this.#text(error.name)
    const message = this.#text(error.message)
    const fields: Record<string, unknown> = {}
    for (const key of firstKeys(error, (each) => !RESERVED.has(each))) {
      const value = this.#field(error, key, depth + 1)
      if (value !== undefined) fields[key] = value
    }
    const inner = isError(cause)
    const kept = inner ? (depth < MAX_DEPTH ? this.of(cause, depth + 1) : undefined) : this.#plain(cause, depth + 1)
    return {
      name,
      message,
      ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
      ...(kept === undefined ? {} : { cause: inner ? { [DETAILS]: kept } : kept }),
      ...(Object.keys(fields).length === 0 ? {} : { fields }),
    }
  }

  #text(value: unknown): string {
    const text = String(value).slice(0, Math.min(MAX_LENGTH, MAX_CHARACTERS - this.#characters))
    this.#characters += text.length
    return text
  }

  /** Data that each codec carries; undefined for the rest. */
  #plain(value: unknown, depth: number): unknown {
    if (++this.#nodes > MAX_NODES) return undefined
    if (typeof value === 'string') return this.#text(value)
    if (typeof value === 'boolean' || value === null || (typeof value === 'number' && Number.isFinite(value)))
      return value
    if (typeof value !== 'object' || depth > MAX_DEPTH) return undefined
    if (Array.isArray(value)) return value.slice(0, MAX_FIELDS).map((item) => this.#plain(item, depth + 1) ?? null)
    if (Object.getPrototypeOf(value) !== Object.prototype && !isForeignDict(value)) return undefined
    const fields: Record<string, unknown> = {}
    for (const key of firstKeys(value, (each) => each !== '__proto__')) {
      const item = this.#field(value, key, depth + 1)
      if (item !== undefined) fields[key] = item
    }
    return fields
  }

  /** A field as far as it can be read: what throws is left out. */
  #field(value: object, key: string, depth: number): unknown {
    try {
      return this.#plain((value as Record<string, unknown>)[key], depth)
    } catch {
      return undefined
    }
  }
}

function firstKeys(value: object, isWanted: (key: string) => boolean): string[] {
  return Object.keys(value).filter(isWanted).slice(0, MAX_FIELDS)
}

/** Gives an error read from the wire what its details say: name, code, message, cause and fields. Nothing else is touched. @throws OptionsError */
export function restoreDetails<E extends Error>(error: E, details: unknown, depth = 0): E {
  if (!isError(error)) expectArgument('restoreDetails', 'error', false, 'an Error', error)
  if (typeof details !== 'object' || details === null) return error
  const { cause, code, fields, message, name } = details as Partial<Record<keyof ErrorDetails, unknown>>
  const set = (key: string, value: unknown) =>
    Object.defineProperty(error, key, { value, writable: true, configurable: true, enumerable: key in error })
  if (typeof fields === 'object' && fields !== null)
    for (const [key, value] of Object.entries(fields))
      if (!RESERVED.has(key) && !(key in error))
        Object.defineProperty(error, key, { value, writable: true, configurable: true, enumerable: true })
  if (typeof name === 'string') set('name', name)
  if (typeof message === 'string') set('message', message)
  if (typeof code === 'string' || typeof code === 'number') set('code', code)
  if (cause !== undefined) {
    const inner = (cause as Record<string, unknown> | null)?.[DETAILS]
    set('cause', inner !== undefined && depth < MAX_DEPTH ? restoreDetails(new Error(), inner, depth + 1) : cause)
  }
  return error
}
