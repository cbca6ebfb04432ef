import type { Bench, MeasureRows } from '../bench.ts'
import type { Contender } from '../contenders.ts'
import { drain } from '../drain.ts'
import { inRounds } from '../rounds.ts'
import type { Cell } from '../rounds.ts'

/** The rate at which jobs are worked off from the front of a queue that stays at least this long. */
export const growth: MeasureRows = async function* (bench) {
  const { quick } = bench
  const lengths = quick ? [1_000, 100_000] : [1_000, 10_000, 100_000, 1_000_000]
  const ours = bench.contenders.present.get('arq-ts')!
  bench.say('throughput as the queue grows')
  const byLength = lengths.map((length): Contender => ({
    name: `arq-ts, ${length.toLocaleString('en')} queued`,
    launch: ours.launch,
  }))
  const rounds = quick ? 1 : Math.min(3, bench.rounds)
  const cells = await inRounds(rounds, byLength, (contender, _, i) => measure(bench, contender, lengths[i]!), bench.say)
  yield {
    id: 'growth',
    group: 'Scale',
    title: 'no-op jobs, 100 in flight, as the queue grows',
    unit: 'jobs/s',
    better: 'higher',
    cells,
    limit: 'CPU; a sorted set costs O(log n)',
  }

  bench.say('40 workers on one queue')
  const wanted = ['arq-ts', 'BullMQ', ...(quick ? [] : ['arq', 'asynq'])]
  const contenders = [...bench.contenders.present.values()].filter(({ name }) => wanted.includes(name))
  const fleet: Cell[] = []
  for (const [what, shape] of [
    ['1 worker × 32', { workers: 1, processes: 1 }],
    ['40 workers × 32', { workers: 10, processes: 4 }],
  ] as const) {
    const found = await inRounds(
      rounds,
      contenders,
      async (contender) => {
        const slow = contender.name === 'arq'
        const count = slow ? 4_000 : 60_000
        const options = { fn: 'noop', concurrency: 32, ...shape, count, warm: count, timeoutMs: 180_000 } as const
        const { jobsPerSecond, ...others } = await drain(bench.server, contender, options)
        return { value: jobsPerSecond, ...others }
      },
      bench.say,
    )
    fleet.push(...found.map((cell) => ({ ...cell, contender: `${cell.contender}, ${what}` })))
  }
  yield {
    id: 'fleet',
    group: 'Scale',
    title: 'no-op jobs, one worker and forty on one queue (4 processes of 10)',
    unit: 'jobs/s',
    better: 'higher',
    cells: fleet,
    limit: 'CPU: four processes and Redis share two cores here',
  }
}

async function measure({ server, quick }: Bench, contender: Contender, left: number) {
  const count = quick ? 10_000 : 30_000
  const options = { fn: 'noop', concurrency: 100, count, warm: count, left } as const
  const { jobsPerSecond, ...others } = await drain(server, contender, options)
  return { value: jobsPerSecond, ...others }
}
