/** The long fuzz, `pnpm fuzz`: FUZZ_RUNS inputs in all, from FUZZ_SEED on. */
import { FuzzRun, MAX_GROWTH_BYTES, reportOf } from './fuzz.ts'
import type { KindName } from './fuzz.ts'

const runs = Number(process.env.FUZZ_RUNS ?? 1_000_000)
const firstSeed = Number(process.env.FUZZ_SEED ?? Date.now() % 1_000_000)
/** Inputs of each kind under one seed. A generated pickle takes ten times as long as a mutated one. */
const ROUND: readonly (readonly [KindName, number])[] = [
  ['mutated pickles', 30_000],
  ['mutated msgpack', 30_000],
  ['mutated JSON', 30_000],
  ['generated pickles', 10_000],
]

let [done, peak, base] = [0, 0, 0]
const started = Date.now()
for (let seed = firstSeed; done < runs; seed++) {
  console.log(`seed ${seed}`)
  for (const [name, count] of ROUND) {
    const run = new FuzzRun(name, seed)
    const limit = Math.min(count, runs - done)
    while (run.done < limit) {
      run.next()
      // The code and its first garbage are no growth.
      if (done + run.done === 2_000) base = process.memoryUsage.rss()
      if (run.done % 16 === 0) peak = Math.max(peak, process.memoryUsage.rss())
    }
    done += limit
    if (limit > 0) console.log(`  ${reportOf(name, run, peak - base)}`)
  }
  const minutes = (Date.now() - started) / 60_000
  console.log(
    `${done} inputs in ${minutes.toFixed(1)} minutes, ${((peak - base) / 1e6).toFixed(0)} MB more at the peak`,
  )
  if (peak - base > MAX_GROWTH_BYTES) throw new Error(`memory has grown by ${Math.round((peak - base) / 1e6)} MB`)
}
