import { idFromBytes, idToBytes, isWellFormed } from '@arq-ts/protocol/jobs'

/** An id as Redis sent it. Nearly all are UTF-8, and Node decodes those fastest. */
export function readId(bytes: Buffer): string {
  const text = bytes.toString()
  return text.includes('\uFFFD') ? idFromBytes(bytes) : text
}

/** An id, or a key that holds one, as ioredis sends it unchanged: a string where that is UTF-8, else bytes. */
export function sendId(id: string): string | Buffer {
  return isWellFormed(id) ? id : Buffer.from(idToBytes(id))
}
