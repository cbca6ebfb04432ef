/** Wrong values in the place of a right one, by the kind of the right one. Pure. */

import { inOtherRealm } from './other-realm.ts'

/** One argument that a call must refuse. */
export interface WrongValue {
  /** The value, for a message. */
  label: string
  value: unknown
  /** Words that the refusal must have, such as the likely name of an unknown option. */
  words?: RegExp
}

type Options = Readonly<Record<string, unknown>>

/** A class of options with a method, which is no option. */
class Fields {
  describe(): string {
    return Object.keys(this).join(', ')
  }
}

/** An instance of an unrelated class: its members are no options, and its state is private. */
class Stranger {
  readonly #state = 1
  get state(): number {
    return this.#state
  }
}

/**
 * Wrong values for an argument that accepts `good`. An undefined `good` stands for an unknown argument and gives values that
 * hardly any argument accepts. A plain object is an object of options: each of its names is also misspelled, and each value replaced.
 *
 * @param data - names of options whose values are objects of the caller's own.
 */
export function wrongValues(good: unknown, data: readonly string[] = []): WrongValue[] {
  const wrong: WrongValue[] = [
    { label: 'null', value: null },
    { label: 'a symbol', value: Symbol.iterator },
    { label: 'an unknown option', value: { nonsense: 1 } },
    { label: 'NaN', value: Number.NaN },
    { label: 'a promise of it', value: Promise.resolve(good), words: /await/ },
    { label: 'a promise of another realm', value: inOtherRealm(Promise.resolve(good)), words: /await/ },
    { label: 'an instance of a class', value: new Stranger() },
  ]
  if (typeof good !== 'number') wrong.push({ label: '5', value: 5 })
  if (typeof good !== 'boolean') wrong.push({ label: 'true', value: true })
  if (good === undefined) return wrong
  if (typeof good !== 'string') wrong.push({ label: 'a string', value: 'text' })
  if (typeof good !== 'function') wrong.push({ label: 'a function', value: () => good })
  if (!Array.isArray(good)) wrong.push({ label: 'an array of it', value: [good] })
  else wrong.push({ label: 'an array of numbers', value: [5] }, { label: 'an array of nulls', value: [null] })
  if (isFields(good)) wrong.push(...wrongFields(good, data))
  return wrong
}

/** Wrong values for an object of the caller, whose fields are not checked. */
export function wrongData(): WrongValue[] {
  return wrongValues(undefined).filter(({ label }) => label !== 'an unknown option')
}

/** The same options in other kinds of objects, which must be accepted too. */
export function sameOptions(good: unknown): { label: string; value: unknown }[] {
  if (!isFields(good)) return []
  return [
    { label: 'frozen', value: Object.freeze({ ...good }) },
    { label: 'without a prototype', value: Object.assign(Object.create(null) as object, good) },
    { label: 'an instance with these fields', value: Object.assign(new Fields(), good) },
    { label: 'of another realm', value: inOtherRealm(good) },
  ]
}

function wrongFields(good: Options, data: readonly string[]): WrongValue[] {
  const cases: WrongValue[] = [
    { label: 'a map of it', value: new Map(Object.entries(good)) },
    { label: 'a map of it, of another realm', value: inOtherRealm(new Map(Object.entries(good))) },
    { label: 'a date', value: new Date(0) },
    { label: 'a symbol among the names', value: { ...good, [Symbol('odd')]: 1 }, words: /Symbol\(odd\)/ },
  ]
  for (const [name, value] of Object.entries(good)) {
    const { [name]: _, ...others } = good
    for (const wrong of misspelled(name)) {
      if (wrong in good) continue
      const words = new RegExp(`${wrong}\`, did you mean \`${name}\``)
      cases.push({ label: `\`${wrong}\` for \`${name}\``, value: { ...others, [wrong]: value }, words })
    }
    for (const wrong of data.includes(name) ? wrongData() : wrongValues(value, data)) {
      if (wrong.value instanceof Promise && typeof value === 'function') continue
      const words = wrong.words ?? new RegExp(name)
      cases.push({ label: `\`${name}\` as ${wrong.label}`, value: { ...good, [name]: wrong.value }, words })
    }
    if (name.endsWith('Ms') && typeof value === 'number')
      cases.push({ label: `\`${name}\` as -1`, value: { ...good, [name]: -1 }, words: new RegExp(name) })
  }
  return cases
}

/** A name as users in a hurry or from Python misspell it. */
function misspelled(name: string): string[] {
  const snake = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  const swapped = name.length < 4 ? `${name}s` : `${name.slice(0, 2)}${name[3]}${name[2]}${name.slice(4)}`
  return [...new Set([snake, swapped, `${name}x`])].filter((each) => each !== name)
}

/** True for an object whose fields are options: a literal. */
function isFields(value: unknown): value is Options {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}
