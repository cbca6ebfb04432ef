import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SwapList } from '../../src/worker/swap-list.ts'

test('holds the members that were added and not deleted, whatever the order', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(11)), (steps) => {
      const members = Array.from({ length: 12 }, (_, name) => ({ name, index: -1 }))
      const list = new SwapList<{ name: number; index: number }>()
      const expected = new Set<object>()
      for (const step of steps) {
        const member = members[step]!
        expect(list.has(member)).toBe(expected.has(member))
        if (expected.has(member)) expect(list.delete(member)).toBe(expected.delete(member))
        else {
          list.add(member)
          expected.add(member)
        }
        expect(list.size).toBe(expected.size)
        expect(new Set(list)).toEqual(expected)
      }
    }),
  )
})

test('does not take a stranger with the index of a member for that member', () => {
  const list = new SwapList<{ index: number }>()
  const here = { index: -1 }
  list.add(here)
  const stranger = { index: 0 }
  expect(list.has(stranger)).toBe(false)
  expect(list.delete(stranger)).toBe(false)
  expect([...list]).toEqual([here])
})
