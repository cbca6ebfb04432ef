/** What one payload may cost its reader. Whatever bytes arrive, time and memory stay within these. */
import { DecodeError } from '../errors/wire-errors.ts'

/** What a payload may be at most, read or written. Redis itself takes 512 MiB per value. */
export const MAX_PAYLOAD_BYTES = 64 * 1024 * 1024

/** How deep values may nest: far beyond honest payloads, far below the call stack. Python's msgpack stops at 511. */
export const MAX_DEPTH = 500

/** A single integer; Python prints no integer beyond 4,300 digits (1,786 bytes). */
export const MAX_INTEGER_BYTES = 65_536

/** Decimal digits of an integer in a text: turning them into a number takes quadratic time. CPython's own limit. */
export const MAX_INTEGER_DIGITS = 4_300

/** V8 hashes a bigint by its low 64 bits: larger ones that agree in them turn a set or a map into a list. */
const MAX_ALIKE_KEYS = 500
const WIDE = 1n << 64n

const BASE_ROOM = 128 * 1024 * 1024
const ROOM_PER_BYTE = 16

/** Bytes of memory per value, as V8 needs them (rounded up). */
export const COST = {
  list: 64,
  tuple: 64,
  dict: 64,
  map: 192,
  set: 160,
  bytes: 216,
  object: 192,
  error: 1_024,
  zoned: 1_024,
  slot: 8,
  index: 12,
}

/**
 * The memory that decoding one payload may take: 128 MiB and 16 times its bytes. A byte can announce an empty set of
 * 160 bytes, or a copy of something large; honest payloads never come near. While arrays grow, V8 may hold twice that.
 */
export class Room {
  #left: number
  #alike: Map<bigint, number> | undefined

  /** @throws DecodeError when the payload is larger than `MAX_PAYLOAD_BYTES`. */
  constructor(payloadBytes: number) {
    if (payloadBytes > MAX_PAYLOAD_BYTES) {
      throw new DecodeError(`expected a payload of at most ${MAX_PAYLOAD_BYTES} bytes, got ${payloadBytes}`)
    }
    this.#left = BASE_ROOM + ROOM_PER_BYTE * payloadBytes
  }

  /** @throws DecodeError when nothing is left. */
  take(bytes: number): void {
    this.#left -= bytes
    if (this.#left < 0) throw new DecodeError('the payload unpacks to far more memory than its size allows')
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
