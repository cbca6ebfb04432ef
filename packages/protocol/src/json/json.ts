import { DecodeError, EncodeError } from '../errors.ts'
import { COST, DecodeBudget, MAX_DEPTH, MAX_INTEGER_DIGITS, MAX_PAYLOAD_BYTES } from '../values/limits.ts'
import type { PayloadLimits } from '../values/limits.ts'
import { toPlain } from '../values/plain.ts'
import type { PlainRules } from '../values/plain.ts'
import { narrow, smallIndex } from '../values/integers.ts'
import { utf8Bytes } from '../values/bytes.ts'
import { expectFields } from '../values/expect-argument.ts'
import { fromEntries, isIndex, orderedKeys } from '../values/key-order.ts'
import { parseExactly, stringifyExactly } from './parse.ts'

/** Bytes of memory per character that the exact reader takes beyond what it builds. */
const EXACT_COST = 4
/** The largest integer that is written, so that it can be read again. */
const MAX_DIGITS = 10n ** BigInt(MAX_INTEGER_DIGITS) - 1n

/** Liberties that Python's `json.dumps` takes, for stores that keep JSON: not for the wire, where a value must come back. */
export interface JsonLiberties {
  /** Sets become arrays, and keys that are numbers become strings. Default false. */
  lenient?: boolean
  /** Bytes of the text at most. Default 64 MiB. */
  maxBytes?: number
}

/** Dates become ISO strings; integers keep every digit. @throws EncodeError */
export function encodeJson(value: unknown, maxBytes: number = MAX_PAYLOAD_BYTES): Buffer {
  return utf8Bytes(textOf(value, { maxBytes }))
}

/**
 * A value as JSON text, whole or not at all: dates in ISO form, integers with every digit.
 *
 * @throws OptionsError; EncodeError for what JSON has no form for, for a value within itself, and beyond 64 MiB or 500
 *   levels.
 */
export function jsonText(value: unknown, liberties: JsonLiberties = {}): string {
  expectFields('jsonText', 'liberties', liberties, { lenient: isFlag, maxBytes: isBound }, true)
  return textOf(value, liberties)
}

const isFlag = (value: unknown) => value === undefined || typeof value === 'boolean'
const isBound = (value: unknown) => value === undefined || (Number.isSafeInteger(value) && (value as number) >= 0)

function textOf(value: unknown, { lenient = false, maxBytes = MAX_PAYLOAD_BYTES }: JsonLiberties): string {
  let needsExact = false
  const rules: PlainRules = {
    codec: 'json',
    maxBytes,
    text: (text) => text,
    size: (text) => text.length,
    float(number) {
      if (Number.isFinite(number)) {
        // JSON.stringify writes these as integers, which are read as such.
        needsExact ||= Number.isInteger(number)
        return number
      }
      throw new EncodeError(`json has no ${number}; use codec 'msgpack' or 'pickle'`)
    },
    integer(number) {
      // JSON.stringify writes 0.
      needsExact ||= Object.is(number, -0)
      return number
    },
    bigint(number) {
      const small = narrow(number)
      needsExact ||= typeof small === 'bigint'
      if (number > MAX_DIGITS || number < -MAX_DIGITS)
        throw new EncodeError(
          `expected integers of at most ${MAX_INTEGER_DIGITS} digits; use codec 'pickle', or a string`,
        )
      return small
    },
    map: (map) => textKeyed(map, lenient),
    ordered(entries) {
      needsExact = true
      return fromEntries(entries)
    },
    set: lenient ? (set) => [...set] : undefined,
    object(object) {
      if (object instanceof Date) {
        if (Number.isNaN(object.getTime())) throw new EncodeError('expected a valid date, got an invalid one')
        return object.toISOString()
      }
      if (object instanceof Uint8Array)
        throw new EncodeError("json cannot carry bytes; use codec 'msgpack' or 'pickle', or a base64 string")
      return undefined
    },
  }
  let plain = toPlain(value, rules)
  // An escape takes six bytes, five more than what it stands for.
  if (plain.size * 5 > MAX_ESCAPES) {
    const escapes = new Escapes()
    const escaped = toPlain(value, { ...rules, size: (text) => text.length + escapes.of(text) })
    escapes.check(escaped.size - plain.size)
    plain = escaped
  }
  return needsExact ? stringifyExactly(plain.value, orderedKeys) : JSON.stringify(plain.value)
}

function textKeyed(map: Map<unknown, unknown>, lenient: boolean): object {
  const texts = new Map<string, unknown>()
  for (const [key, item] of map) {
    const isNumber = typeof key === 'number' || typeof key === 'bigint'
    if (typeof key !== 'string' && !(lenient && isNumber)) {
      const isSimple = typeof key === 'number' || typeof key === 'boolean'
      const instead = isSimple && !lenient ? "; use codec 'msgpack' or 'pickle'" : '; make it a string'
      throw new EncodeError(`json has string keys only, got a key of type ${typeof key}${instead}`)
    }
    if (texts.has(String(key))) throw new EncodeError(`expected keys to differ as strings, got '${key}' twice`)
    texts.set(String(key), item)
  }
  return fromEntries(texts)
}

/** Bytes that the escapes of a document may add where its strings repeat, and for each byte that they add once. */
const MAX_ESCAPES = 8 * 1024 * 1024
const MAX_ESCAPES_EACH = 16
/** Characters that may need an escape: a few controls beyond ASCII do not. */
const ESCAPED = /["\\\p{Cc}\p{Cs}]/u

/**
 * Bound on the bytes that escapes add. A pickle of 2 KB may repeat a string of control characters until it
 * takes 40 MB, six times their size: that is refused. Strings without escapes may repeat as long as there is room.
 */
class Escapes {
  readonly #known = new Map<string, number>()
  #distinct = 0

  /** Bytes that the escapes of a string add. */
  of(text: string): number {
    if (!ESCAPED.test(text)) return 0
    const known = this.#known.get(text)
    if (known !== undefined) return known
    const added = escapeBytes(text)
    this.#known.set(text, added)
    this.#distinct += added
    return added
  }

  /** @throws EncodeError where repetitions add too many. */
  check(added: number): void {
    if (added <= Math.max(MAX_ESCAPES, MAX_ESCAPES_EACH * this.#distinct)) return
    throw new EncodeError(
      `strings that need escapes are repeated so often that json would write ${added} bytes of escapes; use codec ` +
        "'msgpack' or 'pickle', or send each such string once",
    )
  }
}

function escapeBytes(text: string): number {
  let bytes = 0
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit === QUOTE || unit === BACKSLASH || SHORT.has(unit)) bytes++
    else if (unit < 0x20) bytes += 5
    else if (unit >= 0xd800 && unit <= 0xdfff) {
      // Only half of a pair needs an escape.
      if ((text.codePointAt(i) as number) > 0xffff) i++
      else bytes += 5
    }
  }
  return bytes
}

/** Backspace, tab, line feed, form feed and carriage return have escapes of two characters. */
const SHORT = new Set([0x08, 0x09, 0x0a, 0x0c, 0x0d])

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** @throws DecodeError */
export function decodeJson(bytes: Uint8Array, limits?: PayloadLimits): unknown {
  const budget = new DecodeBudget(bytes.byteLength, limits)
  try {
    const text = utf8.decode(bytes)
    budget.take(text.length === bytes.length ? text.length : 2 * text.length)
    if (!inspect(text, budget)) return JSON.parse(text)
    return parseExactly(text)
  } catch (error) {
    if (error instanceof DecodeError) throw error
    throw new DecodeError(`not valid JSON: ${(error as Error).message}`, { cause: error })
  }
}

/**
 * One pass before anything is built: checks the depth and what it will take in memory. True where `JSON.parse` would lose
 * something: the digits of an integer that a number cannot hold, or the order of keys that are numbers.
 */
function inspect(text: string, budget: DecodeBudget): boolean {
  let depth = 0
  let hasIndex = false
  let hasLong = false
  let [characters, floats, items, properties, strings] = [0, 0, 0, 0, 0]
  /** The largest array index among the keys of each open object; V8 reserves slots up to it. */
  const indexes: number[] = [-1]
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i)
    if (char === QUOTE) {
      const start = i + 1
      strings++
      for (i = start; i < text.length && text.charCodeAt(i) !== QUOTE; i++) if (text.charCodeAt(i) === BACKSLASH) i++
      characters += i - start
      const length = i - start
      const first = text.charCodeAt(start)
      if (length > 0 && length <= 10 && first >= DIGIT_0 && first <= DIGIT_9 && isKey(text, i)) {
        const key = text.slice(start, i)
        hasIndex ||= isIndex(key)
        indexes[depth] = Math.max(indexes[depth] as number, smallIndex(key))
      }
    } else if (char === BRACE || char === BRACKET) {
      if (++depth > MAX_DEPTH) throw new DecodeError(`the payload nests deeper than ${MAX_DEPTH} levels`)
      indexes[depth] = -1
      // A list makes room for several items at once.
      budget.take(char === BRACE ? COST.dict : COST.list + COST.item * 4)
    } else if (char === BRACE_END || char === BRACKET_END) {
      if (depth === 0) throw new DecodeError('not valid JSON: it closes what was never opened')
      const index = indexes[depth--] as number
      if (index >= 0) budget.take(COST.index * index)
    } else if (char === MINUS || (char >= DIGIT_0 && char <= DIGIT_9)) {
      const end = endOfDigits(text, i + 1)
      const digits = end - i
      const next = text.charCodeAt(end) | 0x20
      i = next === POINT || next === E ? endOfNumber(text, end) - 1 : end - 1
      if (next === POINT || next === E) {
        floats++
        continue
      }
      if (digits > MAX_INTEGER_DIGITS)
        throw new DecodeError(`an integer of ${digits} digits is longer than ${MAX_INTEGER_DIGITS}`)
      hasLong ||= digits > 15
    } else if (char === COLON) properties++
    else if (char === COMMA) items++
  }
  // Nothing has been built so far, so once is often enough.
  budget.take(strings * COST.string + characters + properties * COST.property + items * COST.item)
  budget.take(floats * COST.number + (hasLong || hasIndex ? text.length * EXACT_COST : 0))
  return hasLong || hasIndex
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const BRACE = 0x7b
const BRACE_END = 0x7d
const BRACKET = 0x5b
const BRACKET_END = 0x5d
const MINUS = 0x2d
const DIGIT_0 = 0x30
const DIGIT_9 = 0x39
/** As `charCode | 0x20` has them. */
const POINT = 0x2e
const COLON = 0x3a
const COMMA = 0x2c
const E = 0x65

function isKey(text: string, quote: number): boolean {
  let at = quote + 1
  while (text.charCodeAt(at) <= 0x20) at++
  return text.charCodeAt(at) === 0x3a
}

function endOfDigits(text: string, from: number): number {
  let at = from
  while (text.charCodeAt(at) >= DIGIT_0 && text.charCodeAt(at) <= DIGIT_9) at++
  return at
}

function endOfNumber(text: string, from: number): number {
  let at = from
  for (;;) {
    const char = text.charCodeAt(at)
    const inNumber =
      (char >= DIGIT_0 && char <= DIGIT_9) || char === POINT || char === MINUS || char === 0x2b || (char | 0x20) === E
    if (!inNumber) return at
    at++
  }
}
