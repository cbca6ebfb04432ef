import type { Bench, MeasureRows, Row } from '../bench.ts'
import { wakeFloor } from '../contenders.ts'
import type { Contender } from '../contenders.ts'
import { PeerProcess, play } from '../peer-process.ts'
import type { Launch } from '../peer-process.ts'
import { inRounds } from '../rounds.ts'
import type { Cell, Figures } from '../rounds.ts'
import { quantile } from '../stats.ts'

interface Way {
  name: string
  worker: Launch
  producer: Launch
  /** Keyspace notifications of the server. */
  notify?: string
}

/** Traffic of a row. */
interface Traffic {
  everyMs: number
  perTick: number
  /** Jobs that are measured. */
  count: number
  /** Jobs before these, in the same traffic and by the same processes, which compile their code meanwhile. */
  warm: number
}

/** From the call that enqueues to the handler's first line. */
export const pickup: MeasureRows = async function* (bench) {
  const { present } = bench.contenders
  const idle: Traffic = { everyMs: 20, perTick: 1, count: bench.quick ? 100 : 250, warm: 50 }
  const load: Traffic = { everyMs: 1, perTick: 5, count: bench.quick ? 5_000 : 15_000, warm: 5_000 }
  for (const [id, title, traffic, limit] of [
    [
      'pickup-idle',
      'pickup on an idle queue',
      idle,
      'waking sleeping processes: floor is a publish and one round trip of whoever hears it, without a queue',
    ],
    ['pickup-load', 'pickup at 5,000 jobs/s', load, 'how many jobs share a round trip'],
  ] as const) {
    bench.say(title)
    const ways = waysOf(present, id === 'pickup-load')
    const all = ways.map((way): Contender => ({ name: way.name, launch: way.worker }))
    const cells = await inRounds(bench.rounds, all, (_, __, index) => measure(bench, ways[index]!, traffic), bench.say)
    yield* asRows(id, title, limit, cells)
  }
}

function waysOf(present: ReadonlyMap<string, Contender>, fastOnly: boolean): Way[] {
  const ours = present.get('arq-ts')!.launch
  const python = present.get('arq')?.launch
  const ways: Way[] = [{ name: 'arq-ts', worker: ours, producer: ours }]
  if (python) {
    ways.push({ name: 'arq-ts, Python producer, notifications', worker: ours, producer: python, notify: 'Kz' })
    ways.push({ name: 'arq-ts, Python producer', worker: ours, producer: python })
  }
  for (const { name, launch } of present.values()) {
    if (name !== 'arq-ts') ways.push({ name, worker: launch, producer: launch })
  }
  ways.push({ name: 'floor', worker: wakeFloor, producer: wakeFloor })
  // Half of what these can do in all is less than that.
  const slow = /^arq$|^arq,|Python producer|SAQ|streaq|taskiq/
  return fastOnly ? ways.filter(({ name }) => !slow.test(name)) : ways
}

async function measure({ server }: Bench, way: Way, traffic: Traffic): Promise<Figures> {
  await server.clear()
  await server.notify(way.notify ?? '')
  const common = { redis: server.url, queue: 'bench' }
  const worker = new PeerProcess(way.worker, 'work', { ...common, workers: 1, concurrency: 100 })
  try {
    await worker.line('ready', 30_000)
    const { warm, count, ...pace } = traffic
    await play(way.producer, 'produce', { ...common, ...pace, count: warm + count }, 120_000)
    await worker.until(
      () => ((worker.reports.at(-1)?.done ?? 0) >= warm + count ? true : undefined),
      60_000,
      'all jobs',
    )
    const latencies = (await worker.stop()).slice(warm).sort((a, b) => a - b)
    return { value: quantile(latencies, 0.5) / 1000, p99: quantile(latencies, 0.99) / 1000 }
  } finally {
    worker.kill()
    await server.notify('')
  }
}

/** The median and the 99th percentile are a row each. */
function asRows(id: string, title: string, limit: string, cells: Cell[]): Row[] {
  const common = { group: 'Pickup', unit: 'ms', better: 'lower', limit } as const
  const p99 = cells.map((cell): Cell =>
    cell.figures ? { contender: cell.contender, figures: { value: cell.figures['p99']! } } : cell,
  )
  return [
    { ...common, id: `${id}-p50`, title: `${title}, p50`, cells },
    { ...common, id: `${id}-p99`, title: `${title}, p99`, cells: p99 },
  ]
}
