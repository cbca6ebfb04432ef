import { afterAll, expect, test } from 'vitest'
import { FuzzRun, KINDS, MAX_GROWTH_BYTES, reportOf } from '../support/fuzz.ts'
import type { KindName } from '../support/fuzz.ts'

/** FUZZ_SEED asks for the same inputs again; `pnpm fuzz` takes a million. */
const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 1_000_000)
/** Inputs of each kind. A generated pickle is all value, and takes ten times as long as one that is mostly refused. */
const RUNS: Readonly<Record<KindName, number>> = {
  'mutated pickles': 3_000,
  'mutated msgpack': 3_000,
  'mutated JSON': 3_000,
  'generated pickles': 600,
}

const report: string[] = []
afterAll(() => console.log(`fuzz, seed ${seed}:\n${report.join('\n')}`))

test.each(Object.keys(KINDS) as KindName[])(
  '%s are read or refused, and whatever was read is bound, logged, shown and written, within time and memory',
  { timeout: 120_000 },
  (name) => {
    const run = new FuzzRun(name, seed)
    const before = process.memoryUsage.rss()
    while (run.done < RUNS[name]) run.next()
    const grown = process.memoryUsage.rss() - before
    report.push(reportOf(name, run, grown))
    expect(run.read).toBeGreaterThan(0)
    expect(grown).toBeLessThan(MAX_GROWTH_BYTES)
  },
)
