/** A growing buffer that a codec writes into. */
import { allocate, utf8Length, viewOf, writeUtf8 } from './bytes.ts'
import { MAX_PAYLOAD_BYTES, tooLarge } from './limits.ts'
import { isWellFormed, textBytes } from '../pickle/text.ts'

const floatBytes = new Uint8Array(8)
const float = new DataView(floatBytes.buffer)

const SCRATCH_BYTES = 64 * 1024

/** Shared by all writers that end before the next one starts; undefined while one is at work. */
let scratch: Uint8Array | undefined = viewOf(new Uint8Array(SCRATCH_BYTES))

export class ByteWriter {
  protected buffer: Uint8Array
  protected at = 0
  readonly #maxBytes: number

  /** @param maxBytes - Bytes to write at most. */
  constructor(maxBytes: number = MAX_PAYLOAD_BYTES) {
    this.#maxBytes = maxBytes
    // A writer within a writer (a `toJSON` that encodes) gets its own.
    this.buffer = scratch ?? allocate(512)
    scratch = undefined
  }

  /** Returns the written bytes, in memory of their own. The writer is done. */
  finish(): Buffer {
    const bytes = allocate(this.at)
    bytes.set(this.buffer.subarray(0, this.at))
    this.release()
    return bytes
  }

  /** Gives the shared buffer back; call it whatever happens. */
  release(): void {
    if (this.buffer.length === SCRATCH_BYTES) scratch = this.buffer
  }

  byte(value: number): void {
    if (this.at === this.buffer.length) this.reserve(1)
    this.buffer[this.at++] = value
  }

  /** A code and a number of one byte. */
  pair(code: number, value: number): void {
    this.reserve(2)
    this.buffer[this.at++] = code
    this.buffer[this.at++] = value
  }

  int32(code: number, value: number): void {
    this.reserve(5)
    this.buffer[this.at++] = code
    this.put(value, 4)
  }

  uint32(code: number, value: number): void {
    this.reserve(5)
    this.buffer[this.at++] = code
    this.put(value, 4)
  }

  /** The low bytes of an integer, little endian, into memory that is reserved. */
  protected put(value: number, bytes: 2 | 4): void {
    const { buffer } = this
    buffer[this.at++] = value
    buffer[this.at++] = value >> 8
    if (bytes === 2) return
    buffer[this.at++] = value >> 16
    buffer[this.at++] = value >> 24
  }

  double(code: number, value: number): void {
    this.reserve(9)
    this.buffer[this.at++] = code
    float.setFloat64(0, value)
    for (let i = 0; i < 8; i++) this.buffer[this.at++] = floatBytes[i]!
  }

  /** A string under a length of one byte where it fits, else of four. */
  text(short: number, long: number, text: string): void {
    const length = text.length
    if (length > 42) return this.#longText(short, long, text)
    this.reserve(length + 2)
    const { buffer, at } = this
    const start = at + 2
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i)
      if (unit > 0x7f) return this.#longText(short, long, text)
      buffer[start + i] = unit
    }
    buffer[at] = short
    buffer[at + 1] = length
    this.at = start + length
  }

  #longText(short: number, long: number, text: string): void {
    if (!isWellFormed(text)) return this.sized(short, long, textBytes(text))
    const length = utf8Length(text)
    this.#head(short, long, length)
    this.at += writeUtf8(this.buffer, this.at, text, length)
  }

  /** Bytes under a length of one byte where it fits, else of four. */
  sized(short: number, long: number, bytes: Uint8Array): void {
    this.#head(short, long, bytes.length)
    this.buffer.set(bytes, this.at)
    this.at += bytes.length
  }

  #head(short: number, long: number, length: number): void {
    this.reserve(length + 5)
    if (length < 256) this.pair(short, length)
    else this.uint32(long, length)
  }

  /** @throws EncodeError beyond the limit. */
  protected reserve(count: number): void {
    const needed = this.at + count
    if (needed <= this.buffer.length) return
    if (needed > this.#maxBytes) throw tooLarge(this.#maxBytes)
    const larger = allocate(Math.min(Math.max(needed, this.buffer.length * 2), this.#maxBytes))
    larger.set(this.buffer.subarray(0, this.at))
    this.release()
    this.buffer = larger
  }
}
