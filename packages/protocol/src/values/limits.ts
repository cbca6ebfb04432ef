/** The bounds of one payload: whatever bytes arrive, time and memory stay within these. */
import { DecodeError, EncodeError } from '../errors/wire-errors.ts'

/** Bytes of a payload at most, read or written, unless an option says otherwise. Redis itself takes 512 MiB per value. */
export const MAX_PAYLOAD_BYTES = 64 * 1024 * 1024

/**
 * Bytes of memory that one decoded payload takes at most, unless an option says otherwise. With what V8 needs meanwhile,
 * a process that decodes such a payload stays below 512 MiB.
 */
export const MAX_DECODED_BYTES = 128 * 1024 * 1024

/** Levels of nesting at most: far beyond honest payloads, far below the call stack. Python's msgpack stops at 511. */
export const MAX_DEPTH = 500

/** Bytes of a single integer at most; Python prints no integer beyond 4,300 digits (1,786 bytes). */
export const MAX_INTEGER_BYTES = 65_536

/** Decimal digits of an integer in a document at most: to make a number of them takes quadratic time. CPython's own limit. */
export const MAX_INTEGER_DIGITS = 4_300

/** The limits of payloads that an option may change. */
export interface PayloadLimits {
  /** Bytes of a payload at most, read or written. Default 64 MiB. */
  maxPayloadBytes?: number | undefined
  /** Bytes of memory that one decoded payload takes at most. Default 128 MiB. */
  maxDecodedBytes?: number | undefined
}

/** V8 hashes a bigint by its low 64 bits: larger ones that agree in them turn a set or a map into a list. */
const MAX_ALIKE_KEYS = 500
const WIDE = 1n << 64n

/**
 * Bytes of memory per value, measured on Node 20: where values of one kind differ, nearer to the dear ones. A dict of five
 * usual keys takes 100 bytes, one of eight keys in an order of its own 800; it is charged 300 and 450.
 */
export const COST = {
  list: 32,
  /** The first item of a list makes room for 17. */
  firstItem: 152,
  /** A place in an array that grows. */
  slot: 12,
  tuple: 48,
  /** A place in an array that is made as long as it is. */
  item: 8,
  dict: 56,
  /** A property and its share of the shape of its object. */
  property: 48,
  /** A property whose name is an index: V8 reserves places up to it. */
  index: 12,
  map: 192,
  set: 160,
  /** An entry of a Map or a Set, whose tables double. */
  entry: 56,
  bytes: 216,
  string: 24,
  number: 16,
  bigint: 32,
  object: 192,
  error: 1_024,
  zoned: 1_024,
  /** A container that the walk over a finished graph remembers. */
  visit: 64,
} as const

/** The memory that decoding one payload may take. */
export class DecodeBudget {
  readonly #limit: number
  #left: number
  #alike: Map<bigint, number> | undefined

  /** @throws DecodeError when the payload is larger than `maxPayloadBytes`. */
  constructor(payloadBytes: number, limits: PayloadLimits = {}) {
    const { maxDecodedBytes = MAX_DECODED_BYTES, maxPayloadBytes = MAX_PAYLOAD_BYTES } = limits
    if (payloadBytes > maxPayloadBytes) {
      throw new DecodeError(
        `expected a payload of at most ${maxPayloadBytes} bytes, got ${payloadBytes}; the option \`maxPayloadBytes\` sets the limit`,
      )
    }
    this.#limit = maxDecodedBytes
    this.#left = maxDecodedBytes
  }

  /** @throws DecodeError when nothing is left. */
  take(bytes: number): void {
    this.#left -= bytes
    if (this.#left < 0) {
      throw new DecodeError(
        `the payload takes more than ${this.#limit} bytes of memory when it is decoded; the option \`maxDecodedBytes\` sets the limit`,
      )
    }
  }

  /** Called for each key of a map and item of a set. @throws DecodeError */
  key(value: unknown): void {
    if (typeof value !== 'bigint' || (value < WIDE && value > -WIDE)) return
    const low = BigInt.asUintN(64, value < 0n ? -value : value)
    this.#alike ??= new Map()
    const count = (this.#alike.get(low) ?? 0) + 1
    this.#alike.set(low, count)
    if (count > MAX_ALIKE_KEYS)
      throw new DecodeError(
        `the payload has more than ${MAX_ALIKE_KEYS} keys of one hash: integers that agree in 64 bits`,
      )
  }
}

/** The error for a value whose payload would be larger than its limit. */
export function tooLarge(maxPayloadBytes: number): EncodeError {
  return new EncodeError(
    `expected a payload of at most ${maxPayloadBytes} bytes; keep large data elsewhere and pass its name, or raise ` +
      'the option `maxPayloadBytes`',
  )
}
