// Other load of this machine while it measures. A verdict that was made under other load is none.
import { cpus } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { quantile } from './stats.ts'

const IDLE_MS = 100
const WORK_STEPS = 200_000
const WORK_RUNS = 9
/** Share of the processors that others may use, and slow-down of a fixed piece of work, up to which a verdict counts. */
const MOST_BUSY = 0.1
const MOST_SLOW = 1.2

/** Medians over the measurements of a row. */
export interface Noise {
  /** Share of all processors that was in use while nothing was measured. */
  busy: number
  /** Time of a fixed piece of work, compared with the best of the run. */
  slow: number
}

export class NoiseProbe {
  #best = Infinity
  #probes: Noise[] = []

  /** Forgets what was seen: another row begins. */
  begin(): void {
    this.#probes = []
  }

  /** Looks at the machine, while nothing is measured. */
  async look(): Promise<void> {
    const before = usage()
    await sleep(IDLE_MS)
    const after = usage()
    const total = after.total - before.total
    const busy = total > 0 ? (after.busy - before.busy) / total : 0
    const times = Array.from({ length: WORK_RUNS }, timeOfWork).sort((a, b) => a - b)
    this.#best = Math.min(this.#best, times[0]!)
    this.#probes.push({ busy, slow: quantile(times, 0.5) / this.#best })
  }

  /** Load during the current row; undefined before the first look. */
  get noise(): Noise | undefined {
    if (this.#probes.length === 0) return undefined
    const median = (of: (probe: Noise) => number) =>
      quantile(
        this.#probes.map(of).sort((a, b) => a - b),
        0.5,
      )
    return { busy: median(({ busy }) => busy), slow: median(({ slow }) => slow) }
  }
}

export const noiseProbe = new NoiseProbe()

/** True where others used so much of the machine that its figures allow no verdict. */
export function isTooNoisy({ busy, slow }: Noise): boolean {
  return busy > MOST_BUSY || slow > MOST_SLOW
}

function usage(): { busy: number; total: number } {
  let busy = 0
  let total = 0
  for (const { times } of cpus()) {
    const all = times.user + times.nice + times.sys + times.idle + times.irq
    total += all
    busy += all - times.idle
  }
  return { busy, total }
}

let sink = 0

function timeOfWork(): number {
  const start = performance.now()
  for (let i = 0; i < WORK_STEPS; i++) sink = (sink * 31 + i) | 0
  return performance.now() - start
}
