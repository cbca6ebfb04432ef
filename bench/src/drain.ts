// How fast a filled queue is worked off: the steady state, from when the warm-up's jobs are done to the last job.
import type { Contender } from './contenders.ts'
import { PeerProcess, play } from './peer-process.ts'
import type { Report } from './peer-process.ts'
import type { BenchServer } from './server.ts'

export interface DrainOptions {
  fn: 'noop' | 'sleep1' | 'take'
  payloadBytes?: number
  codec?: string
  concurrency: number
  /** Workers per process. */
  workers?: number
  processes?: number
  /** Jobs that are measured. */
  count: number
  /** Jobs that are run before. */
  warm: number
  /** Jobs that are queued, and stay so. */
  left?: number
  /** Limit for the warm-up and for the measurement: a slow contender is measured with fewer jobs. Default 4. */
  secondsAtMost?: number
  timeoutMs?: number
}

export interface Drained {
  jobsPerSecond: number
  workerCpuUs: number
  redisCpuUs: number
  peakRss: number
  seconds: number
}

const FILL_MS = 600_000

/** Puts jobs into the queue `bench`, or another. */
export async function fill(server: BenchServer, contender: Contender, options: object): Promise<void> {
  const launch = contender.filler ?? contender.launch
  await play(launch, 'fill', { redis: server.url, queue: 'bench', ...options }, FILL_MS)
}

export async function drain(server: BenchServer, contender: Contender, options: DrainOptions): Promise<Drained> {
  const { fn, payloadBytes = 0, codec, concurrency, workers = 1, processes = 1, count, warm, left = 0 } = options
  const { timeoutMs = 120_000, secondsAtMost = 4 } = options
  await server.clear()
  await fill(server, contender, { fn, payloadBytes, count: count + warm + left, ...(codec ? { codec } : {}) })
  const work = { redis: server.url, queue: 'bench', workers, concurrency }
  const fleet = Array.from({ length: processes }, () => new PeerProcess(contender.launch, 'work', work))
  try {
    const start = await reached(fleet, warm, timeoutMs, secondsAtMost)
    const redisStart = await server.cpuUs()
    const doneAtRedisStart = total(fleet)
    const end = await reached(fleet, warm + count, timeoutMs, secondsAtMost)
    const redisUs = (await server.cpuUs()) - redisStart
    const jobs = end.done - start.done
    const seconds = (end.us - start.us) / 1e6
    return {
      jobsPerSecond: jobs / seconds,
      workerCpuUs: (end.cpuUs - start.cpuUs) / jobs,
      redisCpuUs: redisUs / Math.max(1, end.done - doneAtRedisStart),
      peakRss: end.rss,
      seconds,
    }
  } finally {
    const isOver = left === 0 && total(fleet) >= count + warm
    await Promise.all(fleet.map((each) => (isOver ? each.stop() : (each.kill(), each.ended))))
  }
}

/** The fleet as one, when it has done this number of jobs, or its time is up and it has done some. */
async function reached(
  fleet: readonly PeerProcess[],
  jobs: number,
  timeoutMs: number,
  secondsAtMost: number,
): Promise<Report> {
  const before = total(fleet)
  const endsAt = performance.now() + secondsAtMost * 1000
  const isLate = () => performance.now() > endsAt && total(fleet) > before
  await until(() => total(fleet) >= jobs || isLate(), fleet, timeoutMs, jobs)
  const reports = fleet.flatMap((each) => each.reports.at(-1) ?? [])
  const sum = (of: (report: Report) => number) => reports.reduce((all, report) => all + of(report), 0)
  return {
    done: sum(({ done }) => done),
    us: Math.max(...reports.map(({ us }) => us)),
    cpuUs: sum(({ cpuUs }) => cpuUs),
    rss: sum(({ rss }) => rss),
  }
}

function total(fleet: readonly PeerProcess[]): number {
  return fleet.reduce((all, each) => all + (each.reports.at(-1)?.done ?? 0), 0)
}

async function until(
  look: () => boolean,
  fleet: readonly PeerProcess[],
  timeoutMs: number,
  jobs: number,
): Promise<void> {
  const waits = fleet.map((each) => each.until(() => (look() ? true : undefined), timeoutMs, `${jobs} jobs`))
  await Promise.any(waits).catch((error: AggregateError) => {
    throw error.errors[0] as Error
  })
  for (const wait of waits) wait.catch(() => {})
}
