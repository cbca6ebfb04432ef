import fc from 'fast-check'
import { Command } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { encodeCommand } from '../../src/redis/resp.ts'
import { ScriptCommand } from '../../src/redis/script-command.ts'

/** Bytes that ioredis itself would write. */
function byIoredis(parts: readonly (string | number | Uint8Array)[]): Buffer {
  const [name, ...args] = parts
  const command = new Command(name as string, args as Buffer[])
  command.stringifyArguments()
  return Buffer.from(command.toWritable({}))
}

describe('commands as RESP has them', () => {
  const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constantFrom('', '\r\n', '$3', 'ü', '🎉'))
  const bytes = fc.uint8Array().map((array) => Buffer.from(array))
  const part = fc.oneof(text, fc.integer(), bytes)

  test('are what ioredis writes, whatever they are made of', () => {
    fc.assert(
      fc.property(fc.array(part, { maxLength: 30 }), (parts) => {
        expect(encodeCommand(['EVALSHA'], parts)).toEqual(byIoredis(['EVALSHA', ...parts]))
      }),
    )
  })

  test('hold the bytes of ids that are not UTF-8', () => {
    const key = Buffer.concat([Buffer.from('arq:job:'), Buffer.from([0xff, 0x61, 0xe2])])
    expect(encodeCommand(['GET', 'arq:job:\uDCFFa\uDCE2'])).toEqual(byIoredis(['GET', key]))
  })

  test.each([10, 65_536, 5_000_000])('may hold %i bytes, and leave those before and after as they are', (size) => {
    const parts = ['SET', 'before', Buffer.alloc(size, 0xff), 'x'.repeat(size), Buffer.alloc(3, 1), 'after']
    const first = encodeCommand(parts)
    const copy = Buffer.from(first)
    encodeCommand(['SET', 'z'.repeat(size)])
    expect(first.equals(copy)).toBe(true)
    expect(first.equals(byIoredis(parts))).toBe(true)
  })

  test('are changed by their caller before they are written again', () => {
    const args = ['first', 1]
    const command = new ScriptCommand('evalsha', 'digest', ['key'], args, () => (args[0] = 'again'))
    expect(command.toWritable()).toEqual(byIoredis(['evalsha', 'digest', 1, 'key', 'first', 1]))
    expect(command.toWritable()).toEqual(byIoredis(['evalsha', 'digest', 1, 'key', 'again', 1]))
  })
})
