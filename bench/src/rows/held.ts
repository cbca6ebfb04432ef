import type { Bench, MeasureRows } from '../bench.ts'
import type { Contender } from '../contenders.ts'
import { fill } from '../drain.ts'
import { PeerProcess } from '../peer-process.ts'
import { inRounds } from '../rounds.ts'
import type { Cell, Figures } from '../rounds.ts'
import { summarise } from '../stats.ts'

const FLIGHT = 10_000
const KILLED_WITH = 10

/** Jobs that do not end: what a worker needs for them, and how soon others have them when it is killed. */
export const held: MeasureRows = async function* (bench) {
  const { present } = bench.contenders
  const of = (name: string) => present.get(name) ?? []

  bench.say('10,000 jobs in flight')
  const rounds = bench.quick ? 1 : Math.min(3, bench.rounds)
  const contenders = [of('arq-ts'), of('BullMQ'), of('bee-queue'), bench.quick ? [] : of('arq')].flat()
  yield {
    id: 'memory',
    group: 'Held jobs',
    title: 'memory of a worker with 10,000 jobs in flight',
    unit: 'MiB',
    better: 'lower',
    cells: await inRounds(rounds, contenders, (contender) => memory(bench, contender), bench.say),
    limit: 'a job, its context, its promise and its timer',
  }

  if (bench.quick) return
  bench.say('recovery after SIGKILL; arq takes over five minutes')
  const ours = present.get('arq-ts')!
  const ways: Contender[] = [
    ours,
    { name: 'arq-ts, leaseMs 5,000', launch: { ...ours.launch, options: { leaseMs: 5_000 } } },
    of('BullMQ'),
    of('arq'),
  ].flat()
  await bench.server.clear()
  // They wait most of the time, so all wait at once, each on its own queue.
  const cells = await Promise.all(ways.map((way, i) => recovery(bench, way, `recovery-${i}`)))
  yield {
    id: 'recovery',
    group: 'Held jobs',
    title: 'from SIGKILL of a worker until another runs its jobs, each as it is by default',
    unit: 's',
    better: 'lower',
    cells,
    limit: 'the lease; arq: its longest job timeout + 10 s',
  }
}

async function memory({ server }: Bench, contender: Contender): Promise<Figures> {
  await server.clear()
  await fill(server, contender, { fn: 'hold', count: FLIGHT })
  const worker = hold(server.url, contender, 'bench', FLIGHT)
  try {
    const report = await worker.until(() => worker.reports.find(({ done }) => done >= FLIGHT), 120_000, 'jobs')
    return { value: report.rss / 2 ** 20 }
  } finally {
    worker.kill()
  }
}

async function recovery({ server, say }: Bench, contender: Contender, queue: string): Promise<Cell> {
  const { name } = contender
  await fill(server, contender, { fn: 'hold', count: KILLED_WITH, queue })
  const first = hold(server.url, contender, queue, KILLED_WITH)
  const all = (worker: PeerProcess) =>
    worker.until(() => worker.reports.find(({ done }) => done >= KILLED_WITH), 600_000, 'jobs')
  let second: PeerProcess | undefined
  try {
    await all(first)
    second = hold(server.url, contender, queue, KILLED_WITH)
    await second.line('ready', 30_000)
    first.kill()
    const killedAt = performance.now()
    await all(second)
    const seconds = (performance.now() - killedAt) / 1000
    say(`${name.padEnd(22)} ${seconds.toFixed(1)} s`)
    return { contender: name, figures: { value: summarise([seconds]) } }
  } catch (error) {
    return { contender: name, why: (error as Error).message.split('\n')[0]! }
  } finally {
    first.kill()
    second?.kill()
  }
}

function hold(redis: string, { launch }: Contender, queue: string, concurrency: number): PeerProcess {
  return new PeerProcess(launch, 'work', { redis, queue, workers: 1, concurrency })
}
