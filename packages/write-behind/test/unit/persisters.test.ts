import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { NonRetryableError } from '@arq-ts/core'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { fileOf, filePersister } from '../../src/persisters/file.ts'
import { postgresPersister } from '../../src/persisters/postgres.ts'
import { findPersister } from '../../src/persist.ts'

let folder: string
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'arq-ts-files-'))))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const write = (version: number) => ({ version, signal: AbortSignal.timeout(5_000) })

describe('the file persister', () => {
  test('keeps the newest version, whole, and nothing beside it', async () => {
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

  test.each(['../../etc/passwd', '/etc/passwd', '..', 'a/b', '.hidden', 'ä\u0000'])(
    'keeps the key %j within its folder',
    async (key) => {
      await filePersister({ folder })(key, 1, write(1))
      expect(readdirSync(folder)).toHaveLength(1)
      expect(fileOf(folder, key).startsWith(folder)).toBe(true)
    },
  )
})

describe('the PostgreSQL persister', () => {
  test.each(['users; drop table x', 'a.b.c', '', '1a', 'a"b'])('refuses the table name %j', (table) => {
    expect(() => postgresPersister({ client: { query: () => Promise.resolve() }, table })).toThrow(
      'expected `table` to be a plain name',
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
