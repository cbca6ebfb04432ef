import { findServer } from '@arq-ts/test-support'
import { arqTs } from './contenders.ts'
import { drain } from './drain.ts'
import { measureFloor } from './floor.ts'
import { rounded } from './rounds.ts'
import { BenchServer } from './server.ts'
import { quantile } from './stats.ts'

/** Far below what is measured on a quiet machine: a collapse, not a bad day. */
const LEAST_OF_FLOOR = 0.25
const JOBS = 20_000
const ROUNDS = 3

/** Measures throughput against the floor, round by round. Returns the exit code. */
export async function guard(say: (line: string) => void): Promise<number> {
  try {
    findServer()
  } catch (error) {
    say(`left out: ${(error as Error).message}`)
    return 0
  }
  const server = await BenchServer.start()
  try {
    const ratios: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const { workPerSecond } = await measureFloor(server, JOBS, 100)
      const ours = await drain(server, arqTs, { fn: 'noop', concurrency: 100, count: JOBS, warm: JOBS / 4 })
      ratios.push(ours.jobsPerSecond / workPerSecond)
      say(`${rounded(ours.jobsPerSecond)} jobs/s, ${rounded(ratios.at(-1)! * 100)} % of the floor`)
    }
    const median = quantile(
      ratios.sort((a, b) => a - b),
      0.5,
    )
    if (median >= LEAST_OF_FLOOR) return 0
    say(`throughput has collapsed: ${rounded(median * 100)} % of the floor, at least ${LEAST_OF_FLOOR * 100} % wanted`)
    return 1
  } finally {
    await server.stop()
  }
}
