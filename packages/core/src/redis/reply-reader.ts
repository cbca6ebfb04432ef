import { ReplyError } from 'ioredis'

const CR = 13
const PLUS = 43
const MINUS = 45
const ZERO = 48
const DOLLAR = 36
const STAR = 42
const COLON = 58

/** A value of RESP2: strings stay bytes. */
export type ReplyValue = number | Buffer | null | Error | ReplyValue[]

/** An array whose last values have yet to come. */
interface OpenArray {
  items: ReplyValue[]
  /** Number of values that it will have. */
  size: number
}

/**
 * Reads replies of RESP2 from the chunks of a socket. ioredis's own decoder keeps its place in WeakMaps, and looks it up
 * several times for each value.
 *
 * between replies → within arrays, innermost last → within a value whose end has yet to come → …
 */
export class ReplyReader {
  readonly #onReply: (reply: ReplyValue) => void
  /** Arrays that are not complete, outermost first. */
  readonly #open: OpenArray[] = []
  /** Parts of the value that is not complete, their bytes, and how many it takes at least. */
  #parts: Buffer[] = []
  #partBytes = 0
  #wantedBytes = 0

  constructor(onReply: (reply: ReplyValue) => void) {
    this.#onReply = onReply
  }

  /** Calls back for each reply that ends in this chunk. @throws Error where the chunk is not of RESP2. */
  write(chunk: Buffer): void {
    let bytes = chunk
    if (this.#wantedBytes > 0) {
      this.#parts.push(chunk)
      this.#partBytes += chunk.length
      if (this.#partBytes < this.#wantedBytes) return
      bytes = Buffer.concat(this.#parts)
      this.#parts = []
      this.#partBytes = this.#wantedBytes = 0
    }
    let at = 0
    while (at < bytes.length) {
      const type = bytes[at]!
      let value: ReplyValue
      let next: number
      if (type === COLON || type === DOLLAR || type === STAR) {
        const isNegative = bytes[at + 1] === MINUS
        let end = isNegative ? at + 2 : at + 1
        let number = 0
        for (; end < bytes.length && bytes[end] !== CR; end++) number = number * 10 + bytes[end]! - ZERO
        next = end + 2
        if (next > bytes.length) return this.#keep(bytes, at, next - at)
        if (type === COLON) value = isNegative ? -number : number
        else if (isNegative) value = null
        else if (type === DOLLAR) {
          const start = next
          next += number + 2
          if (next > bytes.length) return this.#keep(bytes, at, next - at)
          value = bytes.subarray(start, start + number)
        } else {
          value = []
          if (number > 0) {
            this.#open.push({ items: value, size: number })
            at = next
            continue
          }
        }
      } else if (type === PLUS || type === MINUS) {
        const end = bytes.indexOf(CR, at + 1)
        next = end + 2
        if (end === -1 || next > bytes.length) return this.#keep(bytes, at, bytes.length - at + 1)
        value = type === PLUS ? bytes.subarray(at + 1, end) : new ReplyError(bytes.toString('utf8', at + 1, end))
      } else {
        throw new Error(`Unknown RESP type ${type}`)
      }
      at = next
      this.#take(value)
    }
  }

  /** Puts a complete value in its place; a whole reply is handed on. */
  #take(value: ReplyValue): void {
    let whole = value
    for (;;) {
      const array = this.#open.at(-1)
      if (!array) return this.#onReply(whole)
      array.items.push(whole)
      if (array.items.length < array.size) return
      this.#open.pop()
      whole = array.items
    }
  }

  /** Keeps the beginning of a value until `wantedBytes` of it are there: it is then read from its beginning again. */
  #keep(bytes: Buffer, from: number, wantedBytes: number): void {
    const part = bytes.subarray(from)
    this.#parts.push(part)
    this.#partBytes = part.length
    this.#wantedBytes = wantedBytes
  }
}
