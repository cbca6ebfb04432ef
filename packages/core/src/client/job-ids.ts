import { randomFillSync } from 'node:crypto'

const ID_BYTES = 16
/** Random bytes for 256 ids, drawn at once: a draw costs as much as an id. */
const drawn = Buffer.alloc(256 * ID_BYTES)
let at = drawn.length
/** Number of the next id; undefined while ids are in no order. */
let next: number | undefined

/** A new id, as arq's `uuid4().hex`. */
export function newJobId(): string {
  if (at === drawn.length) {
    randomFillSync(drawn)
    at = 0
  }
  drawn[at + 6] = (drawn[at + 6]! & 0x0f) | 0x40
  drawn[at + 8] = (drawn[at + 8]! & 0x3f) | 0x80
  if (next !== undefined) drawn.writeUInt32BE(next++, at)
  const id = drawn.toString('hex', at, at + ID_BYTES)
  at += ID_BYTES
  return id
}

/**
 * Makes ids in order from now on, in this process. Jobs that are due at the same millisecond start in the order of their
 * ids; where the time of a test stands still, that would be a random order.
 */
export function orderJobIds(): void {
  next ??= 0
}
