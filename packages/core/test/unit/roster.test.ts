import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Roster } from '../../src/worker/roster.ts'

test('a roster holds who came and did not go, whatever the order', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(11)), (steps) => {
      const people = Array.from({ length: 12 }, (_, name) => ({ name, place: -1 }))
      const roster = new Roster<{ name: number; place: number }>()
      const expected = new Set<object>()
      for (const step of steps) {
        const person = people[step]!
        expect(roster.has(person)).toBe(expected.has(person))
        if (expected.has(person)) expect(roster.delete(person)).toBe(expected.delete(person))
        else {
          roster.add(person)
          expected.add(person)
        }
        expect(roster.size).toBe(expected.size)
        expect(new Set(roster)).toEqual(expected)
      }
    }),
  )
})

test('who is not here cannot go, nor be taken for one who is', () => {
  const roster = new Roster<{ place: number }>()
  const here = { place: -1 }
  roster.add(here)
  const stranger = { place: 0 }
  expect(roster.has(stranger)).toBe(false)
  expect(roster.delete(stranger)).toBe(false)
  expect([...roster]).toEqual([here])
})
