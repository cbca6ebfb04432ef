import { randomFillSync } from 'node:crypto'

const ID_BYTES = 16
/** Random bytes for 256 ids, drawn at once: a draw costs as much as an id. */
const drawn = Buffer.alloc(256 * ID_BYTES)
let at = drawn.length

/** A new id, as arq's `uuid4().hex`. */
export function newJobId(): string {
  if (at === drawn.length) {
    randomFillSync(drawn)
    at = 0
  }
  drawn[at + 6] = (drawn[at + 6]! & 0x0f) | 0x40
  drawn[at + 8] = (drawn[at + 8]! & 0x3f) | 0x80
  const id = drawn.toString('hex', at, at + ID_BYTES)
  at += ID_BYTES
  return id
}
