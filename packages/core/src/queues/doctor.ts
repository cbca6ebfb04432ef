import { DecodeError } from '../errors.ts'
import type { PayloadLimits } from '@arq-ts/protocol'
import { PYTHON_IN_PROGRESS } from '@arq-ts/protocol/jobs'
import { decodeJob } from '@arq-ts/protocol/jobs'
import { liveWorkers } from './queues.ts'
import type { Queues, QueueStats } from './queues.ts'
import type { Link } from '../redis/link.ts'
import type { QueueMember } from '../redis/queues.ts'
import type { ServerSettings } from '../redis/server.ts'
import type { WorkerEntry } from '../fleet/worker-entry.ts'

const MAX_CLOCK_OFFSET_MS = 2_000
/** Due for longer without a worker: nobody works. */
const IDLE_MS = 60_000
const DEAD_LETTER_TTL_MS = 7 * 86_400_000
const DEFAULT_LIMIT = 50_000

/** What was found, and what can be done about it. */
export interface Finding {
  check:
    | 'eviction-policy'
    | 'persistence'
    | 'clock'
    | 'no-workers'
    | 'paused'
    | 'lost-in-progress'
    | 'missing-payload'
    | 'unreadable-payload'
    | 'unknown-function'
    | 'stale-abort'
  /** `error`: jobs are lost or stuck; `warning`: they may be. */
  severity: 'error' | 'warning'
  /** Null where it is about the server. */
  queueName: string | null
  message: string
  /** What a repair would do; null where only a person can. */
  repair: string | null
  /** The jobs it is about. */
  jobIds: string[]
}

/** What `diagnose` looks at. */
export interface Observed {
  server: ServerSettings
  workers: readonly WorkerEntry[]
  queues: readonly { stats: QueueStats; jobs: readonly QueueMember[] }[]
  staleAborts: readonly string[]
  nowMs: number
  /** Limits of the payloads that are read. Default: those of a client without options. */
  limits?: PayloadLimits
}

/** Finds what is wrong with a fleet, and mends what can be mended. Use `client.doctor`. */
export class Doctor {
  readonly #link: Link
  readonly #queues: Queues

  /** @internal */
  constructor(link: Link, queues: Queues) {
    this.#link = link
    this.#queues = queues
  }

  /**
   * Looks at the server, at workers and at up to `limit` jobs (default 50,000) of each queue.
   *
   * @param options.queues - default: all that `client.queues.names()` finds.
   * @throws RedisUnavailableError, RedisReplyError
   */
  async examine(options: { queues?: readonly string[]; limit?: number } = {}): Promise<Finding[]> {
    const { clock, jobs, server } = this.#link
    const queues = this.#queues
    const { names: found } = await queues.names()
    const names = options.queues ?? found
    const nowMs = clock.now()
    const surveyed = await Promise.all(
      names.map(async (name) => ({
        stats: await queues.stats(name),
        jobs: await all(this.#link.queues.members(name, options.limit ?? DEFAULT_LIMIT)),
      })),
    )
    return diagnose({
      server: await server.settings(),
      queues: surveyed,
      // After the jobs: whoever held one then has told of itself before.
      workers: await liveWorkers(this.#link),
      staleAborts: await jobs.staleAborts([...new Set([...found, ...names])]),
      nowMs,
      limits: this.#link.limits,
    })
  }

  /**
   * Mends one finding; gives how many things were mended. Nothing that changed since it was found is touched.
   *
   * @throws RedisUnavailableError; RedisReplyError where the server's settings may not be changed, say.
   */
  async repair(finding: Finding): Promise<number> {
    const { clock, jobs: records, deadLetters, limits, server } = this.#link
    const { jobIds } = finding
    const queueName = finding.queueName ?? ''
    switch (finding.check) {
      case 'eviction-policy':
        await server.setEvictionPolicy('noeviction')
        return 1
      case 'stale-abort':
        return records.dropAborts(jobIds)
      case 'missing-payload': {
        const outcomes = await records.remove(queueName, jobIds, { running: false, kept: false })
        return outcomes.filter((outcome) => outcome === 'removed').length
      }
      case 'lost-in-progress': {
        await this.#link.syncClock()
        const nowMs = clock.now()
        const held = await this.#still(queueName, jobIds, (job) => job.holder !== null)
        const workers = await liveWorkers(this.#link)
        const lost = held.filter((job) => isLost(job, workers, nowMs))
        return records.free(queueName, lost as { jobId: string; holder: string }[])
      }
      case 'unreadable-payload': {
        const jobs = await this.#still(queueName, jobIds, (job) => read(job, limits).unreadable !== undefined)
        for (const job of jobs) {
          await deadLetters.add(queueName, job.jobId, job.payload!, read(job, limits).unreadable!, DEAD_LETTER_TTL_MS)
        }
        return jobs.length
      }
      default:
        return 0
    }
  }

  async #still(
    queueName: string,
    jobIds: readonly string[],
    is: (job: QueueMember) => boolean,
  ): Promise<QueueMember[]> {
    const wanted = new Set(jobIds)
    const jobs: QueueMember[] = []
    for await (const job of this.#link.queues.members(queueName)) {
      if (wanted.delete(job.jobId) && is(job)) jobs.push(job)
      if (wanted.size === 0) break
    }
    return jobs
  }
}

/** @internal What is wrong, from what was seen. */
export function diagnose(observed: Observed): Finding[] {
  const { server, staleAborts } = observed
  const findings: Finding[] = []
  const add = (finding: Pick<Finding, 'check' | 'severity' | 'message'> & Partial<Finding>) =>
    findings.push({ queueName: null, repair: null, jobIds: [], ...finding })

  if (server.evictionPolicy !== undefined && server.evictionPolicy !== 'noeviction') {
    const message = `the server evicts keys when its memory is full (maxmemory-policy ${server.evictionPolicy}): jobs are lost`
    add({ check: 'eviction-policy', severity: 'error', message, repair: 'set maxmemory-policy to noeviction' })
  }
  if (server.evictionPolicy === undefined) {
    const message = 'whether the server evicts keys is not known: its user may ask neither CONFIG nor INFO'
    add({ check: 'eviction-policy', severity: 'warning', message })
  }
  if (server.persists === false) {
    add({
      check: 'persistence',
      severity: 'warning',
      message: 'the server writes nothing to disk: a restart loses every job',
    })
  }
  if (Math.abs(server.clockOffsetMs) > MAX_CLOCK_OFFSET_MS) {
    const message = `this machine's clock is ${Math.abs(server.clockOffsetMs)} ms ${server.clockOffsetMs > 0 ? 'behind' : 'ahead of'} Redis's; Python workers go by their own clocks`
    add({ check: 'clock', severity: 'warning', message })
  }
  for (const { stats, jobs } of observed.queues) {
    for (const finding of diagnoseQueue(stats, jobs, observed)) add({ queueName: stats.queueName, ...finding })
  }
  if (staleAborts.length > 0) {
    const message = `${count(staleAborts, 'abort request')} for jobs that are neither queued nor running`
    add({ check: 'stale-abort', severity: 'warning', message, repair: 'drop the requests', jobIds: [...staleAborts] })
  }
  return findings
}

type QueueFinding = Pick<Finding, 'check' | 'severity' | 'message'> & Partial<Finding>

function* diagnoseQueue(
  stats: QueueStats,
  jobs: readonly QueueMember[],
  { workers, nowMs, limits }: Observed,
): Generator<QueueFinding> {
  const here = workers.filter((worker) => worker.queues.includes(stats.queueName))
  const hasPython = stats.python !== null
  const waitedMs = stats.oldestDue === null ? 0 : nowMs - stats.oldestDue.getTime()
  if (here.length === 0 && !hasPython && stats.pending > 0 && waitedMs > IDLE_MS) {
    const message = `${stats.pending} due, for ${Math.round(waitedMs / 1000)} s by now, and no worker tells that it lives`
    yield { check: 'no-workers', severity: 'error', message }
  }
  if (stats.paused) {
    yield { check: 'paused', severity: 'warning', message: `paused, with ${stats.pending} due` }
  }

  const lost = jobs.filter((job) => isLost(job, workers, nowMs))
  if (lost.length > 0) {
    const message = `${count(lost, 'job')} held by workers that are gone`
    yield { check: 'lost-in-progress', severity: 'error', message, repair: 'let them run again now', jobIds: ids(lost) }
  }
  const missing = jobs.filter((job) => job.payload === null && job.holder === null)
  if (missing.length > 0) {
    const message = `${count(missing, 'job')} without a payload: expired or evicted`
    yield {
      check: 'missing-payload',
      severity: 'error',
      message,
      repair: 'take them off the queue',
      jobIds: ids(missing),
    }
  }
  const unreadable = jobs.filter((job) => read(job, limits).unreadable !== undefined)
  if (unreadable.length > 0) {
    const message = `${count(unreadable, 'payload')} that no codec reads: ${read(unreadable[0]!, limits).unreadable}`
    const repair = 'move them to the dead letters as they are'
    yield { check: 'unreadable-payload', severity: 'error', message, repair, jobIds: ids(unreadable) }
  }
  // Nobody knows what Python's workers have. Beside ours their health line is overwritten, but not what they run.
  if (here.length === 0 || hasPython || jobs.some((job) => job.holder === PYTHON_IN_PROGRESS)) return
  const known = new Set(here.flatMap((worker) => worker.functions))
  const orphans = new Map<string, QueueMember[]>()
  for (const job of jobs) {
    const { functionName } = read(job, limits)
    if (functionName === undefined || known.has(functionName)) continue
    orphans.set(functionName, [...(orphans.get(functionName) ?? []), job])
  }
  for (const [name, waiting] of orphans) {
    const message = `${count(waiting, 'job')} for function '${name}', which no live worker of the queue has`
    yield { check: 'unknown-function', severity: 'warning', message, jobIds: ids(waiting) }
  }
}

/**
 * Whether the worker that holds a job is gone, by its token. Never said of Python's, which all hold by the same word:
 * their keys lapse by themselves. Where no worker tells of itself, it may be the registry that is gone: a lease that
 * still lasts may be renewed by a worker nobody sees, and ends by itself if it is not.
 */
function isLost({ holder, score }: QueueMember, workers: readonly WorkerEntry[], nowMs: number): boolean {
  if (holder === null || holder === PYTHON_IN_PROGRESS) return false
  if (workers.length === 0 && score > nowMs) return false // the score of a running job is its lease's end
  const id = holder.slice(0, holder.lastIndexOf('/'))
  return workers.every((worker) => worker.id !== id)
}

/** A waiting job's function, or why no codec reads it. */
function read(job: QueueMember, limits?: PayloadLimits): { functionName?: string; unreadable?: string } {
  if (job.payload === null || job.holder !== null) return {}
  try {
    return { functionName: decodeJob(job.payload, limits).record.functionName }
  } catch (error) {
    if (error instanceof DecodeError) return { unreadable: error.message }
    throw error
  }
}

function ids(jobs: readonly QueueMember[]): string[] {
  return jobs.map((job) => job.jobId)
}

function count(things: readonly unknown[], noun: string): string {
  return `${things.length} ${noun}${things.length === 1 ? '' : 's'}`
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const array: T[] = []
  for await (const item of items) array.push(item)
  return array
}
