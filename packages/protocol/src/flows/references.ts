import { expectArgument, expectFields, expectFunction, isObject } from '../values/expect-argument.ts'
import { fromEntries, orderedEntries } from '../values/key-order.ts'
import { Tuple } from '../values/values.ts'

/** A place in a call that a result is put into: the way to it, from `args` or `kwargs` on. */
export interface ResultReference {
  /** `a` and an index, or `k` and a name, then further keys. */
  path: readonly (string | number)[]
  /** The member whose result goes there, or members, nested as groups are, whose results go there as arrays. */
  of: ReferenceTarget
}

/** A member, or a group of members and groups. */
export type ReferenceTarget = string | readonly ReferenceTarget[]

/** A call as it goes to the wire. */
export interface CallArguments {
  args: readonly unknown[]
  kwargs: Readonly<Record<string, unknown>>
}

const CALL = { args: Array.isArray, kwargs: isObject }

function expectReferences(where: string, references: unknown): void {
  const isReference = (each: unknown) => Array.isArray((each as Partial<ResultReference> | null)?.path)
  const isRight = Array.isArray(references) && references.every(isReference)
  expectArgument(where, 'references', isRight, 'an array of references', references)
}

/**
 * Takes handles out of a call: null takes their place, and references say where which results go.
 *
 * @param targetOf - The target of a handle; undefined for any other value.
 * @throws OptionsError
 */
export function takeReferences(
  call: CallArguments,
  targetOf: (value: unknown) => ReferenceTarget | undefined,
): CallArguments & { references: ResultReference[] } {
  expectFields('takeReferences', 'call', call, CALL)
  expectFunction('takeReferences', 'targetOf', targetOf)
  const references: ResultReference[] = []
  const walk = (value: unknown, path: (string | number)[]): unknown => {
    const of = targetOf(value)
    if (of !== undefined) {
      references.push({ path, of })
      return null
    }
    if (Array.isArray(value)) return mapArray(value, (each, i) => walk(each, [...path, i]))
    return isPlainObject(value) ? mapObject(value, (each, key) => walk(each, [...path, key])) : value
  }
  const args = mapArray(call.args, (each, i) => walk(each, ['a', i]))
  const kwargs = mapObject(call.kwargs, (each, key) => walk(each, ['k', key]))
  return { args, kwargs, references }
}

/** Puts results into a call. The values on the way are copied, so that the call itself stays as it is. @throws OptionsError */
export function putResults(
  call: CallArguments,
  references: readonly ResultReference[],
  resultOf: (member: string) => unknown,
): CallArguments {
  expectFields('putResults', 'call', call, CALL)
  expectReferences('putResults', references)
  expectFunction('putResults', 'resultOf', resultOf)
  const root = { a: call.args, k: call.kwargs }
  // Copied once each: 10,000 places may lie in one array.
  const copies = new Map<unknown, unknown>()
  const gather = (of: ReferenceTarget): unknown => (typeof of === 'string' ? resultOf(of) : of.map(gather))
  for (const { path, of } of references) {
    let place: Record<string | number, unknown> = root as never
    for (const key of path.slice(0, -1)) {
      const value = place[key]
      let copy = copies.get(value)
      if (copy === undefined) {
        copy = Array.isArray(value) ? mapArray(value, (each) => each) : mapObject(value as object, (each) => each)
        copies.set(value, copy)
        copies.set(copy, copy)
      }
      place[key] = copy
      place = copy as never
    }
    place[path.at(-1)!] = gather(of)
  }
  return { args: root.a, kwargs: root.k }
}

/** The members that references name. @throws OptionsError */
export function membersOf(references: readonly ResultReference[]): string[] {
  expectReferences('membersOf', references)
  const members = new Set<string>()
  const add = (of: ReferenceTarget): void => {
    if (typeof of === 'string') members.add(of)
    else of.forEach(add)
  }
  for (const { of } of references) add(of)
  return [...members]
}

function mapArray(value: readonly unknown[], change: (each: unknown, at: number) => unknown): unknown[] {
  const copy = Array.from(value, change)
  return value instanceof Tuple ? Tuple.adopt(copy) : copy
}

function mapObject(value: object, change: (each: unknown, key: string) => unknown): Record<string, unknown> {
  return fromEntries(orderedEntries(value as Record<string, unknown>).map(([key, each]) => [key, change(each, key)]))
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
