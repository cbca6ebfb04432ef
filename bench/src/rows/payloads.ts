import type { MeasureRows } from '../bench.ts'
import type { Contender } from '../contenders.ts'
import { inRounds } from '../rounds.ts'
import { adaptive } from './throughput.ts'

const SIZES: readonly [bytes: number, title: string][] = [
  [100, '100 B'],
  [10_000, '10 kB'],
  [1_000_000, '1 MB'],
]

/** Jobs that carry a string, per codec. The worker reads all of it, and keeps it in the result as arq does. */
export const payloads: MeasureRows = async function* (bench) {
  const { present } = bench.contenders
  const ours = present.get('arq-ts')!
  const contenders: Contender[] = ['msgpack', 'pickle', 'json'].map((codec) => ({
    name: codec === 'msgpack' ? 'arq-ts' : `arq-ts, ${codec}`,
    launch: { ...ours.launch, options: { codec } },
  }))
  for (const name of ['BullMQ', 'arq']) if (present.has(name)) contenders.push(present.get(name)!)
  const rounds = bench.quick ? 1 : Math.min(3, bench.rounds)
  for (const [payloadBytes, title] of bench.quick ? SIZES.slice(1, 2) : SIZES) {
    bench.say(`payloads of ${title}`)
    const most = Math.min(50_000, Math.round(120e6 / payloadBytes))
    const measure = adaptive(bench, { fn: 'take', payloadBytes, concurrency: payloadBytes > 1e5 ? 10 : 100 }, most)
    yield {
      id: `payload-${payloadBytes}`,
      group: 'Payloads',
      title: `jobs with a string of ${title}`,
      unit: 'jobs/s',
      better: 'higher',
      cells: await inRounds(rounds, contenders, (contender) => measure(contender), bench.say),
      limit: payloadBytes > 1e5 ? 'copying: the text travels four times' : 'CPU of the worker',
    }
  }
}
