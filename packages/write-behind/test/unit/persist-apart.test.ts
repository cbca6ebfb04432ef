import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hostileThrown } from '../../../protocol/test/support/hostile-thrown.ts'
import { failuresOf, persistApart } from '../../src/batch/persist-apart.ts'
import type { BatchWrite } from '../../src/index.ts'

const writesOf = (count: number): BatchWrite[] =>
  Array.from({ length: count }, (_, i) => ({ key: `k${i}`, value: i, version: i + 1 }))
const never = new AbortController().signal

/** A store that takes a statement as a whole or not at all, and refuses some keys. */
function storeThatRefuses(bad: ReadonlySet<string>) {
  const stored = new Set<string>()
  const sizes: number[] = []
  const call = async (writes: readonly BatchWrite[]) => {
    sizes.push(writes.length)
    const refused = writes.find(({ key }) => bad.has(key))
    if (refused) throw new Error(`refused ${refused.key}`)
    for (const { key } of writes) stored.add(key)
  }
  return { stored, sizes, call }
}

describe('many writes', () => {
  test('take one call where none fails', async () => {
    const { call, sizes, stored } = storeThatRefuses(new Set())
    expect(await persistApart(call, writesOf(500), never)).toEqual({ failed: new Map(), isDown: false })
    expect(sizes).toEqual([500])
    expect(stored.size).toBe(500)
  })

  test('name the one that fails after a few calls, and persist all others', async () => {
    const { call, sizes, stored } = storeThatRefuses(new Set(['k321']))
    const { failed, isDown } = await persistApart(call, writesOf(500), never)
    expect(isDown).toBe(false)
    expect([...failed].map(([key, { message }]) => [key, message])).toEqual([['k321', 'refused k321']])
    expect(stored.size).toBe(499)
    expect(sizes.length).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(500)) + 1)
  })

  test('never count a key as durable that is not, and never persist one that the store refuses', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 60 }), fc.array(fc.nat(59), { maxLength: 12 }), async (count, bad) => {
        const { call, stored } = storeThatRefuses(new Set(bad.map((i) => `k${i}`)))
        const writes = writesOf(count)
        const { failed, isDown } = await persistApart(call, writes, never)
        for (const { key } of writes) expect(stored.has(key)).toBe(!failed.has(key))
        if (!isDown) expect([...failed.keys()].every((key) => bad.includes(Number(key.slice(1))))).toBe(true)
      }),
    )
  })

  test('that the persister names as failed fail alone, in one call', async () => {
    const { failed } = await persistApart(() => Promise.resolve([{ key: 'k1', error: 'no form' }]), writesOf(3), never)
    expect([...failed].map(([key, { message }]) => [key, message])).toEqual([['k1', 'no form']])
  })

  test.each(Object.entries(hostileThrown))(
    'fail with an error that can be read, whatever is thrown: %s',
    async (_, make) => {
      const call = () => {
        throw make()
      }
      const { failed } = await persistApart(call, writesOf(2), never)
      expect([...failed.keys()]).toEqual(['k0', 'k1'])
      for (const { message } of failed.values()) expect(message).toEqual(expect.any(String))
    },
  )

  test.each<[string, unknown, string]>([
    ['what was written, which is no failure', [{ key: 'k1', value: 1 }], "'k1' without an error"],
    ['a failure of another key', [{ key: 'k9', error: 'no' }], "a failure of 'k9', which is none of the 3 keys"],
    ['a failure too many, of no key', [{ key: 'k1', error: 'no' }, null], 'a list with null'],
    ['a number', 3, 'persistMany returned 3'],
    ['what a client of a database gives', { rowCount: 3 }, 'persistMany returned an object'],
  ])(
    'count none as durable where the persister returns %s, and say what it has to return',
    async (_, returned, why) => {
      const { failed } = await persistApart(() => Promise.resolve(returned as never), writesOf(3), never)
      expect([...failed.keys()].sort()).toEqual(['k0', 'k1', 'k2'])
      expect(() => failuresOf(returned, writesOf(3))).toThrow(why)
    },
  )

  test('end after a few calls when the store takes nothing at all', async () => {
    const { call, sizes } = storeThatRefuses(new Set(writesOf(1_000).map(({ key }) => key)))
    const { failed, isDown } = await persistApart(call, writesOf(1_000), never)
    expect(isDown).toBe(true)
    expect(failed.size).toBe(1_000)
    expect(sizes.length).toBeLessThanOrEqual(Math.ceil(Math.log2(1_000)) + 4)
  })

  test('end with the reason of the signal', async () => {
    const cut = new AbortController()
    const call = () => {
      cut.abort(new Error('too late'))
      return Promise.reject(new Error('cut'))
    }
    await expect(persistApart(call, writesOf(4), cut.signal)).rejects.toThrow('too late')
  })
})
