import fc from 'fast-check'
import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { persistKey } from '../../src/persist.ts'
import type { Aftermath } from '../../src/plan.ts'
import { Store } from '../../src/store.ts'
import { decode, encode } from '../../src/value.ts'
import { useBench } from '../support/bench.ts'

const bench = useBench()

/** What one of several actors does, and for how long the persister of a run takes; all of them at once, on a real Redis. */
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('write' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('persist' as const),
      turns: fc.nat(6),
      end: fc.constantFrom('well', 'well', 'fails', 'fails for good', 'hangs'),
      isJob: fc.boolean(),
    }),
  },
)

const aftermath: Record<string, Aftermath> = {
  fails: { then: 'retry', inMs: 0 },
  'fails for good': { then: 'die', brings: false, epoch: null, inMs: 0 },
  hangs: { then: 'leave' },
}

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
        const run = (turns: number, end: string, isJob: boolean) => {
          const cut = new AbortController()
          return persistKey(store, key, {
            lockMs: 30_000,
            graceMs: 0,
            jobId: isJob ? randomUUID() : null,
            signal: cut.signal,
            bring: () => Promise.resolve(),
            aftermath: () => aftermath[isJob ? end : 'hangs']!,
            persisters: {
              m: {
                f: async (_key, given, { version }) => {
                  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
                  if (end === 'hangs') {
                    cut.abort(new Error('cut short'))
                    await new Promise(() => {})
                  }
                  if (end !== 'well') throw new Error('away')
                  applied.push(version)
                  value = given
                },
              },
            },
          }).catch(() => {})
        }
        await Promise.all(
          actors.map(async (steps) => {
            for (const each of steps) {
              if (each.kind === 'persist') await run(each.turns, each.end, each.isJob)
              else if (each.kind === 'delete') await store.delete(key)
              else {
                const bytes = encode(++written, 'json')
                const event = { kind: 'write', value: bytes, persister: 'm:f', delayMs: 0 } as const
                const outcome = await store.apply(key, event)
                expect(outcome.kind).toBe('written')
              }
            }
          }),
        )
        const { pending } = await store.state(key)
        await run(0, 'well', true)
        expect(await store.dirty()).not.toContain(key)
        // Strictly: nothing was persisted twice either, since nobody crashed.
        expect(applied).toEqual([...new Set(applied)].sort((a, b) => a - b))
        if (pending) expect(value).toBe(decode(pending.value))
        expect(await store.get(key)).toBeNull()
      },
    ),
    { numRuns: 400 },
  )
  await store.close()
})
