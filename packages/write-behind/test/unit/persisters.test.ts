import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Decimal, FrozenSet, NonRetryableError, Tuple } from '@arq-ts/core'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { fileOf, filePersister } from '../../src/persisters/file.ts'
import { jsonOf } from '../../src/persisters/json.ts'
import { postgresPersister } from '../../src/persisters/postgres.ts'
import { findPersister } from '../../src/allow-list.ts'

let folder: string
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'arq-ts-files-'))))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const write = (version: number) => ({ version, signal: AbortSignal.timeout(5_000) })

describe('the file persister', () => {
  test('keeps the newest version, whole, and nothing else', async () => {
    const persist = filePersister({ folder })
    await persist('user:1', { name: 'b' }, write(2))
    await persist('user:1', { name: 'a' }, write(1))
    await persist('user:1', { name: 'b again' }, write(2))
    expect(JSON.parse(readFileSync(fileOf(folder, 'user:1'), 'utf8'))).toEqual({
      key: 'user:1',
      value: { name: 'b' },
      version: 2,
    })
    expect(readdirSync(folder)).toHaveLength(1)
  })

  test.each(['../../etc/passwd', '/etc/passwd', '..', 'a/b', '.hidden', 'ä\u0000', '\ud800', ''])(
    'keeps the key %j within its folder',
    async (key) => {
      await filePersister({ folder })(key, 1, write(1))
      expect(readdirSync(folder)).toHaveLength(1)
      expect(dirname(fileOf(folder, key))).toBe(folder)
    },
  )

  test.each<[string, string, string]>([
    ['long ones', `${'a'.repeat(5_000)}1`, `${'a'.repeat(5_000)}2`],
    ['long ones that are not Latin', `${'ключ'.repeat(500)}1`, `${'ключ'.repeat(500)}2`],
    ['short ones that are not Latin', '日本', '日木'],
    ['ones that differ in what a name may not hold', 'user:1', 'user/1'],
    ['ones that differ in case only', 'User:1', 'user:1'],
  ])('gives keys files of their own: %s', async (_name, one, other) => {
    const persist = filePersister({ folder })
    await persist(one, 'one', write(2))
    await persist(other, 'other', write(1))
    const values = [one, other].map((key) => JSON.parse(readFileSync(fileOf(folder, key), 'utf8')) as object)
    expect(values).toMatchObject([
      { key: one, value: 'one' },
      { key: other, value: 'other' },
    ])
    const names = readdirSync(folder).map((name) => name.toLowerCase())
    expect(new Set(names).size).toBe(2)
    expect(Math.max(...names.map((name) => Buffer.byteLength(name)))).toBeLessThan(200)
  })

  test('never goes back, though calls for one key meet', async () => {
    const persist = filePersister({ folder: join(folder, 'made', 'by it') })
    await Promise.all([3, 1, 5, 2, 4].map((version) => persist('k', `v${version}`, write(version))))
    const made = join(folder, 'made', 'by it')
    expect(JSON.parse(readFileSync(fileOf(made, 'k'), 'utf8'))).toMatchObject({ value: 'v5', version: 5 })
    expect(readdirSync(made)).toHaveLength(1)
  })
})

describe.each<[string, (value: unknown) => Promise<unknown>]>([
  [
    'the file persister',
    async (value) => {
      await filePersister({ folder })('k', value, write(1))
      return (JSON.parse(readFileSync(fileOf(folder, 'k'), 'utf8')) as { value: unknown }).value
    },
  ],
  [
    'the PostgreSQL persister',
    async (value) => {
      const sent: unknown[] = []
      const client = { query: (_text: string, values: unknown[]) => Promise.resolve(sent.push(values[1])) }
      await postgresPersister({ client, table: 't' })('k', value, write(1))
      return JSON.parse(sent[0] as string) as unknown
    },
  ],
])('%s', (_name, saved) => {
  test.each<[string, unknown, unknown]>([
    ['a set', new Set(['b', 'a']), ['b', 'a']],
    ['a frozenset within', { tags: [new FrozenSet([1])] }, { tags: [[1]] }],
    ['a dict with numbers for keys', new Map([[1, { a: new Set() }]]), { 1: { a: [] } }],
    ['a Decimal and a date', [new Decimal('1.10'), new Date(0)], ['1.10', '1970-01-01T00:00:00.000Z']],
    ['nothing', undefined, null],
  ])('keeps %s', async (_what, value, expected) => expect(await saved(value)).toEqual(expected))

  test('keeps every digit of an integer', async () => {
    expect(jsonOf('k', { n: 2n ** 70n })).toBe('{"n":1180591620717411303424}')
    expect(await saved([2n ** 70n])).toEqual([1180591620717411303424])
  })

  test.each<[string, unknown, string]>([
    ['bytes', { a: new Uint8Array([1]) }, 'json cannot carry bytes'],
    ['not a number', [Number.NaN], 'json has no NaN'],
    ['keys that are tuples', new Map([[new Tuple(1, 2), 1]]), 'json has string keys only, got a key of type object'],
    [
      'keys that are one text',
      new Map<unknown, number>([
        [1, 1],
        ['1', 2],
      ]),
      "expected keys to differ as strings, got '1' twice",
    ],
    ['itself', cyclic(), 'a value contains itself'],
    ['a chain of 600 lists', nested(600), 'values nest deeper than 500 levels'],
    ['a chain of 600 lists whose lower half is seen before', sharedHalf(300), 'values nest deeper than 500 levels'],
    ['a graph that shares its parts 60 levels deep', shared(60, () => []), 'values are shared so often'],
    ['the same, of dicts', shared(60, () => ({})), 'values are shared so often'],
    ['the same, of sets', shared(60, () => new Set()), 'values are shared so often'],
    ['the same, of maps', shared(60, () => new Map()), 'values are shared so often'],
    ['one long string, a hundred times', times(100, 'x'.repeat(1_000_000)), 'at most 67108864 bytes'],
    ['one long key, a hundred times', times(100, { ['x'.repeat(1_000_000)]: 1 }), 'at most 67108864 bytes'],
    ['an integer that Python would not print', 2n ** 524_288n, 'at most 4300 digits'],
    ['one long Decimal, a hundred times', times(100, new Decimal('1'.repeat(1_000_000))), 'at most 67108864 bytes'],
  ])('refuses %s for good: a retry would not help', async (_what, value, message) => {
    const failure = await saved(value).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(NonRetryableError)
    expect((failure as Error).message).toMatch(/^the value of 'k' has no form in JSON: /)
    expect((failure as Error).message).toContain(message)
  })
})

function nested(levels: number): unknown {
  let value: unknown = 1
  for (let i = 0; i < levels; i++) value = [value]
  return value
}

function times(count: number, value: unknown): unknown {
  return Array.from({ length: count }, () => value)
}

function sharedHalf(levels: number): unknown {
  const lower = nested(levels)
  let upper = lower
  for (let i = 0; i < levels; i++) upper = [upper]
  return [lower, upper]
}

/** Two to the power of `levels` nodes in a few bytes of pickle: each level holds the one below twice. */
function shared(levels: number, empty: () => object): unknown {
  let value: unknown = 1
  for (let i = 0; i < levels; i++) {
    const holder = empty()
    if (holder instanceof Set) for (const one of [value, [value]]) holder.add(one)
    else if (holder instanceof Map) for (const key of ['a', 'b']) holder.set(key, value)
    else Object.assign(holder, Array.isArray(holder) ? [value, value] : { a: value, b: value })
    value = holder
  }
  return value
}

function cyclic(): unknown {
  const value: unknown[] = []
  value.push(value)
  return value
}

describe('the PostgreSQL persister', () => {
  test.each(['users; drop table x', 'a.b.c', '', '1a', 'a"b'])('refuses the table name %j', (table) => {
    expect(() => postgresPersister({ client: { query: () => Promise.resolve() }, table })).toThrow(
      'Expected `table` to be a plain name',
    )
  })
})

describe('the allow-list', () => {
  const persisters = { 'app.db': { save: () => {} } }
  test('finds a function by module and name', () => {
    expect(findPersister(persisters, 'app.db:save')).toBe(persisters['app.db'].save)
  })
  test.each(['os:system', 'app.db:drop', 'app.db:constructor', '__proto__:toString', 'app.db', ''])(
    'refuses %j for good',
    (reference) => {
      expect(() => findPersister(persisters, reference)).toThrow(NonRetryableError)
      expect(() => findPersister(persisters, reference)).toThrow('known are app.db:save')
    },
  )
})
