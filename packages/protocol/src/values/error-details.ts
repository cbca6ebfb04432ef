import { expectArgument } from './expect-argument.ts'

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
/** Named by the Python exception already. */
const COMMON: ReadonlySet<string> = new Set(['Error', 'TypeError', 'RangeError'])
/** Set by the platform, or by what is read from the wire. */
const RESERVED: ReadonlySet<string> = new Set(['name', 'message', 'code', 'cause', 'stack', '__proto__', 'constructor'])

/** The details of an error; undefined for one whose Python exception says it all. */
export function detailsOf(error: Error): ErrorDetails | undefined {
  try {
    const details = read(error, 0)
    return COMMON.has(details.name) && Object.keys(details).length === 2 ? undefined : details
  } catch {
    // A getter of its own; the failure itself must not be lost by it.
    return undefined
  }
}

function read(error: Error, depth: number): ErrorDetails {
  const { cause, code } = error as { cause?: unknown; code?: unknown }
  const keys = Object.keys(error).filter((key) => !RESERVED.has(key))
  const fields: Record<string, unknown> = {}
  for (const key of keys.slice(0, MAX_FIELDS)) {
    const value = plain((error as unknown as Record<string, unknown>)[key], depth + 1)
    if (value !== undefined) fields[key] = value
  }
  const kept =
    cause instanceof Error ? (depth < MAX_DEPTH ? read(cause, depth + 1) : undefined) : plain(cause, depth + 1)
  return {
    name: text(error.name),
    message: text(error.message),
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    ...(kept === undefined ? {} : { cause: cause instanceof Error ? { [DETAILS]: kept } : kept }),
    ...(Object.keys(fields).length === 0 ? {} : { fields }),
  }
}

function text(value: unknown): string {
  return String(value).slice(0, MAX_LENGTH)
}

/** Data that each codec carries; undefined for the rest. */
function plain(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return text(value)
  if (typeof value === 'boolean' || value === null || (typeof value === 'number' && Number.isFinite(value)))
    return value
  if (typeof value !== 'object' || depth > MAX_DEPTH) return undefined
  if (Array.isArray(value)) return value.slice(0, MAX_FIELDS).map((item) => plain(item, depth + 1) ?? null)
  if (Object.getPrototypeOf(value) !== Object.prototype) return undefined
  const entries = Object.entries(value).filter(([key]) => !RESERVED.has(key) || depth > 0)
  return Object.fromEntries(
    entries
      .slice(0, MAX_FIELDS)
      .filter(([key]) => key !== '__proto__')
      .map(([key, item]) => [key, plain(item, depth + 1)] as const)
      .filter(([, item]) => item !== undefined),
  )
}

/** Gives an error read from the wire what its details say: name, code, message, cause and fields. Nothing else is touched. @throws OptionsError */
export function restoreDetails<E extends Error>(error: E, details: unknown, depth = 0): E {
  if (!(error instanceof Error)) expectArgument('restoreDetails', 'error', false, 'an Error', error)
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
