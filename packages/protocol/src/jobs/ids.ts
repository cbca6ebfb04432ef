/**
 * Job ids as strings that lose no byte. In Redis an id is bytes, and any client can queue bytes that are not UTF-8.
 *
 * A byte that is no part of valid UTF-8 stands in the string as U+DC80 to U+DCFF, as with Python's `surrogateescape`.
 * Such a lone surrogate never comes out of valid UTF-8, so every sequence of bytes has exactly one string and back.
 * Ids that are valid UTF-8 are the strings they always were.
 */

import { expectArgument, expectString, isNumber } from '../values/expect-argument.ts'

/** Start of the range of escaped bytes: U+DC00 plus the byte, which is 0x80 or more. */
const ESCAPE = 0xdc00
const LONE_SURROGATE = /\p{Cs}/u
const LONE_SURROGATES = /\p{Cs}/gu
const PLAIN = /^(?! )[\x20-\x5b\x5d-\x7e]*(?<! )$/
/** Characters that a terminal would not show as they are, blank ones, and a backslash that would read as an escape. */
const UNSEEN =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]|(?! )\p{Zs}|\u034F|\u17B4|\u17B5|[\u115F\u1160\u2800\u3164\uFFA0]|\\(?=x[\da-f]{2})/giu
const SPACE = '\\x20'
const ESCAPED = /\\x([\da-f]{2})/gi

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()

/** The id that stands for these bytes. */
export function idFromBytes(bytes: Uint8Array): string {
  let id = ''
  let from = 0
  for (let at = 0; at < bytes.length;) {
    const length = validLength(bytes, at)
    if (length > 0) {
      at += length
      continue
    }
    id += utf8.decode(bytes.subarray(from, at)) + String.fromCharCode(ESCAPE + bytes[at]!)
    from = ++at
  }
  return id + utf8.decode(bytes.subarray(from))
}

/** The bytes of an id, or of a key that holds one. A lone surrogate that stands for no byte becomes U+FFFD. */
export function idToBytes(id: string): Uint8Array {
  if (isWellFormed(id)) return encoder.encode(id)
  const bytes = new Uint8Array(3 * id.length)
  let at = 0
  let from = 0
  for (const { index } of id.matchAll(LONE_SURROGATES)) {
    const byte = id.charCodeAt(index) - ESCAPE
    if (byte < 0x80 || byte > 0xff) continue
    at += encoder.encodeInto(id.slice(from, index), bytes.subarray(at)).written
    bytes[at++] = byte
    from = index + 1
  }
  at += encoder.encodeInto(id.slice(from), bytes.subarray(at)).written
  return bytes.slice(0, at)
}

/** False for an id with lone surrogates: one that stands for bytes which are not UTF-8, or a broken string. */
export function isWellFormed(id: string): boolean {
  return !LONE_SURROGATE.test(id)
}

/**
 * An id as people read it: bytes that are not UTF-8, control characters, invisible ones and spaces at an end as `\xNN`, one
 * for each byte. `parseId` gives the same id back.
 *
 * @throws OptionsError
 */
export function showId(id: string): string {
  expectString('showId', 'id', id)
  if (PLAIN.test(id)) return id
  const shown = id.replace(UNSEEN, (character) =>
    Array.from(idToBytes(character), (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join(''),
  )
  let [start, end] = [0, shown.length]
  while (shown[start] === ' ') start++
  while (end > start && shown[end - 1] === ' ') end--
  return SPACE.repeat(start) + shown.slice(start, end) + SPACE.repeat(shown.length - end)
}

/** The beginning of an id as `showId` shows it: `maxLength` characters of it at most, an ellipsis for the rest. @throws OptionsError */
export function shortId(id: string, maxLength: number): string {
  expectString('shortId', 'id', id)
  const isLength = isNumber(maxLength) && maxLength >= 1
  expectArgument('shortId', 'maxLength', isLength, 'a number of characters, at least 1', maxLength)
  if (id.length <= maxLength) return showId(id)
  // Half of a character would be shown as bytes that the id does not have.
  return `${showId(id.slice(0, maxLength - 1).replace(/[\uD800-\uDBFF]$/, ''))}…`
}

/** The id that `showId` wrote, or that somebody typed: `\xNN` is a byte, everything else stands for itself. @throws OptionsError */
export function parseId(shown: string): string {
  expectString('parseId', 'shown', shown)
  const pieces: Uint8Array[] = []
  let end = 0
  for (const found of shown.matchAll(ESCAPED)) {
    pieces.push(idToBytes(shown.slice(end, found.index)), Uint8Array.of(Number.parseInt(found[1]!, 16)))
    end = found.index + found[0].length
  }
  if (end === 0) return shown
  pieces.push(idToBytes(shown.slice(end)))
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    bytes.set(piece, at)
    at += piece.length
  }
  return idFromBytes(bytes)
}

/** Length in bytes of the valid UTF-8 character at this place; 0 where there is none. */
function validLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!
  const length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0
  if (length === 0 || at + length > bytes.length) return 0
  const second = bytes[at + 1]!
  if (first === 0xe0 && second < 0xa0) return 0 // too long a form
  if (first === 0xed && second > 0x9f) return 0 // a surrogate
  if (first === 0xf0 && second < 0x90) return 0
  if (first === 0xf4 && second > 0x8f) return 0 // beyond U+10FFFF
  for (let i = 1; i < length; i++) if ((bytes[at + i]! & 0xc0) !== 0x80) return 0
  return length
}
