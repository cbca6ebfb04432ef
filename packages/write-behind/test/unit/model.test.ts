import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { World } from '../support/world.ts'

const index = fc.nat(5)
const rarely = fc.nat(9).map((n) => n === 0)
const steps = {
  write: fc.record({ delayMs: fc.constantFrom(0, 1_000, 100_000), dies: rarely }),
  delete: fc.constant(undefined),
  start: fc.constant(undefined),
  flush: fc.constant(undefined),
  batch: fc.constant(undefined),
  finish: index,
  fail: fc.record({ index, isLast: fc.boolean() }),
  hang: index,
  giveUp: fc.nat(1),
  thaw: fc.constant(undefined),
  replay: index,
  crash: fc.record({ index: fc.nat(1), isDurable: fc.boolean() }),
  flushDies: fc.record({ index: fc.nat(1), isDurable: fc.boolean() }),
  batchDies: fc.record({ isDurable: fc.boolean() }),
  sweep: fc.constant(undefined),
  wait: fc.constantFrom(10_000, 3_000_000, 90_000_000),
}
type Name = keyof typeof steps
type Step = readonly [name: Name, given: unknown]

function some(maxLength: number, without: readonly Name[] = []): fc.Arbitrary<Step[]> {
  const names = (Object.keys(steps) as Name[]).filter((name) => !without.includes(name))
  const each = names.map((name) => (steps[name] as fc.Arbitrary<unknown>).map((given): Step => [name, given]))
  return fc.array(fc.oneof(...each), { maxLength })
}

function play(world: World, [name, given]: Step): void {
  if (name === 'wait') world.nowUs += given as number
  else (world[name] as (given: unknown) => void).call(world, given)
}

/** Twenty thousand histories take seconds on a machine that is idle, and many times that on one that is not. */
const LONG_MS = 120_000

describe('in any order of events', () => {
  test(
    'the last write is durable in the end, the store never goes back, and what is dead is shown',
    () => {
      fc.assert(
        fc.property(some(60), (steps) => {
          const world = new World()
          let version = 0
          for (const step of steps) {
            play(world, step)
            expect(world.store.version).toBeGreaterThanOrEqual(version)
            expect(world.isShown()).toBe(true)
            version = world.store.version
          }
          world.settle()
          expect(world.state.pending).toBeNull()
          expect(world.store.value).toBe(world.written.at(-1)?.value ?? '')
        }),
        { numRuns: 20_000 },
      )
    },
    LONG_MS,
  )

  test(
    'the sweep is needed after the death of a producer or a flush only',
    () => {
      fc.assert(
        fc.property(some(60, ['flushDies', 'sweep']), (steps) => {
          const world = new World()
          for (const [name, given] of steps) {
            play(world, name === 'write' ? [name, { ...(given as object), dies: false }] : [name, given])
          }
          world.run()
          if (!world.state.dead) expect(world.state.pending).toBeNull()
        }),
        { numRuns: 20_000 },
      )
    },
    LONG_MS,
  )

  test('nobody persists while a holder reports that it lives', () => {
    fc.assert(
      // No lock lapses without a wait.
      fc.property(some(40, ['wait']), (steps) => {
        const world = new World()
        for (const step of steps) {
          play(world, step)
          const alive = world.runs.filter(({ isHung }) => !isHung)
          const holders = alive.filter(({ token }) => token === world.state.lock?.token)
          expect(alive.length).toBe(holders.length)
        }
      }),
      { numRuns: 5_000 },
    )
  })
})
