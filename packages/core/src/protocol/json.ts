import { isSafeNumber, parse, stringify } from 'lossless-json'
import { DecodeError, EncodeError } from '../errors.ts'
import { MAX_DEPTH, MAX_PAYLOAD_BYTES } from './limits.ts'
import { toPlain } from './plain.ts'
import type { PlainRules } from './plain.ts'

const rules: PlainRules = {
  codec: 'json',
  integer: (value) => (typeof value === 'bigint' && Number.isSafeInteger(Number(value)) ? Number(value) : value),
  object: (value) => {
    if (value instanceof Date) return value.toISOString()
    if (value instanceof Uint8Array) throw new EncodeError("json cannot carry bytes; use codec 'msgpack' or 'pickle', or a base64 text")
    return undefined
  },
}

/** Dates become ISO texts; integers keep every digit. @throws EncodeError */
export function encodeJson(value: unknown): Buffer {
  const plain = toPlain(value, rules)
  try {
    return Buffer.from(JSON.stringify(plain, refuse))
  } catch (error) {
    if (error instanceof EncodeError) throw error
    return Buffer.from(stringify(plain, refuse) ?? 'null') // a BigInt: slower, and exact
  }
}

function refuse(_key: string, value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) throw new EncodeError(`json has no ${value}; use codec 'msgpack' or 'pickle'`)
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [textKey(key), item]))
  return value
}

function textKey(key: unknown): string {
  if (typeof key === 'string') return key
  throw new EncodeError(`json has text keys only, got a ${typeof key}; use codec 'msgpack' or 'pickle'`)
}

/** @throws DecodeError */
export function decodeJson(bytes: Uint8Array): unknown {
  if (bytes.byteLength > MAX_PAYLOAD_BYTES) throw new DecodeError(`payload of ${bytes.byteLength} bytes is larger than ${MAX_PAYLOAD_BYTES}`)
  try {
    const text = utf8.decode(bytes)
    checkDepth(text)
    // Only long digit runs can hold an integer beyond the safe ones.
    return /\d{16}/.test(text) ? parse(text, undefined, { parseNumber }) : JSON.parse(text)
  } catch (error) {
    if (error instanceof DecodeError) throw error
    throw new DecodeError(`not valid JSON: ${(error as Error).message}`)
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

function parseNumber(text: string): number | bigint {
  if (/^-?\d+$/.test(text) && !isSafeNumber(text)) return BigInt(text)
  return Number(text)
}

function checkDepth(text: string): void {
  let depth = 0
  let inString = false
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i)
    if (inString) {
      if (char === 92) i++
      else if (char === 34) inString = false
    } else if (char === 34) inString = true
    else if (char === 91 || char === 123) {
      if (++depth > MAX_DEPTH) throw new DecodeError(`payload nests deeper than ${MAX_DEPTH} levels`)
    } else if (char === 93 || char === 125) depth--
  }
}
