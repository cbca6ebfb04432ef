import { DecodeError } from '../errors.ts'
import { COST, MAX_DEPTH } from '../values/limits.ts'
import type { DecodeBudget } from '../values/limits.ts'

/** Seconds around 1970 that a Date can hold. */
const MAX_SECONDS = 8_640_000_000_000n

/**
 * Walks a msgpack payload once without building anything, so that lengths that lie, depth, foreign extensions and
 * trailing bytes are refused before anything is allocated for them. Answers whether it is as simple as most are: text
 * keys, no bytes, and no integer at the edge of what a number holds.
 * @throws DecodeError
 */
export function checkMsgpack(bytes: Uint8Array, budget: DecodeBudget): boolean {
  const check = new Check(bytes, budget)
  check.value(0)
  if (check.at !== bytes.length) check.fail(`${bytes.length - check.at} bytes too many`)
  if (!check.simple) budget.take(COST.map * check.maps + COST.entry * check.entries)
  return check.simple
}

class Check {
  at = 0
  simple = true
  maps = 0
  /** Entries of all maps. */
  entries = 0
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #budget: DecodeBudget

  constructor(bytes: Uint8Array, budget: DecodeBudget) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#budget = budget
  }

  value(depth: number): void {
    const head = this.#size(1)
    if (head <= 0x7f || head >= 0xe0) return
    if (head <= 0x8f) return this.#map(head & 0x0f, depth)
    if (head <= 0x9f) return this.#array(head & 0x0f, depth)
    if (head <= 0xbf) return this.#text(head & 0x1f)
    switch (head) {
      case 0xc0:
      case 0xc2:
      case 0xc3:
        return
      case 0xc4:
        return this.#binary(this.#size(1))
      case 0xc5:
        return this.#binary(this.#size(2))
      case 0xc6:
        return this.#binary(this.#size(4))
      case 0xc7:
        return this.#extension(this.#size(1))
      case 0xcc:
      case 0xd0:
        return this.#skip(1)
      case 0xcd:
      case 0xd1:
        return this.#skip(2)
      case 0xca:
      case 0xce:
      case 0xd2:
        return this.#skip(4)
      case 0xcb:
        this.#budget.take(COST.number)
        return this.#skip(8)
      case 0xcf:
      case 0xd3:
        return this.#integer64()
      case 0xd6:
        return this.#extension(4)
      case 0xd7:
        return this.#extension(8)
      case 0xd9:
        return this.#text(this.#size(1))
      case 0xda:
        return this.#text(this.#size(2))
      case 0xdb:
        return this.#text(this.#size(4))
      case 0xdc:
        return this.#array(this.#size(2), depth)
      case 0xdd:
        return this.#array(this.#size(4), depth)
      case 0xde:
        return this.#map(this.#size(2), depth)
      case 0xdf:
        return this.#map(this.#size(4), depth)
      default:
        this.fail(`an extension, or a byte that means nothing: 0x${head.toString(16)}`)
    }
  }

  fail(what: string): never {
    throw new DecodeError(`not valid msgpack: ${what} (byte ${this.at})`)
  }

  #map(count: number, depth: number): void {
    this.#enter(2 * count, depth)
    this.#budget.take(COST.dict + count * COST.property)
    this.entries += count
    this.maps++
    let largest = -1
    for (let i = 0; i < count; i++) {
      const start = this.at
      this.value(depth + 1)
      if (this.#isText(start)) largest = Math.max(largest, this.#index(start))
      else this.simple = false
      this.value(depth + 1)
    }
    if (largest >= 0) this.#budget.take(COST.index * largest)
  }

  #array(count: number, depth: number): void {
    this.#enter(count, depth)
    this.#budget.take(COST.list + count * COST.item)
    for (let i = 0; i < count; i++) this.value(depth + 1)
  }

  #enter(entries: number, depth: number): void {
    if (entries > this.#bytes.length - this.at)
      this.fail(`${entries} entries are announced, ${this.#bytes.length - this.at} bytes are left`)
    if (depth >= MAX_DEPTH) this.fail(`it nests deeper than ${MAX_DEPTH} levels`)
  }

  /** A key that a plain object can have: any text but `__proto__`, which msgpackr renames. */
  #isText(start: number): boolean {
    const head = this.#bytes[start] as number
    if (head >= 0xa0 && head <= 0xbf) return head !== 0xa9 || this.#bytes[start + 1] !== 0x5f
    return head >= 0xd9 && head <= 0xdb && this.at - start > 30
  }

  /** The array index that a key of up to three digits is; V8 reserves slots up to it. */
  #index(start: number): number {
    const length = (this.#bytes[start] as number) - 0xa0
    if (length < 1 || length > 10) return -1
    let index = 0
    for (let i = start + 1; i <= start + length; i++) {
      const digit = (this.#bytes[i] as number) - 0x30
      if (digit < 0 || digit > 9) return -1
      index = index * 10 + digit
    }
    // An object would list it by number: a Map keeps its place.
    this.simple = false
    return length > 3 ? -1 : index
  }

  #binary(length: number): void {
    this.simple = false
    this.#skip(length)
    this.#budget.take(COST.bytes + length)
  }

  /** Exactly 2^53 is read as a number that is written as a float. */
  #integer64(): void {
    this.#budget.take(COST.bigint)
    if (this.at + 8 <= this.#bytes.length) {
      const high = this.#view.getInt32(this.at)
      if ((high === 0x200000 || high === -0x200000) && this.#view.getUint32(this.at + 4) === 0) this.simple = false
    }
    this.#skip(8)
  }

  /** Timestamps only, and those that a Date can be. */
  #extension(length: number): void {
    if (this.#size(1) !== 0xff || (length !== 4 && length !== 8 && length !== 12))
      this.fail('an extension other than a timestamp')
    this.#budget.take(COST.object)
    const { at } = this
    this.#skip(length)
    if (length === 4) return
    const nanoseconds = this.#view.getUint32(at) >>> (length === 8 ? 2 : 0)
    if (nanoseconds > 999_999_999) this.fail(`a timestamp of ${nanoseconds} nanoseconds`)
    if (length === 8) return
    const seconds = this.#view.getBigInt64(at + 4)
    const isLast = seconds === MAX_SECONDS && nanoseconds === 0
    if ((seconds >= MAX_SECONDS && !isLast) || seconds < -MAX_SECONDS)
      this.fail(`a timestamp of ${seconds} s, which no date has`)
  }

  #size(width: 1 | 2 | 4): number {
    const at = this.at
    this.#skip(width)
    return width === 1 ? (this.#bytes[at] as number) : width === 2 ? this.#view.getUint16(at) : this.#view.getUint32(at)
  }

  #text(length: number): void {
    this.#skip(length)
    this.#budget.take(COST.string + length)
  }

  #skip(count: number): void {
    this.at += count
    if (this.at > this.#bytes.length) this.fail('it ends too soon')
  }
}
