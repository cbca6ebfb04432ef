/** A JSON reader for what `JSON.parse` loses: digits beyond 2^53, and the order of keys that are numbers. */
import { DecodeError } from '../errors/wire-errors.ts'
import { narrow } from '../values/integers.ts'
import { fromEntries } from '../values/key-order.ts'

const SPACE = /[ \t\n\r]*/y
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const WORD = /true|false|null/y

/**
 * Reads a document whose depth and size are known to be bounded. The last of equal keys wins, as in Python.
 *
 * @throws DecodeError
 */
export function parseExactly(text: string): unknown {
  const reader = new Reader(text)
  const value = reader.value()
  reader.end()
  return value
}

class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  value(): unknown {
    this.#match(SPACE)
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object()
      case '[':
        return this.#array()
      case '"':
        return this.#string()
      case 't':
      case 'f':
      case 'n':
        return JSON.parse(this.#expect(WORD))
      default: {
        const number = this.#expect(NUMBER)
        return /[.eE]/.test(number) ? Number(number) : narrow(BigInt(number))
      }
    }
  }

  end(): void {
    this.#match(SPACE)
    if (this.#at < this.#text.length) this.#fail()
  }

  #object(): Record<string, unknown> {
    const entries: [string, unknown][] = []
    this.#each('}', () => {
      this.#match(SPACE)
      const key = this.#string()
      this.#match(SPACE)
      if (!this.#take(':')) this.#fail()
      entries.push([key, this.value()])
    })
    return fromEntries(entries)
  }

  #array(): unknown[] {
    const items: unknown[] = []
    this.#each(']', () => items.push(this.value()))
    return items
  }

  #each(close: string, read: () => void): void {
    this.#at++
    this.#match(SPACE)
    if (this.#take(close)) return
    for (;;) {
      read()
      this.#match(SPACE)
      if (this.#take(close)) return
      if (!this.#take(',')) this.#fail()
    }
  }

  #string(): string {
    const text = this.#text
    if (text[this.#at] !== '"') this.#fail()
    let end = this.#at
    do {
      end = text.indexOf('"', end + 1)
      if (end === -1) this.#fail()
    } while (isEscaped(text, end))
    try {
      const string = JSON.parse(text.slice(this.#at, end + 1)) as string
      this.#at = end + 1
      return string
    } catch {
      return this.#fail()
    }
  }

  #expect(pattern: RegExp): string {
    const found = this.#match(pattern)
    return found === '' ? this.#fail() : found
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0] ?? ''
    this.#at += found.length
    return found
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false
    this.#at++
    return true
  }

  #fail(): never {
    throw new DecodeError(`not valid JSON: unexpected ${this.#text[this.#at] ?? 'end'} at character ${this.#at}`)
  }
}

/** True where an odd number of backslashes precedes. */
function isEscaped(text: string, at: number): boolean {
  let from = at
  while (text.charCodeAt(from - 1) === 0x5c) from--
  return (at - from) % 2 === 1
}

/** A value of plain objects, arrays and scalars as JSON, with every digit of its integers, the sign of -0, and keys in their order. */
export function stringifyExactly(value: unknown, keysOf: (dict: object) => string[]): string {
  const parts: string[] = []
  const write = (of: unknown): void => {
    if (typeof of === 'bigint') parts.push(String(of))
    else if (Object.is(of, -0)) parts.push('-0.0')
    else if (typeof of === 'number' && Number.isInteger(of) && !Number.isSafeInteger(of)) parts.push(floatText(of))
    else if (typeof of !== 'object' || of === null) parts.push(JSON.stringify(of))
    else if (Array.isArray(of)) {
      parts.push('[')
      of.forEach((item, index) => {
        if (index > 0) parts.push(',')
        write(item)
      })
      parts.push(']')
    } else {
      parts.push('{')
      keysOf(of).forEach((key, index) => {
        parts.push(index > 0 ? ',' : '', JSON.stringify(key), ':')
        write((of as Record<string, unknown>)[key])
      })
      parts.push('}')
    }
  }
  write(value)
  return parts.join('')
}

/** An integer beyond the safe ones as the float it is; with an exponent it is none but a float already. */
function floatText(number: number): string {
  const text = String(number)
  return text.includes('e') ? text : `${text}.0`
}
