/** Python's strings: UTF-8 in which lone surrogates may stand (`surrogatepass`), and the escapes of protocol 0. */
import { DecodeError } from '../errors.ts'
import { utf8Bytes } from '../values/bytes.ts'
import type { Bytes } from '../values/bytes.ts'

const SHORT = 24
const SLOTS = 2_048

/** Short strings seen lately, by a hash of their bytes: keys and names come again and again. */
const recent: string[] = Array.from({ length: SLOTS }, () => '')

/** @throws DecodeError for what is no UTF-8. */
export function readText(bytes: Bytes, from: number, to: number): string {
  const length = to - from
  if (length > SHORT) return readUtf8(bytes, from, to)
  let hash = length
  for (let i = from; i < to; i++) {
    const byte = bytes[i] as number
    if (byte > 0x7f) return readUtf8(bytes, from, to)
    hash = (Math.imul(hash, 31) + byte) | 0
  }
  const slot = (hash ^ (hash >>> 11)) & (SLOTS - 1)
  const known = recent[slot] as string
  if (known.length === length) {
    let i = 0
    while (i < length && known.charCodeAt(i) === bytes[from + i]) i++
    if (i === length) return known
  }
  return (recent[slot] = bytes.latin1Slice(from, to))
}

function readUtf8(bytes: Bytes, from: number, to: number): string {
  const text = bytes.utf8Slice(from, to)
  // Either it holds that very character, or a surrogate, or it is no UTF-8.
  return text.includes('\ufffd') ? readExactly(bytes.subarray(from, to)) : text
}

/** Character by character; Python too is strict here. */
function readExactly(bytes: Uint8Array): string {
  let text = ''
  let at = 0
  const next = (): number => {
    const byte = bytes[at++] ?? 0
    if ((byte & 0xc0) !== 0x80) throw new DecodeError('not a valid pickle: a string is no UTF-8')
    return byte & 0x3f
  }
  while (at < bytes.length) {
    const lead = bytes[at++] as number
    let point = 0x110000
    let least = 0
    if (lead < 0x80) point = lead
    else if (lead >= 0xc2 && lead < 0xe0) point = ((lead & 0x1f) << 6) | next()
    else if (lead >= 0xe0 && lead < 0xf0) [point, least] = [((lead & 0x0f) << 12) | (next() << 6) | next(), 0x800]
    else if (lead >= 0xf0 && lead < 0xf5)
      [point, least] = [((lead & 0x07) << 18) | (next() << 12) | (next() << 6) | next(), 0x10000]
    if (point < least || point > 0x10ffff) throw new DecodeError('not a valid pickle: a string is no UTF-8')
    text += String.fromCodePoint(point)
  }
  return text
}

/** True where UTF-8 can say it: no surrogate stands alone. */
export function isWellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed()
}

const LEADS = [0, 0xc0, 0xe0, 0xf0]

/** Writes UTF-8 in which lone surrogates stand as Python writes them. */
export function textBytes(text: string): Uint8Array {
  if (isWellFormed(text)) return utf8Bytes(text)
  const bytes = new Uint8Array(text.length * 3)
  let end = 0
  for (const character of text) {
    const point = character.codePointAt(0) as number
    if (point < 0x80) bytes[end++] = point
    else {
      const rest = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3
      bytes[end++] = (LEADS[rest] as number) | (point >> (6 * rest))
      for (let i = rest - 1; i >= 0; i--) bytes[end++] = 0x80 | ((point >> (6 * i)) & 0x3f)
    }
  }
  return bytes.subarray(0, end)
}

/** Protocol 0's `raw-unicode-escape`: latin-1 with \uXXXX and \UXXXXXXXX. @throws DecodeError */
export function unescapeRaw(text: string): string {
  let at = text.indexOf('\\')
  if (at === -1) return text
  let out = text.slice(0, at)
  while (at < text.length) {
    const width = text[at] !== '\\' ? 0 : text[at + 1] === 'u' ? 4 : text[at + 1] === 'U' ? 8 : 0
    if (width === 0) {
      // A backslash before anything else stands for itself, and takes that with it.
      const count = text[at] === '\\' ? 2 : 1
      out += text.slice(at, at + count)
      at += count
      continue
    }
    const digits = text.slice(at + 2, at + 2 + width)
    const point = digits.length === width && /^[0-9a-fA-F]+$/.test(digits) ? parseInt(digits, 16) : Infinity
    if (point > 0x10ffff) throw new DecodeError('not a valid pickle: a string has a broken escape')
    out += String.fromCodePoint(point)
    at += 2 + width
  }
  return out
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\x07',
  b: '\b',
  f: '\f',
  v: '\v',
}

/** Protocol 0's quoted byte strings, as Python 2 wrote them. @throws DecodeError */
export function unquote(text: string): string {
  const quote = text[0]
  if (text.length < 2 || (quote !== "'" && quote !== '"') || !text.endsWith(quote))
    throw new DecodeError('not a valid pickle: a byte string lacks its quotes')
  return text
    .slice(1, -1)
    .replace(/\\(?:x([0-9a-fA-F]{2})|([0-7]{1,3})|([^]))/g, (_, hex?: string, octal?: string, char = '') => {
      if (hex !== undefined) return String.fromCharCode(parseInt(hex, 16))
      if (octal !== undefined) return String.fromCharCode(parseInt(octal, 8) & 0xff)
      return ESCAPES[char as string] ?? `\\${char as string}`
    })
}
