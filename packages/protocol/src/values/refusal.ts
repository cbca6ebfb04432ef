import { EncodeError } from '../errors/wire-errors.ts'
import { isPromise } from './realms.ts'
import { Complex, PyGlobal, PyObject, Range, TimeZone, ZoneInfo } from './values.ts'

/** Error for a value that a codec has no form for, with what would work. Never another codec that refuses it too. */
export function refusal(value: unknown, codec: string): EncodeError {
  return new EncodeError(`${codec} cannot carry ${nameOf(value)}; ${remedy(value)}`)
}

function nameOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return `a ${typeof value}`
  const name = (Object.getPrototypeOf(value) as { constructor?: { name?: string } } | null)?.constructor?.name
  return name ? `${name} objects` : 'instances of a class'
}

function remedy(value: unknown): string {
  if (typeof value !== 'object' || value === null) return 'pass data only'
  if (value instanceof Set) return "pass an array, or use codec 'pickle'"
  if (isPythons(value)) return "pass plain data, or use codec 'pickle'"
  if (isPromise(value)) return 'await it first'
  if (value instanceof ArrayBuffer || value instanceof DataView) return 'pass a Uint8Array of its bytes'
  if (ArrayBuffer.isView(value)) return 'pass `Array.from(…)`, or a Uint8Array of its bytes'
  return 'pass plain data, or give the class a `toJSON()`'
}

/** Values of Python that only a pickle has a form for. */
function isPythons(value: object): boolean {
  const classes = [Complex, PyGlobal, PyObject, Range, TimeZone, ZoneInfo]
  return classes.some((type) => value instanceof type)
}

/** True for an object whose class says how it becomes JSON. */
export function hasToJson(value: object): value is { toJSON(): unknown } {
  return typeof (value as { toJSON?: unknown }).toJSON === 'function'
}
