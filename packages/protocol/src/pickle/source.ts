/** The bytes of a pickle, read one argument of an opcode at a time. Reading past the end is a DecodeError. */
import { DecodeError } from '../errors.ts'
import { COST, MAX_INTEGER_BYTES, MAX_INTEGER_DIGITS } from '../values/limits.ts'
import type { DecodeBudget } from '../values/limits.ts'
import { readText } from './text.ts'
import { littleEndianHex, viewOf } from '../values/bytes.ts'
import type { Bytes } from '../values/bytes.ts'
import { narrow } from '../values/integers.ts'
import type { BytesType } from './globals.ts'

/** One for all: to make a view of each payload would cost more than to copy the few floats. */
const floatBytes = new Uint8Array(8)
const float = new DataView(floatBytes.buffer)

export class PickleSource {
  readonly bytes: Bytes
  readonly #budget: DecodeBudget
  #at = 0

  constructor(bytes: Uint8Array, budget: DecodeBudget) {
    this.#budget = budget
    this.bytes = viewOf(bytes)
  }

  byte(): number {
    const byte = this.bytes[this.#at++]
    if (byte === undefined) this.fail('it ends too soon')
    return byte
  }

  uint16(): number {
    const from = this.#skip(2)
    return this.bytes[from]! | (this.bytes[from + 1]! << 8)
  }

  int32(): number {
    return this.#int32At(this.#skip(4))
  }

  uint32(): number {
    return this.#int32At(this.#skip(4)) >>> 0
  }

  double(): number {
    this.#budget.take(COST.number)
    const from = this.#skip(8)
    for (let i = 0; i < 8; i++) floatBytes[i] = this.bytes[from + i]!
    return float.getFloat64(0)
  }

  /** A length of eight bytes; one beyond what is left fails here, whatever its size. */
  length8(): number {
    const low = this.uint32()
    const length = this.uint32() * 0x1_0000_0000 + low
    if (length > this.bytes.length - this.#at) this.fail('it ends too soon')
    return length
  }

  text(length: number): string {
    const from = this.#skip(length)
    this.#budget.take(COST.string + length)
    return readText(this.bytes, from, from + length)
  }

  /** Python 2's str; as CPython does by default, only ASCII is taken for text. */
  ascii(length: number): string {
    this.#budget.take(COST.string + Math.max(0, length))
    const text = this.bytes.latin1Slice(this.#skip(length), this.#at)
    return this.checkAscii(text)
  }

  checkAscii(text: string): string {
    for (let i = 0; i < text.length; i++)
      if (text.charCodeAt(i) > 0x7f) this.fail('a byte string of Python 2 is no ASCII')
    return text
  }

  /** A copy: a handler may keep or change it, and the payload is sent again on a retry. */
  raw(length: number, type: BytesType): Uint8Array {
    const from = this.#skip(length)
    return new type(this.bytes.subarray(from, from + length))
  }

  /** Latin-1, up to the line's end. */
  line(): string {
    const from = this.#at
    const end = this.#endOfLine()
    this.#budget.take(COST.string + end - from)
    return this.bytes.latin1Slice(from, end)
  }

  utf8Line(): string {
    const from = this.#at
    return readText(this.bytes, from, this.#endOfLine())
  }

  #endOfLine(): number {
    const end = this.bytes.indexOf(0x0a, this.#at)
    if (end === -1) this.fail('a line has no end')
    this.#at = end + 1
    return end
  }

  /** A memo's index as protocol 0 writes it. */
  index(): number {
    const line = this.line()
    if (!/^\d{1,10}$/.test(line)) this.fail('a memo index is no number')
    return Number(line)
  }

  /** Two's complement, little endian. Reading it as hex takes linear time. */
  long(length: number): number | bigint {
    if (length > MAX_INTEGER_BYTES) this.fail(`an integer of ${length} bytes is larger than ${MAX_INTEGER_BYTES}`)
    const from = this.#skip(length)
    if (length === 0) return 0
    this.#budget.take(COST.bigint + length)
    if (length <= 6) return this.#short(from, length)
    if (length === 8) {
      const high = this.#int32At(from + 4)
      if (high >= -0x200000 + 1 && high < 0x200000) return high * 0x1_0000_0000 + (this.#int32At(from) >>> 0)
    }
    const hex = littleEndianHex(this.bytes, from, from + length)
    return narrow(BigInt.asIntN(length * 8, BigInt(`0x${hex}`)))
  }

  #int32At(from: number): number {
    const { bytes } = this
    return bytes[from]! | (bytes[from + 1]! << 8) | (bytes[from + 2]! << 16) | (bytes[from + 3]! << 24)
  }

  /** Two's complement of up to six bytes. */
  #short(from: number, length: number): number {
    let value = 0
    for (let i = from + length - 1; i >= from; i--) value = value * 256 + this.bytes[i]!
    return this.bytes[from + length - 1]! > 0x7f ? value - 256 ** length : value
  }

  /** `INT`'s line: 00 and 01 are the booleans of protocol 0. */
  intLine(): number | bigint | boolean {
    const line = this.line()
    return line === '00' ? false : line === '01' ? true : this.#digits(line)
  }

  /** `LONG`'s line. */
  longLine(): number | bigint {
    return this.#digits(this.line().replace(/L$/, ''))
  }

  /** `FLOAT`'s line, as Python's `repr` writes it. */
  floatLine(): number {
    const line = this.line()
    if (line === 'inf' || line === '-inf') return line === 'inf' ? Infinity : -Infinity
    if (line === 'nan' || line === '-nan') return NaN
    if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(line)) this.fail('a float is no number')
    return Number(line)
  }

  /** The bytes a frame announces must be there. */
  frame(): void {
    this.length8()
  }

  fail(what: string): never {
    throw new DecodeError(`not a valid pickle: ${what} (byte ${this.#at})`)
  }

  #digits(line: string): number | bigint {
    if (line.length > MAX_INTEGER_DIGITS || !/^[+-]?\d+$/.test(line)) this.fail('an integer is no number')
    return narrow(BigInt(line.replace(/^\+/, '')))
  }

  #skip(length: number): number {
    const from = this.#at
    if (length < 0 || length > this.bytes.length - from) this.fail('it ends too soon')
    this.#at = from + length
    return from
  }
}
