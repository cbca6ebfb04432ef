/** A walk over what a package exports, which calls everything with wrong arguments. */

import { sameOptions, wrongData, wrongValues } from './wrong-values.ts'
import type { WrongValue } from './wrong-values.ts'

/** Codes of errors that name the wrong argument; an error from Redis is no refusal. */
const REFUSALS: ReadonlySet<unknown> = new Set(['ARQ_INVALID_OPTIONS', 'ARQ_ARGUMENTS', 'ARQ_INVALID_CONFIG'])

/** The public surface of a package, and the data that a walk over it needs. */
export interface Surface {
  /** Everything that an entry exports at run time. */
  exports: Readonly<Record<string, unknown>>
  /** An instance of each exported class whose methods are called. Default: none. */
  instances?: Readonly<Record<string, object>>
  /**
   * Arguments that are accepted, by `name` or `Class.method`: each is replaced by wrong values in turn. A plain object is
   * one of options, of which each name is misspelled and each value replaced too. Default: one that is not known.
   */
  accepted?: Readonly<Record<string, readonly unknown[]>>
  /**
   * Wrong values that are right here, by `name`, `Class.method`, or either with the position (`Job.result(0)`): labels as
   * the walk reports them, each with the reason.
   */
  right?: Readonly<Record<string, Readonly<Record<string, string>>>>
  /**
   * Names of options, or positions (`implement(0)`), whose values are objects of the caller's own, or no options: only
   * other kinds of values are wrong. Default: none.
   */
  data?: readonly string[]
  /** Further codes that are refusals of this package. Default: none. */
  codes?: readonly string[]
  /** Functions or arguments that need not refuse, by `name`, `Class.method`, or either with the position, each with the reason. */
  passed: Readonly<Record<string, string>>
}

type Call = (...args: unknown[]) => unknown

/**
 * Calls every exported function, constructor and method with wrong values in the place of each argument, and returns
 * those that do not refuse one by name, or that refuse options because they are frozen or have no prototype. A new export
 * is walked without being listed.
 */
export async function unrefusedOf(surface: Surface): Promise<string[]> {
  const { exports, instances = {}, accepted = {}, passed, right = {} } = surface
  const found: string[] = []
  const names = new Set<string>()
  const walk = async (name: string, call: Call) => {
    names.add(name)
    if (!(name in passed)) found.push(...(await problemsOf(surface, name, call)))
  }
  for (const [name, value] of Object.entries(exports)) {
    if (typeof value !== 'function') continue
    const prototype = value.prototype as object | undefined
    if (!isClass(value)) await walk(name, value as Call)
    else if (!(prototype instanceof Error)) {
      await walk(name, (...args) => Reflect.construct(value, args) as unknown)
      const instance = instances[name] as Record<string, Call> | undefined
      if (instance)
        for (const method of methodsOf(value)) await walk(`${name}.${method}`, (...args) => instance[method]!(...args))
      else if (!(name in passed)) found.push(`${name}: give an instance, or a reason to pass it`)
    }
  }
  const listed = [passed, accepted, right]
    .flatMap((list) => Object.keys(list))
    .map((name) => name.replace(/\(\d\)$/, ''))
  const unknown = listed.filter((name) => !names.has(name))
  return [...new Set([...found, ...unknown.map((name) => `${name}: is listed and does not exist`)])]
}

async function problemsOf(surface: Surface, name: string, call: Call): Promise<string[]> {
  const good = surface.accepted?.[name] ?? [undefined]
  const found: string[] = []
  for (const [position, value] of good.entries()) {
    if (`${name}(${position})` in surface.passed) continue
    const at = `${name}(${good.map((_, i) => (i === position ? '*' : '…')).join(', ')})`
    const right = { ...surface.right?.[name], ...surface.right?.[`${name}(${position})`] }
    const isData = surface.data?.includes(`${name}(${position})`) === true
    for (const wrong of isData ? wrongData() : wrongValues(value, surface.data)) {
      if (wrong.label in right) continue
      const problem = await problemOf(surface, () => call(...good.with(position, wrong.value)), wrong)
      if (problem !== undefined) found.push(`${at}, ${wrong.label}: ${problem}`)
    }
    for (const same of isData ? [] : sameOptions(value)) {
      const { code, message } = await errorOf(() => call(...good.with(position, same.value)))
      const isRefused = isRefusal(surface, code) || (message !== undefined && code === undefined)
      if (isRefused) found.push(`${at}, ${same.label}: is refused: ${message}`)
    }
  }
  return found
}

async function problemOf(surface: Surface, call: () => unknown, { words }: WrongValue): Promise<string | undefined> {
  const { code, message } = await errorOf(call)
  if (message === undefined) return 'is accepted'
  if (!isRefusal(surface, code)) return `is no refusal but ${String(code)}: ${message.slice(0, 160)}`
  return words === undefined || words.test(message)
    ? undefined
    : `is refused without ${words}: ${message.slice(0, 160)}`
}

function isRefusal({ codes = [] }: Surface, code: unknown): boolean {
  return REFUSALS.has(code) || codes.includes(String(code))
}

/** Methods of a class and of our classes that it extends, including those that only TypeScript makes private. */
export function methodsOf(value: object): string[] {
  const methods: string[] = []
  const { prototype } = value as { prototype: object }
  for (let at = prototype; isOurs(at); at = Object.getPrototypeOf(at) as object) {
    for (const [name, { value: method }] of Object.entries(Object.getOwnPropertyDescriptors(at)))
      if (name !== 'constructor' && typeof method === 'function') methods.push(name)
  }
  return [...new Set(methods)]
}

function isOurs(prototype: object): boolean {
  const { constructor } = prototype as { constructor: { name: string } }
  return !['Object', 'EventEmitter', 'Error', 'Array', 'Map'].includes(constructor.name)
}

function isClass(value: object): boolean {
  return /^class\b/.test(Function.prototype.toString.call(value))
}

/** Closes the connection or server that a call with accepted arguments has opened. */
async function discard(made: unknown): Promise<void> {
  if (typeof made !== 'object' || made === null) return
  const { close, disconnect, stop } = made as Record<string, unknown>
  const end = close ?? stop ?? disconnect
  if (typeof end === 'function') await (end.call(made) as Promise<void>)
}

/** True for an async iterator, such as a generator, which begins only with its first step. */
function isIterator(value: unknown): value is AsyncIterator<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value
}

/** The error of a call; no message where there is none. */
async function errorOf(call: () => unknown): Promise<{ code?: unknown; message?: string }> {
  try {
    const called = call()
    await discard(await (isIterator(called) ? called.next() : called))
    return {}
  } catch (error) {
    const { code } = error as { code?: unknown }
    return { code, message: `${String((error as Error).name)}: ${String((error as Error).message)}` }
  }
}
