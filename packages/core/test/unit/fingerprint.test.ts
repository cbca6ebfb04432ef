import { RemoteError } from '../../src/index.ts'
import { expect, test } from 'vitest'
import { describeThrown, normalise } from '../../src/recorder/fingerprint.ts'

test.each([
  ['user 42 not found', 'user <n> not found'],
  ['took 1.5 s, more than 1,000 ms', 'took <n> s, more than <n> ms'],
  ['no row 3f2504e0-4f89-11d3-9a0c-0305e82c3301', 'no row <uuid>'],
  ['late since 2026-11-28T03:03:33.123Z!', 'late since <time>!'],
  ['cannot write to ann.lee+x@mail.example.com', 'cannot write to <email>'],
  ['connect ECONNREFUSED 10.0.0.7:6379', 'connect ECONNREFUSED <address>'],
  ['object at 0x7f3a2c is gone', 'object at <hex> is gone'],
  ['commit deadbeef0123 is missing', 'commit <hex> is missing'],
  ["'user_id'", "'user_id'"],
  ['a  line\n  and more', 'a line and more'],
  ['', ''],
])('normalises %j to %j', (message, expected) => {
  expect(normalise(message)).toBe(expected)
})

test('replaces the id of the job itself', () => {
  expect(normalise('job send-mail failed', 'send-mail')).toBe('job <job> failed')
})

test('gives one fingerprint to errors that differ only in numbers and ids, and others to others', () => {
  const print = (error: unknown) => describeThrown(error, 'j').fingerprint
  expect(print(new Error('row 1'))).toBe(print(new Error('row 22')))
  expect(print(new Error('row 1'))).not.toBe(print(new TypeError('row 1')))
  expect(print(new Error('row 1'))).not.toBe(print(new Error('column 1')))
  expect(print(new RemoteError('builtins.KeyError', ['a']))).not.toBe(print(new RemoteError('app.Missing', ['a'])))
})

test('hides passwords in the message and the stack', () => {
  const { sample, stack } = describeThrown(new Error('cannot reach redis://u:hunter2@host:6379'), 'j')
  expect(sample).not.toContain('hunter2')
  expect(stack).not.toContain('hunter2')
})

test('describes whatever is thrown, and takes no more than a second for a megabyte', () => {
  const broken = Object.defineProperty(new Error('x'), 'message', {
    get() {
      throw new Error('no')
    },
  })
  const hostile = { toString: () => Promise.reject(new Error('no')) }
  hostile.toString = () => {
    throw new Error('no')
  }
  for (const thrown of [
    broken,
    hostile,
    null,
    undefined,
    1n,
    Symbol('s'),
    'x'.repeat(2 ** 20),
    new Error('1a'.repeat(2 ** 19)),
  ]) {
    const { message, stack, type } = describeThrown(thrown, 'j')
    expect(type).toBe('Error')
    expect(message.length).toBeLessThanOrEqual(3_000)
    expect(stack.length).toBeLessThanOrEqual(4_100)
  }
})

test.each([
  ['Unexpected EOF: none received for ada@example.com', 'Unexpected EOF: none received for <email>', 'ada@example.com'],
  ['cannot reach redis://u:hunter2@redis-1:6379', 'cannot reach redis://u:***@redis-<n>:<n>', '***'],
  ['login admin:hunter2@db-1 refused', 'login ***@db-<n> refused', '***@db-1'],
  ['at 10:30 no answer from ops@example.com', 'at <n>:<n> no answer from <email>', 'ops@example.com'],
  ['password=hunter2 is wrong for ops@example.com', 'password=*** is wrong for <email>', 'ops@example.com'],
])('keeps the words of %j around what it hides', (message, normalised, shown) => {
  const described = describeThrown(new Error(message), 'j')
  expect(described.message).toBe(normalised)
  expect(described.sample).toContain(shown)
  expect(described.sample + described.message).not.toContain('hunter2')
})
