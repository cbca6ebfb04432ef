import { createHash } from 'node:crypto'
import { isWellFormed } from '@arq-ts/protocol/jobs'

/** Characters of a key that is kept as it is, at most. */
const MAX_LENGTH = 512
/** Characters of a longer one that are kept, for those who read it. */
const HEAD_LENGTH = 64

/**
 * A key that a user makes of parameters, as it stands in Redis. One that is long would be held several times over, and broken
 * strings (half of a surrogate pair) are one and the same in UTF-8: a digest stands for either.
 */
export function shortKey(key: string): string {
  if (key.length <= MAX_LENGTH && isWellFormed(key)) return key
  const digest = createHash('sha256').update(Buffer.from(key, 'utf16le')).digest('hex')
  return `${key.slice(0, HEAD_LENGTH).replace(/\p{Cs}/gu, '\uFFFD')}…sha256:${digest}`
}
