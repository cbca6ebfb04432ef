import { describe, expect, test } from 'vitest'
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
