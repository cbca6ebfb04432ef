import { classOf, definitionOf } from '../schema.ts'
import type { Schema } from '../schema.ts'

/** Types whose values every codec gives back as they were. */
const PLAIN: ReadonlySet<string> = new Set([
  'string',
  'number',
  'boolean',
  'int',
  'null',
  'enum',
  'nan',
  'never',
  'template_literal',
])

/** The schema within a wrapper that leaves the input's type alone; undefined for others. */
export function wrapped(schema: Schema): Schema | undefined {
  const { in: input, innerType, type } = definitionOf(schema)
  if (type === 'pipe') return input
  return ['optional', 'nullable', 'default', 'prefault', 'catch', 'readonly', 'nonoptional'].includes(type)
    ? innerType
    : undefined
}

/** The schemas directly within one. */
function parts(schema: Schema): Schema[] {
  const { catchall, element, getter, items, keyType, left, options, rest, right, shape, type, valueType } =
    definitionOf(schema)
  const inner = wrapped(schema)
  const all = [inner, catchall, element, ...(items ?? []), left, ...(options ?? []), rest, right, valueType]
  // A record's keys are strings whatever their schema says.
  if (type === 'map') all.push(keyType)
  if (type === 'lazy') all.push(getter!())
  return [...all, ...Object.values(shape ?? {})].filter((each) => each !== undefined && each !== null)
}

/** True where every codec gives each input of the schema back as it was: there is nothing to check or to restore. */
export function isPlain(schema: Schema, within: Set<Schema> = new Set()): boolean {
  if (within.has(schema)) return true
  within.add(schema)
  const { catchall, coerce, element, items, rest, type, values, valueType } = definitionOf(schema)
  if (coerce) return false
  if (PLAIN.has(type)) return true
  if (type === 'literal') return values!.every((value) => typeof value !== 'bigint' && value !== undefined)
  // Undefined that is no named key's value arrives as null, or as nothing where it has a default.
  const unnamed = [element, ...(items ?? []), rest, catchall, type === 'record' ? valueType : undefined]
  if (unnamed.some((each) => each && takes(undefined, each))) return false
  const isContainer = ['object', 'array', 'tuple', 'record', 'union', 'intersection', 'lazy'].includes(type)
  return (isContainer || wrapped(schema) !== undefined) && parts(schema).every((part) => isPlain(part, within))
}

/** True where a set may stand somewhere in an input. */
export function hasSets(schema: Schema, within: Set<Schema> = new Set()): boolean {
  if (within.has(schema)) return false
  within.add(schema)
  const isSet = definitionOf(schema).type === 'set' || classOf(schema) === Set
  return isSet || parts(schema).some((part) => hasSets(part, within))
}

/** True where the schema takes `undefined` or null itself, as far as its type says. */
export function takes(value: undefined | null, schema: Schema, within: Set<Schema> = new Set()): boolean {
  if (within.has(schema)) return false
  within.add(schema)
  const { coerce, getter, left, options, right, type, values } = definitionOf(schema)
  const inner = wrapped(schema)
  if (coerce || ['any', 'unknown', 'transform', 'catch'].includes(type)) return true
  if (type === 'custom') return classOf(schema) === undefined
  if (type === 'literal') return values!.includes(value)
  if (type === 'union') return options!.some((option) => takes(value, option, within))
  if (type === 'intersection') return takes(value, left!, within) && takes(value, right!, within)
  if (type === 'lazy') return takes(value, getter!(), within)
  if (value === undefined) {
    if (['undefined', 'void', 'optional', 'default', 'prefault'].includes(type)) return true
    if (type === 'nonoptional') return false
  } else if (type === 'null' || type === 'nullable') return true
  return inner !== undefined && takes(value, inner, within)
}
