/** Values as JSON for programs and people to look at: always valid, bounded, and marked where something is left out. */
import { base64 } from './bytes.ts'
import { jsonString } from './escape.ts'
import { expectFields } from './expect-argument.ts'
import { orderedKeys } from './key-order.ts'
import type { PyObject } from './py-object.ts'
import { TextWalk, hasErrorFields, kindOf, mayRepeat } from './walk.ts'

/** Limits of `showJson`. */
export interface ShowJsonOptions {
  /** Characters from which on nothing is begun; open arrays and objects are closed behind it. Default 16 Mi. */
  maxLength?: number
  /** Spaces per level; 0 writes one line. Default 0. */
  indent?: number
}

const DEFAULT_LENGTH = 16 * 1024 * 1024
/** Turning an integer into decimal digits takes quadratic time; Python prints no more than 4,300 of them. */
const HUGE = 10n ** 4_300n
/** The key that marks what is left out: `{"$cut": "it contains itself"}`. */
const CUT = '$cut'

/**
 * A value as JSON: dates in ISO form, integers beyond 2^53 and bytes (base64) as strings, sets and tuples as arrays, maps
 * as objects where their keys are strings and as pairs where not, errors by type and message. Control and format
 * characters are escaped. What is left out is marked by an object with the key `$cut`: a value within itself, one deeper
 * than 500 levels, a shared one that was shown often enough, and whatever comes after `maxLength`.
 *
 * @throws OptionsError
 */
export function showJson(value: unknown, options: ShowJsonOptions = {}): string {
  expectFields('showJson', 'options', options, { maxLength: isBound, indent: isBound }, true)
  const walk = new JsonWalk(options.maxLength ?? DEFAULT_LENGTH, options.indent ?? 0)
  walk.value(value)
  return walk.done
}

const isBound = (value: unknown) => value === undefined || (typeof value === 'number' && value >= 0)

class JsonWalk extends TextWalk {
  readonly #indent: number
  readonly #shown = new Set<object>()
  #values = 0
  #repeated = 0
  /** True within a container that was shown before. */
  #isRepeating = false

  constructor(limit: number, indent: number) {
    super(limit)
    this.#indent = indent
  }

  get done(): string {
    return this.text
  }

  value(value: unknown): void {
    if (this.#isRepeating) this.#repeated++
    else this.#values++
    switch (typeof value) {
      case 'string':
        return this.#string(value)
      case 'number':
        if (Object.is(value, -0)) this.text += '-0.0'
        else this.text += Number.isFinite(value) ? String(value) : `"${value}"`
        return
      case 'bigint':
        if (value > HUGE || value < -HUGE) this.#cut('an integer of more than 4,300 digits')
        else this.text += `"${value}"`
        return
      case 'boolean':
        this.text += String(value)
        return
      case 'object':
        if (value !== null) return this.#object(value)
    }
    this.text += 'null'
  }

  #object(value: object): void {
    switch (kindOf(value)) {
      case 'list':
        return this.#array(value, value as unknown[], (value as unknown[]).length)
      case 'set':
        return this.#array(value, value as Set<unknown>, (value as Set<unknown>).size)
      case 'map':
        return this.#map(value as Map<unknown, unknown>)
      case 'object':
        return this.#record(value, fieldsOf(value as PyObject))
      case 'dict':
        return this.#record(value, ownPairs(value))
      case 'error': {
        const { message, name } = value as Error
        const type = hasErrorFields(value) ? value.pythonType : name
        return this.#record(value, Object.entries({ type, message }))
      }
      case 'leaf':
    }
    if (value instanceof Date) this.value(Number.isNaN(value.getTime()) ? null : value.toISOString())
    else if (value instanceof Uint8Array) this.#bytes(value)
    else this.#string(String(value))
  }

  #string(value: string): void {
    const room = Math.max(0, this.limit - this.text.length)
    if (value.length <= room) this.text += jsonString(value)
    else this.#cut(`a string of ${value.length} characters`, value.slice(0, Math.min(room, 1_000)))
  }

  #bytes(value: Uint8Array): void {
    if (value.length <= Math.max(0, this.limit - this.text.length)) this.text += `"${base64(value)}"`
    else this.#cut(`${value.length} bytes`)
  }

  #map(value: Map<unknown, unknown>): void {
    for (const key of value.keys()) if (typeof key !== 'string') return this.#array(value, value, value.size)
    this.#record(value, value as Map<string, unknown>)
  }

  #array(value: object, items: Iterable<unknown>, size: number): void {
    this.#container(value, '[', ']', (next) => {
      let count = 0
      for (const item of items) {
        next()
        if (this.isFull) return this.#cut(`${size - count} more of ${size} values`)
        this.value(item)
        count++
      }
    })
  }

  #record(value: object, pairs: Iterable<[string, unknown]>): void {
    this.#container(value, '{', '}', (next) => {
      for (const [key, item] of pairs) {
        if (item === undefined) continue
        next()
        if (this.isFull) {
          this.text += `${jsonString(CUT)}:${this.#space}"more keys"`
          return
        }
        this.text += `${jsonString(key.length > 10_000 ? `${key.slice(0, 10_000)}…` : key)}:${this.#space}`
        this.value(item)
      }
    })
  }

  #container(value: object, open: string, close: string, write: (next: () => void) => void): void {
    const isAgain = this.#shown.has(value)
    if (isAgain && !mayRepeat(this.#repeated, this.#values)) return this.#cut('shared, and shown often enough above')
    this.#shown.add(value)
    const isWithin = this.#isRepeating
    this.#isRepeating ||= isAgain
    this.enter(
      value,
      () => {
        let count = 0
        this.text += open
        write(() => {
          if (count++ > 0) this.text += ','
          this.#line(0)
        })
        if (count > 0) this.#line(-1)
        this.text += close
      },
      (why) => this.#cut(why === 'cycle' ? 'it contains itself' : 'it nests deeper than 500 levels'),
    )
    this.#isRepeating = isWithin
  }

  /** Writes a mark for a value that is left out; `start` is the part of a string that there is room for. */
  #cut(what: string, start?: string): void {
    this.text += `{"${CUT}":${this.#space}${jsonString(what)}`
    if (start) this.text += `,${this.#space}"start":${this.#space}${jsonString(start)}`
    this.text += '}'
  }

  #line(offset: number): void {
    if (this.#indent > 0) this.text += `\n${' '.repeat(this.#indent * (this.depth + offset))}`
  }

  get #space(): string {
    return this.#indent > 0 ? ' ' : ''
  }
}

function* fieldsOf(value: PyObject): Generator<[string, unknown]> {
  yield ['callee', value.callee]
  yield ['made', value.made]
  yield ['args', value.args]
  yield ['kwargs', value.kwargs]
  yield ['state', value.state]
  yield ['stateSetter', value.stateSetter]
  yield ['listItems', value.listItems]
  yield ['dictItems', value.dictItems]
}

/** One at a time: `Object.entries` of a large object would copy all of it. */
function* ownPairs(value: object): Generator<[string, unknown]> {
  for (const key of orderedKeys(value)) yield [key, (value as Record<string, unknown>)[key]]
}
