/** Python's texts: UTF-8 in which lone surrogates may stand (`surrogatepass`), and the escapes of protocol 0. */

/** Reads UTF-8; a lone surrogate survives. `utf8Slice`-speed where there is none. */
export function readText(bytes: Buffer, from: number, to: number): string {
  if (to - from < 24) {
    let text = ''
    for (let i = from; i < to; i++) {
      const byte = bytes[i] as number
      if (byte > 0x7f) return readLong(bytes, from, to)
      text += String.fromCharCode(byte)
    }
    return text
  }
  return readLong(bytes, from, to)
}

function readLong(bytes: Buffer, from: number, to: number): string {
  const text = bytes.toString('utf8', from, to)
  return text.includes('\ufffd') ? readSurrogates(bytes, from, to) : text
}

/** Three bytes ED A0..BF xx are a surrogate by themselves; the runs between are plain UTF-8. */
function readSurrogates(bytes: Buffer, from: number, to: number): string {
  let text = ''
  let start = from
  for (let i = from; i + 2 < to; i++) {
    if (bytes[i] !== 0xed || (bytes[i + 1] as number) < 0xa0) continue
    text += bytes.toString('utf8', start, i)
    text += String.fromCharCode(0xd000 | (((bytes[i + 1] as number) & 0x3f) << 6) | ((bytes[i + 2] as number) & 0x3f))
    start = i + 3
    i += 2
  }
  return text + bytes.toString('utf8', start, to)
}

const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/

/** Writes UTF-8 in which lone surrogates stand as Python writes them. */
export function textBytes(text: string): Buffer {
  if (!LONE_SURROGATE.test(text)) return Buffer.from(text, 'utf8')
  const parts: Buffer[] = []
  let start = 0
  for (const match of text.matchAll(new RegExp(LONE_SURROGATE, 'g'))) {
    const unit = text.charCodeAt(match.index)
    parts.push(Buffer.from(text.slice(start, match.index), 'utf8'))
    parts.push(Buffer.from([0xe0 | (unit >> 12), 0x80 | ((unit >> 6) & 0x3f), 0x80 | (unit & 0x3f)]))
    start = match.index + 1
  }
  parts.push(Buffer.from(text.slice(start), 'utf8'))
  return Buffer.concat(parts)
}

/** Protocol 0's `raw-unicode-escape`: latin-1 with \uXXXX and \UXXXXXXXX. */
export function unescapeRaw(text: string): string {
  return text.replace(/\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})/g, (whole, short: string | undefined, long: string | undefined) => {
    const point = parseInt((short ?? long) as string, 16)
    return point > 0x10ffff ? whole : String.fromCodePoint(point)
  })
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '\\': '\\', "'": "'", '"': '"', a: '\x07', b: '\b', f: '\f', v: '\v', '0': '\0' }

/** Protocol 0's quoted byte strings, as Python 2 wrote them. */
export function unquote(text: string): string {
  return text.slice(1, -1).replace(/\\(?:x([0-9a-fA-F]{2})|(.))/g, (_, hex: string | undefined, char: string | undefined) =>
    hex === undefined ? (ESCAPES[char as string] ?? `\\${char}`) : String.fromCharCode(parseInt(hex, 16)),
  )
}
