import fc from 'fast-check'
import { ReplyError } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { ReplyReader } from '../../src/redis/reply-reader.ts'
import type { ReplyValue } from '../../src/redis/reply-reader.ts'

/** Bytes of a reply as a server writes them. */
function write(value: ReplyValue): Buffer {
  if (value === null) return Buffer.from('$-1\r\n')
  if (typeof value === 'number') return Buffer.from(`:${value}\r\n`)
  if (value instanceof Error) return Buffer.from(`-${value.message}\r\n`)
  if (Array.isArray(value)) return Buffer.concat([Buffer.from(`*${value.length}\r\n`), ...value.map(write)])
  return Buffer.concat([Buffer.from(`$${value.length}\r\n`), value, Buffer.from('\r\n')])
}

function read(chunks: readonly Buffer[]): ReplyValue[] {
  const replies: ReplyValue[] = []
  const reader = new ReplyReader((reply) => replies.push(reply))
  for (const chunk of chunks) reader.write(chunk)
  return replies
}

const { value } = fc.letrec<{ value: ReplyValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.integer({ min: -(2 ** 52), max: 2 ** 52 }),
    fc.constant(null),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    fc.constantFrom('', '\r\n', '$3\r\n', '*1\r\n:1\r\n').map((text) => Buffer.from(text)),
    fc.constantFrom('ERR no', 'NOSCRIPT No matching script', 'WRONGTYPE').map((text) => new ReplyError(text) as Error),
    fc.array(tie('value'), { maxLength: 6 }),
  ),
}))

describe('replies of RESP2', () => {
  test('are read whole, wherever the chunks of the socket end', () => {
    fc.assert(
      fc.property(fc.array(value, { maxLength: 5 }), fc.array(fc.nat()), (replies, cuts) => {
        const bytes = Buffer.concat(replies.map(write))
        const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b)
        const chunks = [...ends, bytes.length].map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end))
        expect(read(chunks)).toEqual(replies)
      }),
    )
  })

  test('are read from single bytes', () => {
    const replies = [[1, Buffer.from('ab\r\n'), null, [], [-7, new ReplyError('ERR x')]], Buffer.from(''), 5]
    const bytes = Buffer.concat(replies.map((reply) => write(reply as ReplyValue)))
    expect(read(Array.from(bytes, (_, i) => bytes.subarray(i, i + 1)))).toEqual(replies)
  })

  test('may be status lines and missing arrays', () => {
    expect(read([Buffer.from('+OK\r\n*-1\r\n')])).toEqual([Buffer.from('OK'), null])
  })

  test('are named where an error is among them', () => {
    const [error] = read([Buffer.from('-NOAUTH Authentication required.\r\n')]) as [Error]
    expect(error).toMatchObject({ name: 'ReplyError', message: 'NOAUTH Authentication required.' })
  })

  test('are refused where the server speaks something else', () => {
    expect(() => read([Buffer.from('HTTP/1.1 400 Bad Request\r\n')])).toThrow('Unknown RESP type 72')
  })

  test('of a hundred megabytes are copied once, however small the chunks', () => {
    const payload = Buffer.alloc(1_000_000, 0x61)
    const bytes = write(Array.from({ length: 100 }, () => payload))
    const chunks = Array.from({ length: Math.ceil(bytes.length / 65_536) }, (_, i) =>
      bytes.subarray(i * 65_536, (i + 1) * 65_536),
    )
    const [reply] = read(chunks) as [Buffer[]]
    expect(reply.length).toBe(100)
    expect(reply.every((each) => each.equals(payload))).toBe(true)
  })
})
