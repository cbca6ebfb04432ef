import type { Bench, MeasureRows, Row } from '../bench.ts'
import type { Contender } from '../contenders.ts'
import { fill } from '../drain.ts'
import { PeerProcess } from '../peer-process.ts'
import { inRounds } from '../rounds.ts'
import type { Cell, Figures } from '../rounds.ts'

/** Deferred jobs in great number: what they cost to enqueue, what each takes in Redis, and how they run when due. */
export const deferred: MeasureRows = async function* (bench) {
  const jobs = bench.quick ? 50_000 : 1_000_000
  bench.say(`${jobs.toLocaleString('en')} deferred jobs`)
  const { present } = bench.contenders
  const ours = present.get('arq-ts')!
  const contenders: Contender[] = [ours, { ...ours, name: 'arq-ts, pickle', launch: with_(ours, { codec: 'pickle' }) }]
  const bull = present.get('BullMQ')
  if (bull) contenders.push(bull)
  // Python's own producer writes what it writes; its memory per job needs no million to be seen.
  const arq = present.get('arq')
  if (arq) contenders.push({ name: 'arq', launch: arq.launch })
  const cells = await inRounds(
    1,
    contenders,
    (contender) => measure(bench, contender, contender.name === 'arq' ? 20_000 : jobs),
    bench.say,
  )
  const row = (id: string, title: string, figure: string, unit: string, better: Row['better'], limit: string): Row => ({
    id,
    group: 'A million deferred jobs',
    title,
    unit,
    better,
    limit,
    cells: cells.flatMap(({ contender, figures, why }): Cell[] => {
      if (why !== undefined) return [{ contender, why }]
      const value = figures?.[figure]
      return value && value.median > 0 ? [{ contender, figures: { value } }] : []
    }),
  })
  const how = `${jobs.toLocaleString('en')} deferred jobs`
  yield row('deferred-enqueue', `${how}: enqueue`, 'enqueue', 'jobs/s', 'higher', 'CPU of the producer')
  yield row('deferred-memory', `${how}: memory in Redis of each`, 'bytes', 'bytes', 'lower', 'payload, keys and expiry')
  yield row('deferred-run', `${how}: rate when due`, 'value', 'jobs/s', 'higher', 'CPU of the worker')
  yield row(
    'deferred-rss',
    `${how}: growth of the worker from a tenth to the last`,
    'growth',
    'MiB',
    'lower',
    'garbage collection',
  )
}

function with_({ launch }: Contender, options: object) {
  return { ...launch, options: { ...launch.options, ...options } }
}

async function measure({ server, quick }: Bench, contender: Contender, jobs: number): Promise<Figures> {
  await server.clear()
  const before = await server.usedBytes()
  const start = performance.now()
  const dueMs = quick ? 6_000 : Math.max(20_000, jobs / 12)
  await fill(server, contender, { fn: 'noop', count: jobs, deferMs: 3_600_000 })
  const seconds = (performance.now() - start) / 1000
  const bytes = ((await server.usedBytes()) - before) / jobs
  const enqueue = jobs / seconds
  if (contender.name !== 'arq-ts') return { value: 0, enqueue, bytes, growth: 0 }
  // Once more, all due at one time, before a worker that waits for them.
  await server.clear()
  await fill(server, contender, { fn: 'noop', count: jobs, dueAt: Date.now() + dueMs })
  const worker = new PeerProcess(contender.launch, 'work', {
    redis: server.url,
    queue: 'bench',
    workers: 1,
    concurrency: 100,
  })
  const done = (share: number) =>
    worker.until(() => worker.reports.find((report) => report.done >= jobs * share), 600_000, 'jobs')
  try {
    const first = await done(0.1)
    const last = await done(1)
    const rate = ((last.done - first.done) / (last.us - first.us)) * 1e6
    return { value: rate, enqueue, bytes, growth: Math.max(0.1, (last.rss - first.rss) / 2 ** 20) }
  } finally {
    await worker.stop()
  }
}
