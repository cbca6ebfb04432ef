/**
 * Bytes and strings on every platform. Node's Buffer reads and writes short strings several times faster than TextDecoder
 * and TextEncoder, and is what ioredis sends without a copy, so it is used where there is one; browsers have none.
 */

/** The two methods that a Buffer's `toString` ends in; to call that costs as much as the short strings themselves. */
export type Bytes = Uint8Array & {
  latin1Slice(from: number, to: number): string
  /** Bytes that are not UTF-8 become U+FFFD. */
  utf8Slice(from: number, to: number): string
}

/** The part of Node's Buffer that is used here. */
interface NodeBuffer {
  allocUnsafe(length: number): Buffer
  byteLength(text: string): number
  from(bytes: ArrayBufferLike, offset: number, length: number): Bytes
  from(text: string): Buffer
}
type Writable = Uint8Array & { write(text: string, at: number, length: number): number }

const { Buffer: Node } = globalThis as unknown as { Buffer?: NodeBuffer }
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const encoder = new TextEncoder()
/** Arguments of one call; far below the limit of any engine. */
const CHUNK = 4_096

class PlainBytes extends Uint8Array<ArrayBufferLike> {
  static get [Symbol.species](): Uint8ArrayConstructor {
    return Uint8Array
  }

  latin1Slice(from: number, to: number): string {
    let text = ''
    for (let at = from; at < to; at += CHUNK)
      text += String.fromCharCode(...this.subarray(at, Math.min(to, at + CHUNK)))
    return text
  }

  utf8Slice(from: number, to: number): string {
    return decoder.decode(this.subarray(from, to))
  }
}

/** The same bytes, not copied, with the methods that read strings. */
export function viewOf({ buffer, byteLength, byteOffset }: Uint8Array): Bytes {
  return Node ? Node.from(buffer, byteOffset, byteLength) : new PlainBytes(buffer, byteOffset, byteLength)
}

/**
 * Memory that is about to be written over: its content is undefined. Declared as a Buffer, which it is in Node, so that
 * payloads fit Redis clients; a plain Uint8Array in a browser.
 */
export function allocate(length: number): Buffer {
  return Node ? Node.allocUnsafe(length) : (new Uint8Array(length) as Buffer)
}

/** A string as UTF-8; a surrogate that stands alone becomes U+FFFD. A plain Uint8Array in a browser. */
export function utf8Bytes(text: string): Buffer {
  return Node ? Node.from(text) : (encoder.encode(text) as Buffer)
}

/** Bytes that a string takes as UTF-8. */
export function utf8Length(text: string): number {
  return Node ? Node.byteLength(text) : encoder.encode(text).length
}

/** Writes a string as UTF-8 into memory that is large enough; returns the bytes it took. */
export function writeUtf8(into: Uint8Array, at: number, text: string, length: number): number {
  if (Node) return (into as Writable).write(text, at, length)
  return encoder.encodeInto(text, into.subarray(at, at + length)).written
}

/** A string of characters up to U+00FF as one byte each. */
export function latin1Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i)
  return bytes
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** Bytes as base64. */
export function base64(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i += 3) {
    const [a = 0, b = 0, c = 0] = [bytes[i], bytes[i + 1], bytes[i + 2]]
    const bits = (a << 16) | (b << 8) | c
    const left = bytes.length - i
    text += ALPHABET[bits >> 18]! + ALPHABET[(bits >> 12) & 63]!
    text += left > 1 ? ALPHABET[(bits >> 6) & 63]! : '='
    text += left > 2 ? ALPHABET[bits & 63]! : '='
  }
  return text
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** Little-endian bytes as the hexadecimal digits of their number. */
export function littleEndianHex(bytes: Uint8Array, from: number, to: number): string {
  let text = ''
  for (let i = to - 1; i >= from; i--) text += HEX[bytes[i]!]
  return text
}

/** The little-endian bytes of a number of `2 * length` hexadecimal digits. */
export function littleEndianBytes(hex: string, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = Number.parseInt(hex.slice(2 * (length - 1 - i), 2 * (length - i)), 16)
  return bytes
}
