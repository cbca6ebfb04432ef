import type { FleetPlan, JobDamage, Language, PlannedJob, PlannedQueue, State } from './shape.ts'

/** A queue as the operator's tools must show it. */
export interface LedgerQueue {
  queueName: string
  /** Due and not held. */
  pending: number
  /** Not due and not held. */
  deferred: number
  running: number
  dead: number
  /** Live arq-ts workers that serve it. */
  workers: number
  /** True where a Python worker reports there. */
  hasPython: boolean
  paused: boolean
  isBroken: boolean
}

/** Filter of the jobs of the fleet. */
export interface LedgerFilter {
  states?: readonly State[]
  queueName?: string
  functionName?: string
  /** A part of a string in the arguments. */
  text?: string
  /** Enqueued, or ended, at least this many ms before the fleet was made. */
  olderThanMs?: number
}

/** Something wrong that `doctor` must find: the name of its check, the queue, and what it is about. */
export interface LedgerFinding {
  check: string
  queueName: string | null
  /** Ids of jobs or workers, or names of keys, sorted. */
  about: readonly string[]
}

/** Everything that is known of a fleet without asking Redis. */
export class Ledger {
  readonly plan: FleetPlan
  readonly #keyPrefix: string

  constructor(plan: FleetPlan, keyPrefix = '') {
    this.plan = plan
    this.#keyPrefix = keyPrefix
  }

  /** Queues by name. A queue with nothing in it is one all the same when somebody serves it. */
  queues(): LedgerQueue[] {
    const { jobs, queues, workers, nowMs } = this.plan
    const rows = new Map(queues.map((queue) => [queue.queueName, emptyRow(queue)]))
    for (const worker of workers) {
      if (!worker.isBroken) for (const name of worker.queueNames) rows.get(name)!.workers++
    }
    for (const job of jobs) {
      const row = rows.get(job.queueName)!
      if (job.score === null) row.dead += job.state === 'dead' && isNamed(job) ? 1 : 0
      else if (job.holder !== null) row.running++
      else if (job.score <= nowMs) row.pending++
      else row.deferred++
    }
    return [...rows.values()].sort((a, b) => (a.queueName < b.queueName ? -1 : 1))
  }

  /** Ids of the jobs that fit, sorted. Without states, of those that have not ended. */
  jobIds(filter: LedgerFilter = {}): string[] {
    const { states = ['queued', 'deferred', 'retrying', 'running'] } = filter
    const jobs = this.plan.jobs.filter((job) => states.includes(job.state) && fits(job, filter, this.plan.nowMs))
    return jobs.map(({ jobId }) => jobId).sort()
  }

  /** Jobs by id. */
  job(jobId: string): PlannedJob {
    return this.plan.jobs.find((job) => job.jobId === jobId)!
  }

  /** Jobs that are held, in the order of their ids, with what holds them. */
  held(): { jobId: string; hold: { by: string; about: string } }[] {
    return this.plan.jobs
      .flatMap(({ jobId, hold }) => (hold && !hold.isOver ? [{ jobId, hold: { by: hold.by, about: hold.about } }] : []))
      .sort((a, b) => (a.jobId < b.jobId ? -1 : 1))
  }

  /** The number of jobs of each language. */
  languages(): Record<Language, number> {
    const counts = { python: 0, 'arq-ts': 0 }
    for (const { language } of this.plan.jobs) counts[language]++
    return counts
  }

  /** Everything that is wrong, but for the settings of the server. */
  findings(): LedgerFinding[] {
    const { queues, workers, staleAborts, staleHolds, brokenHealth, nowMs } = this.plan
    const findings: LedgerFinding[] = []
    const add = (check: string, queueName: string | null, about: readonly string[]) => {
      if (about.length > 0) findings.push({ check, queueName, about: [...about].sort() })
    }
    add('wrong-type', null, this.wrongKeys())
    add(
      'unreadable-worker',
      null,
      workers.filter(({ isBroken }) => isBroken).map(({ workerId }) => workerId),
    )
    add('stale-abort', null, staleAborts)
    add(
      'stale-hold',
      null,
      staleHolds.map(({ jobId }) => jobId),
    )
    add('empty-dead-letter', null, this.#damaged('letter without entry'))
    for (const { queueName } of brokenHealth) add('bad-health-line', queueName, [queueName])
    for (const { queueName, paused, served, isBroken } of queues) {
      for (const [damage, check] of CHECKS) add(check, queueName, this.#damaged(damage, queueName))
      if (paused) add('paused', queueName, [queueName])
      const isDue = (job: PlannedJob) =>
        job.queueName === queueName && job.score !== null && job.holder === null && job.score <= nowMs
      if (served === 'nobody' && !isBroken && this.plan.jobs.some(isDue)) add('no-workers', queueName, [queueName])
    }
    return merged(findings)
  }

  /** Names of the keys that hold another type than they should, sorted. */
  wrongKeys(): string[] {
    const of = (damage: JobDamage, prefix: string) => this.#damaged(damage).map((jobId) => prefix + jobId)
    return [
      ...of('payload of another type', 'arq:job:'),
      ...of('holder of another type', 'arq:in-progress:'),
      ...of('counter of another type', 'arq:retry:'),
      ...of('result of another type', 'arq:result:'),
      ...of('letter of another type', 'arq:dead:'),
      ...this.plan.wrongKeys.map(({ key }) => key),
      ...this.plan.queues.filter(({ isBroken }) => isBroken).map(({ queueName }) => queueName),
    ]
      .map((key) => this.#keyPrefix + key)
      .sort()
  }

  #damaged(damage: JobDamage, queueName?: string): string[] {
    const isMeant = (job: PlannedJob) =>
      job.damage === damage && (queueName === undefined || job.queueName === queueName)
    return this.plan.jobs.filter(isMeant).map(({ jobId }) => jobId)
  }
}

/** The damage of single jobs, and the check that finds it in their queue. */
const CHECKS: readonly [JobDamage, check: string][] = [
  ['no payload', 'missing-payload'],
  ['undecodable payload', 'unreadable-payload'],
  ['counter that is no number', 'bad-counter'],
  ['id that is not UTF-8', 'foreign-id'],
  ['score +inf', 'never-due'],
  ['score beyond any date', 'never-due'],
  ['score -inf', 'always-due'],
  ['dead holder', 'lost-in-progress'],
]

function merged(findings: readonly LedgerFinding[]): LedgerFinding[] {
  const byKey = new Map<string, LedgerFinding>()
  for (const finding of findings) {
    const key = `${finding.queueName ?? ''} ${finding.check}`
    const about = [...(byKey.get(key)?.about ?? []), ...finding.about].sort()
    byKey.set(key, { ...finding, about })
  }
  return [...byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, finding]) => finding)
}

function emptyRow({ queueName, healthLine, paused, isBroken }: PlannedQueue): LedgerQueue {
  const numbers = { pending: 0, deferred: 0, running: 0, dead: 0, workers: 0 }
  return { queueName, ...numbers, hasPython: healthLine !== null, paused, isBroken }
}

/** A dead letter whose entry says what it was. */
function isNamed({ damage }: PlannedJob): boolean {
  return damage !== 'letter of another type' && damage !== 'letter without entry'
}

/** A job whose payload or result can be read. */
function isReadable({ damage }: PlannedJob): boolean {
  return (
    damage === null ||
    ['holder of another type', 'counter of another type', 'counter that is no number', 'dead holder'].includes(
      damage,
    ) ||
    damage.startsWith('score') ||
    damage.startsWith('id')
  )
}

function fits(job: PlannedJob, filter: LedgerFilter, nowMs: number): boolean {
  const { functionName, queueName, text, olderThanMs } = filter
  const isEnded = job.finishedMs !== null
  if (queueName !== undefined && (job.queueName !== queueName || (isEnded && !isReadable(job)))) return false
  if (functionName !== undefined && !(isReadable(job) && job.call.functionName === functionName)) return false
  if (text !== undefined) {
    const strings = [...job.call.args, ...Object.values(job.call.kwargs), ...Object.keys(job.call.kwargs)].map(String)
    if (!isReadable(job) || !strings.some((each) => each.includes(text))) return false
  }
  if (olderThanMs === undefined) return true
  // The age of a dead letter is known from its place alone.
  if (!isReadable(job) && job.state !== 'dead') return false
  return nowMs - (job.finishedMs ?? job.enqueuedMs) >= olderThanMs
}
