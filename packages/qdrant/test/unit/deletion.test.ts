import { QdrantClient } from '@qdrant/js-client-rest'
import { describe, expect, test } from 'vitest'
import { deleteCollectionTask } from '../../src/index.ts'
import { allows, decide } from '../../src/deletion.ts'
import type { Action } from '../../src/deletion.ts'

const HOUR = 3_600_000
const aliases = (entries: Record<string, string>) => new Map(Object.entries(entries))

describe('a deletion asked for at 0, with a grace period of an hour', () => {
  const deletion = { collection: 'old', enqueuedAtMs: 0, graceMs: HOUR, isDeletable: true }
  const wait = (forMs: number): Action => ({ kind: 'wait', forMs })

  test.each<[when: string, nowMs: number, known: Record<string, string> | null, action: Action]>([
    ['at once', 0, null, wait(HOUR)],
    ['half-way', HOUR / 2, null, wait(HOUR / 2)],
    ['half-way, whatever the aliases', HOUR / 2, {}, wait(HOUR / 2)],
    ['by a clock that is behind the producer’s', -HOUR, null, wait(2 * HOUR)],
    ['two seconds early', HOUR - 2_000, null, wait(2_000)],
    ['early by less than a second: clocks differ by as much', HOUR - 999, null, { kind: 'look' }],
    ['in time', HOUR, null, { kind: 'look' }],
    ['days late', 100 * HOUR, null, { kind: 'look' }],
    ['in time, no aliases at all', HOUR, {}, { kind: 'delete' }],
    ['in time, aliases of others', HOUR, { live: 'new', beta: 'older' }, { kind: 'delete' }],
    ['in time, in use again', HOUR, { live: 'old' }, { kind: 'skip', reason: 'collection_has_aliases' }],
    ['in time, one alias of many', HOUR, { a: 'x', b: 'old' }, { kind: 'skip', reason: 'collection_has_aliases' }],
    ['in time, the name is an alias', HOUR, { old: 'new' }, { kind: 'skip', reason: 'name_is_an_alias' }],
    ['in time, a name of the same beginning', HOUR, { live: 'old2' }, { kind: 'delete' }],
  ])('%s', (_, nowMs, known, action) => {
    expect(decide(deletion, known && aliases(known), nowMs)).toEqual(action)
  })
})

test('without a grace period it looks at once', () => {
  const deletion = { collection: 'old', enqueuedAtMs: 5, graceMs: 0, isDeletable: true }
  expect(decide(deletion, null, 5)).toEqual({ kind: 'look' })
})

test('waits whole milliseconds', () => {
  const deletion = { collection: 'old', enqueuedAtMs: 0.5, graceMs: 60_000.2, isDeletable: true }
  expect(decide(deletion, null, 0)).toEqual({ kind: 'wait', forMs: 60_001 })
})

test('a collection that the rules do not name is skipped at once, not after its grace period', () => {
  const deletion = { collection: 'old', enqueuedAtMs: 0, graceMs: HOUR, isDeletable: false }
  expect(decide(deletion, null, 0)).toEqual({ kind: 'skip', reason: 'not_deletable' })
})

describe('rules', () => {
  test.each<[rules: (string | RegExp)[] | undefined, collection: string, isAllowed: boolean]>([
    [undefined, 'anything', true],
    [[], 'anything', false],
    [['products'], 'products', true],
    [['products'], 'products-v2', false],
    [['products-*'], 'products-v2', true],
    [['products-*'], 'products', false],
    [['products-*'], 'my-products-v2', false],
    [['*'], 'anything', true],
    [['*-tmp-*'], 'a-tmp-b', true],
    [['a', 'b*'], 'bc', true],
    [['Products-*'], 'products-v2', false],
    [['a_b'], 'a-b', false],
    [[/-v\d+$/], 'products-v2', true],
    [[/-v\d+$/], 'products-v2-live', false],
    [[/live/i, 'x'], 'LIVE', true],
  ])('%j on %j: %j', (rules, collection, isAllowed) => {
    expect(allows(rules, collection)).toBe(isAllowed)
  })

  test('do not depend on what they were asked before', () => {
    const rules = [/v\d/g, /^p/y]
    for (let i = 0; i < 4; i++) expect(allows(rules, 'products-v2')).toBe(true)
  })
})

describe('a name that is made to look like one that may be deleted', () => {
  const task = deleteCollectionTask(new QdrantClient({ url: 'http://127.0.0.1:1', checkCompatibility: false }))
  test.each([
    ['with a letter that looks the same (Cyrillic)', 'рroducts-1'],
    ['in full width', 'ｐroducts-1'],
    ['with a letter that folds to an ASCII one', 'productſ-1'],
    ['with a hyphen of another kind', 'products‐1'],
    ['with a mark that turns the text', 'products-\u202E1'],
    ['with a character of no width', 'products-\u200B1'],
    ['in a decomposed form', 'produc\u0327ts-1'],
    ['with a line after it', 'products-1\n'],
    ['with another name after a line', 'products-1\nlive'],
    ['with a byte of nothing', 'products-1\0'],
    ['with a path', 'products-1/../live'],
    ['with an encoded path', 'products-1%2F..%2Flive'],
    ['with a query', 'products-1?timeout=1'],
    ['with spaces', ' products-1'],
    ['as a list', ['products-1', 'live']],
    ['as an object', { toString: (): string => 'products-1' }],
  ])('is no name: %s', (_, name) => {
    for (const bound of [() => task.bind([name], {}), () => task.bind([], { collection_name: name })])
      expect(bound).toThrow('`collection_name`: Expected 1 to 255 letters, digits, underscores or hyphens')
  })
  test.each(['PRODUCTS-1', 'Products-1', 'products_1', 'products', 'xproducts-1', 'live-products-1'])(
    'is not allowed: %j',
    (name) => expect(allows(['products-*'], name)).toBe(false),
  )
})
