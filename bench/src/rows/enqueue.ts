import type { Bench, MeasureRows } from '../bench.ts'
import type { Contender } from '../contenders.ts'
import { play } from '../peer-process.ts'
import { inRounds } from '../rounds.ts'
import type { Figures } from '../rounds.ts'
import { FLOOR, floorOf } from './floor.ts'

const MODES = [
  { mode: 'one', title: 'enqueue, one at a time', limit: 'the round trip to Redis and back' },
  { mode: 'concurrent', title: 'enqueue, 1,000 calls at once', limit: 'CPU of the producer' },
  { mode: 'bulk', title: 'enqueue in bulk, 1,000 a call', limit: 'CPU of the producer, and close to it CPU of Redis' },
] as const

export const enqueue: MeasureRows = async function* (bench) {
  const contenders = [...bench.contenders.present.values()].filter(({ name }) => name !== 'arq, polling at zero')
  for (const { mode, title, limit } of MODES) {
    bench.say(title)
    const floors = mode === 'bulk' ? [FLOOR] : []
    const measure = adaptive(bench, mode)
    const cells = await inRounds(
      bench.rounds,
      [...contenders, ...floors],
      (contender) => (contender === FLOOR ? floorOf('enqueue', bench) : measure(contender)),
      bench.say,
    )
    yield { id: `enqueue-${mode}`, group: 'Enqueue', title, unit: 'jobs/s', better: 'higher', cells, limit }
  }
}

interface Answer {
  count: number
  us: number
  cpuUs: number
  rss: number
  unsupported?: string
}

function adaptive({ server, seconds }: Bench, mode: string) {
  const rates = new Map<string, number>()
  return async (contender: Contender): Promise<Figures> => {
    const measure = async (count: number, warm: number): Promise<Figures> => {
      await server.clear()
      const redisBefore = await server.cpuUs()
      const options = { redis: server.url, queue: 'bench', mode, count, warm }
      const answer = await play<Answer>(contender.launch, 'enqueue', options, 120_000)
      if (answer.unsupported !== undefined) throw new Error(answer.unsupported)
      const redisUs = (await server.cpuUs()) - redisBefore
      const perSecond = (answer.count / answer.us) * 1e6
      rates.set(contender.name, perSecond)
      const producerCpuUs = answer.cpuUs / answer.count
      return { value: perSecond, workerCpuUs: producerCpuUs, redisCpuUs: redisUs / (count + warm), peakRss: answer.rss }
    }
    if (!rates.has(contender.name)) await measure(1_000, 1_000)
    const count = Math.ceil(Math.min(300_000, rates.get(contender.name)! * seconds) / 1_000) * 1_000
    // As long as the measurement itself: code is compiled while it is warm, for some thousand calls.
    return measure(count, count)
  }
}
