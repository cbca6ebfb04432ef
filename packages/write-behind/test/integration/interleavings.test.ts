import fc from 'fast-check'
import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { persistKey } from '../../src/persist.ts'
import { Store } from '../../src/store.ts'
import { decode, encode } from '../../src/value.ts'
import { useBench } from '../support/bench.ts'

const bench = useBench()

/** What one of several actors does, and for how long the persister of a run takes; all of them at once, on a real Redis. */
const step = fc.oneof(
  fc.record({ kind: fc.constant('write' as const) }),
  fc.record({ kind: fc.constant('persist' as const), turns: fc.nat(6), fails: fc.boolean() }),
)

test('writers and runs that meet on a key in any order lose no write, and persist in order', async () => {
  const store = new Store(bench.database().url, '')
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(step, { minLength: 1, maxLength: 5 }), { minLength: 2, maxLength: 5 }),
      async (actors) => {
        const key = randomUUID()
        const applied: number[] = []
        let written = 0
        let value: unknown
        const run = (turns: number, fails: boolean) =>
          persistKey(store, key, {
            lockMs: 30_000,
            signal: new AbortController().signal,
            persisters: {
              m: {
                f: async (_key, given, { version }) => {
                  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
                  if (fails) throw new Error('away')
                  applied.push(version)
                  value = given
                },
              },
            },
          }).catch(() => {})
        await Promise.all(
          actors.map(async (steps) => {
            for (const each of steps) {
              if (each.kind === 'persist') await run(each.turns, each.fails)
              else {
                const outcome = await store.apply(key, {
                  kind: 'write',
                  value: encode(++written, 'json'),
                  persister: 'm:f',
                  delayMs: 0,
                })
                expect(outcome.kind).toBe('written')
              }
            }
          }),
        )
        const last = await store.get(key)
        await run(0, false)
        expect((await store.dirty()).includes(key)).toBe(false)
        // Strictly: nothing was persisted twice either, since nobody crashed.
        expect(applied).toEqual([...new Set(applied)].sort((a, b) => a - b))
        if (written > 0 && last) expect(value).toBe(decode(last))
        expect(await store.get(key)).toBeNull()
      },
    ),
    { numRuns: 400 },
  )
  await store.close()
})
