import fc from 'fast-check'
import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { Batcher } from '../../src/batch/batcher.ts'
import { batchPersister } from '../../src/index.ts'
import { persistKey } from '../../src/persist.ts'
import type { Aftermath } from '../../src/plan.ts'
import { Store } from '../../src/store.ts'
import { decode, encode } from '../../src/value.ts'
import { logger, useHarness } from '../support/harness.ts'

const bench = useHarness()

/** Steps of several actors, and the time that the persister of a run takes; all of them at once, on a real Redis. */
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
  'fails for good': { then: 'die', carriesValue: false, epoch: null, inMs: 0 },
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
}, 180_000)

test('writers, runs, flushes and batches that meet on several keys lose no write, and persist each in order', async () => {
  const store = new Store(bench.database().url, '')
  const command = fc.record({
    kind: fc.constantFrom('write', 'write', 'batch', 'persist', 'flush'),
    key: fc.nat(3),
    turns: fc.nat(4),
    fails: fc.nat(5).map((n) => n === 0),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(command, { minLength: 1, maxLength: 6 }), { minLength: 2, maxLength: 5 }),
      async (actors) => {
        const run = randomUUID()
        const applied = new Map<string, number[]>()
        const latest = new Map<string, unknown>()
        let written = 0
        let turns = 0
        let fails = false
        const save = batchPersister(async (writes) => {
          const isFailing = fails
          for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
          if (isFailing) throw new Error('away')
          for (const { key, value, version } of writes) {
            applied.set(key, [...(applied.get(key) ?? []), version])
            latest.set(key, value)
          }
        })
        const persisters = { m: { f: save } }
        const batcher = new Batcher({ store, persisters, size: 10, timeoutMs: 10_000, lockMs: 30_000, graceMs: 0 })
        const host = {
          signal: new AbortController().signal,
          log: logger,
          bring: () => Promise.resolve(),
          remove: () => Promise.resolve(),
        }
        const persist = (key: string, jobId: string | null) =>
          persistKey(store, key, {
            persisters,
            lockMs: 30_000,
            jobId,
            signal: host.signal,
            bring: host.bring,
            aftermath: () => (jobId === null ? { then: 'leave' } : { then: 'retry', inMs: 0 }),
          }).catch(() => {})
        await Promise.all(
          actors.map(async (commands) => {
            for (const each of commands) {
              const key = `${run}:${each.key}`
              turns = each.turns
              fails = each.fails
              if (each.kind === 'batch') await batcher.join(key, 'm:f', host)
              else if (each.kind === 'persist') await persist(key, randomUUID())
              else if (each.kind === 'flush') await persist(key, null)
              else {
                const event = { kind: 'write', value: encode(++written, 'json'), persister: 'm:f', delayMs: 0 } as const
                expect((await store.apply(key, event)).kind).toBe('written')
              }
            }
          }),
        )
        fails = false
        // A batch that is cut off has stored what it does not note: it is stored again.
        await batcher.idle(host.signal)
        await batcher.close()
        for (let i = 0; i < 4; i++) {
          const key = `${run}:${i}`
          const { pending } = await store.state(key)
          await persist(key, randomUUID())
          const versions = applied.get(key) ?? []
          // Strictly: nothing was persisted twice either, since nobody crashed.
          expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b))
          if (pending) expect(latest.get(key)).toBe(decode(pending.value))
          expect((await store.state(key)).pending).toBeNull()
        }
        expect(await store.dirty()).toEqual([])
      },
    ),
    { numRuns: 150 },
  )
  await store.close()
}, 180_000)
