import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CommandReader, encodeCommand } from '../../src/server/commands.ts'
import { atTime } from '../../src/server/virtual-time.ts'

const aCommand = fc.array(
  fc.oneof(
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    fc.constantFrom('\r\n', '*2\r\n$4\r\ntime\r\n', '$', '').map((text) => Buffer.from(text)),
  ),
  { minLength: 1, maxLength: 6 },
)

describe('a stream of commands', () => {
  test('is split into the same commands, however the network cuts it', () => {
    fc.assert(
      fc.property(fc.array(aCommand, { maxLength: 8 }), fc.array(fc.nat(), { maxLength: 12 }), (commands, cuts) => {
        const bytes = Buffer.concat(commands.map(encodeCommand))
        const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b)
        const reader = new CommandReader()
        const read = ends.flatMap((end, i) => reader.read(bytes.subarray(ends[i - 1] ?? 0, end)))
        expect(read.map(({ parts }) => parts.map(String))).toEqual(commands.map((parts) => parts.map(String)))
        expect(Buffer.concat(read.map((command) => command.bytes)).equals(bytes)).toBe(true)
      }),
    )
  })
})

describe('at a time of the queue', () => {
  const sent = (...parts: string[]) => new CommandReader().read(encodeCommand(parts))[0]!
  const changed = (...parts: string[]) =>
    new CommandReader().read(atTime(sent(...parts), 1_234_567)).map(({ parts: all }) => all.map(String))[0]!

  test.each([
    ['GET', 'time'],
    ['SET', 'k', 'TIME'],
    ['PUBLISH', 'eval', 'x'],
    ['SCRIPT', 'FLUSH'],
  ])('%s %s passes byte for byte', (...parts) => {
    expect(atTime(sent(...parts), 1).equals(encodeCommand(parts))).toBe(true)
  })

  test('TIME is answered by a script that returns it', () => {
    expect(changed('time')).toEqual(['EVAL', 'return {ARGV[1],ARGV[2]}', '0', '1234', '567000'])
  })

  test('a script gets the time behind its arguments, and its digest is that of the script that Redis knows', () => {
    const [, source, ...rest] = changed('EVAL', 'return 1', '1', 'key', 'argument')
    expect(source).toMatch(/^local arq_us[^\n]* return 1$/)
    expect(rest).toEqual(['1', 'key', 'argument', '1234', '567000'])
    const [, digest, ...again] = changed('evalsha', 'e0e1f9fabfc9d4800c877a703b823ac0578ff8db', '1', 'key', 'argument')
    expect(digest).toMatch(/^[0-9a-f]{40}$/)
    expect(digest).not.toBe('e0e1f9fabfc9d4800c877a703b823ac0578ff8db')
    expect(again).toEqual(rest)
  })

  test('a digest that was never sent as a script is one that no server knows', () => {
    expect(changed('EVALSHA', 'f'.repeat(40), '0')[1]).toBe('0'.repeat(40))
  })
})
