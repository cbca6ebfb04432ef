import { showId } from '@arq-ts/protocol/jobs'
import type { ListedCron } from '../cron/listed-cron.ts'
import type { PythonWorker, UnreadableWorker, WorkerInfo } from '../fleet/worker-info.ts'
import { serves } from '../fleet/worker-info.ts'
import { damageText } from '../jobs/condition.ts'
import type { Damage } from '../redis/damage.ts'
import type { ServerSettings } from '../redis/server.ts'
import { serverFindings } from './server-findings.ts'
import { spanText } from '../time/span.ts'
import type { Noted, QueueExamination } from './examination.ts'
import type { QueueStats } from './queues.ts'
import type { BrokenSchedule } from '../schedules/broken-schedules.ts'

/** A queue whose jobs are due for longer without a worker is not explained by a deployment. */
const IDLE_MS = 60_000

/** A problem, and its repair. */
export interface Finding {
  check:
    | 'eviction-policy'
    | 'persistence'
    | 'replication'
    | 'clock'
    | 'no-workers'
    | 'quiet-workers'
    | 'slots-taken'
    | 'deadly-job'
    | 'soft-limit'
    | 'paused'
    | 'paused-cron'
    | 'lost-in-progress'
    | 'missing-payload'
    | 'unreadable-payload'
    | 'unknown-function'
    | 'stale-abort'
    | 'wrong-type'
    | 'bad-counter'
    | 'never-due'
    | 'always-due'
    | 'stale-hold'
    | 'bad-health-line'
    | 'foreign-id'
    | 'unreadable-worker'
    | 'empty-dead-letter'
    | 'broken-schedule'
  /** `error`: jobs are lost or stuck; `warning`: they may be. */
  severity: 'error' | 'warning'
  /** Null where it is about the server, or about all queues. */
  queueName: string | null
  message: string
  /** Effect of a repair; null where only a person can repair it. */
  repair: string | null
  /** The number of things it is about. */
  count: number
  /** Affected jobs, workers or schedules, at most 50,000 of them. */
  jobIds: string[]
  /** The damaged keys it is about. */
  damaged: Damage[]
}

/** Everything that a diagnosis goes by. */
export interface Observed {
  server: ServerSettings
  workers: readonly WorkerInfo[]
  unreadableWorkers?: readonly UnreadableWorker[]
  python?: readonly PythonWorker[]
  queues: readonly ObservedQueue[]
  staleAborts: readonly string[]
  damaged?: readonly Damage[]
  emptyDeadLetters?: readonly string[]
  brokenSchedules?: readonly BrokenSchedule[]
  /** Jobs whose in-progress keys never lapse, though nobody runs them. */
  staleHolds?: readonly string[]
  /** Cron jobs that are paused. */
  pausedCron?: readonly ListedCron[]
  nowMs: number
}

/** A queue as it was examined: `first` saw all its jobs, `again` those that looked wrong, each at one moment. */
export interface ObservedQueue {
  stats: QueueStats
  first: QueueExamination
  again: QueueExamination
  /** True where its health key holds a string that is no health line. */
  hasBadLine: boolean
}

/** A finding as a rule makes it: what it does not say is filled in. */
export type Found = Pick<Finding, 'check' | 'severity' | 'message'> & Partial<Finding>

/** Finds settings of the server by which jobs are lost. */
export function diagnoseServer(server: ServerSettings): Finding[] {
  return [...serverFindings(server)].map((found) => findingOf(found, null))
}

function findingOf(found: Found, queueName: string | null): Finding {
  const jobIds = found.jobIds ?? []
  return { queueName, repair: null, count: Math.max(1, jobIds.length), damaged: [], ...found, jobIds }
}

/** Finds what is wrong, from what was seen. */
export function diagnose(observed: Observed): Finding[] {
  const findings = diagnoseServer(observed.server)
  const add = (found: Found, queueName: string | null = null) => void findings.push(findingOf(found, queueName))
  for (const found of fleetFindings(observed)) add(found)
  for (const queue of observed.queues)
    for (const found of queueFindings(queue, observed)) add(found, queue.stats.queueName)
  return findings
}

function* fleetFindings(observed: Observed): Generator<Found> {
  const { damaged = [], unreadableWorkers = [], emptyDeadLetters = [], staleAborts, staleHolds = [] } = observed
  if (damaged.length > 0) {
    const first = damageText(damaged[0]!)
    const message = damaged.length === 1 ? first : `${count(damaged.length, 'key')} of a wrong type: ${first}`
    const repair = 'rename them to arq:damaged:<key>, where they stay for seven days'
    yield { check: 'wrong-type', severity: 'error', message, repair, count: damaged.length, damaged: [...damaged] }
  }
  for (const { workerId, reason } of unreadableWorkers) {
    const message = `the worker "${showId(workerId)}" is registered, and ${reason}`
    yield { check: 'unreadable-worker', severity: 'warning', message, repair: 'unregister it', jobIds: [workerId] }
  }
  if (emptyDeadLetters.length > 0) {
    const message = `${count(emptyDeadLetters.length, 'dead letter')} without an entry`
    yield { ...noted('empty-dead-letter', 'warning', message, emptyDeadLetters), repair: 'remove them from the list' }
  }
  for (const { isRepairable, name, problem } of observed.brokenSchedules ?? []) {
    const way = isRepairable ? '' : '; put it again, or remove it'
    const message = `the schedule "${showId(name)}" does not tick: ${problem}${way}`
    const repair = isRepairable ? 'write what is missing anew; it ticks from then on' : null
    yield { check: 'broken-schedule', severity: 'error', message, repair, jobIds: [name] }
  }
  if (staleHolds.length > 0) {
    const message = `${count(staleHolds.length, 'in-progress key')} that no worker renews and that never lapse: a job of that id never starts`
    yield { ...noted('stale-hold', 'error', message, staleHolds), repair: 'remove the keys' }
  }
  yield* pausedCron(observed)
  if (staleAborts.length > 0) {
    const message = `${count(staleAborts.length, 'abort request')} for jobs that are neither queued nor running`
    yield { ...noted('stale-abort', 'warning', message, staleAborts), repair: 'drop the requests' }
  }
}

/** Cron jobs that are paused, those whose pause is only advisory apart, by the reason for that. */
function* pausedCron({ pausedCron: paused = [], nowMs }: Observed): Generator<Found> {
  for (const because of new Set([null, ...paused.map(({ pause }) => pause?.because ?? null)])) {
    const jobs = paused.filter(({ pause }) => pause?.because === because)
    const [first] = jobs
    if (!first?.pause) continue
    const { since } = first.pause
    const names = [...new Set(jobs.map(({ name }) => name))]
    const others = names.length > 1 ? ` and ${count(names.length - 1, 'other cron job')}` : ''
    const verb = names.length > 1 ? 'are' : 'is'
    const held = since === null ? '' : `, the first for ${spanText(nowMs - since.getTime())}`
    const soft = because === null ? '' : `; the pause is advisory: ${because}`
    const message = `the cron job "${showId(first.name)}"${others} ${verb} paused${held}${soft}; \`arq-ts cron resume\` ends that`
    yield noted('paused-cron', 'warning', message, names)
  }
}

function noted(check: Finding['check'], severity: Finding['severity'], message: string, ids: readonly string[]): Found {
  return { check, severity, message, jobIds: [...ids], count: ids.length }
}

function* queueFindings({ stats, first, again, hasBadLine }: ObservedQueue, observed: Observed): Generator<Found> {
  const { workers, nowMs } = observed
  const here = workers.filter((worker) => worker.queues.includes(stats.queueName))
  const hasPython = stats.python !== null
  const waitedMs = stats.oldestDueMs === null ? 0 : nowMs - stats.oldestDueMs
  if (here.length === 0 && !hasPython && stats.pending > 0) {
    const message = `${count(stats.pending, 'job')} due, the oldest for ${spanText(waitedMs)}, and no live worker of either language serves the queue`
    yield { check: 'no-workers', severity: waitedMs > IDLE_MS ? 'error' : 'warning', message, count: stats.pending }
  }
  if (here.length > 0 && !hasPython && stats.pending > 0 && here.every(({ state }) => state !== 'running')) {
    const message = `${count(stats.pending, 'job')} due, and every live worker of the queue is quiet or draining; \`arq-ts workers resume\` ends the quiet`
    yield { check: 'quiet-workers', severity: 'warning', message, count: stats.pending }
  }
  if (!hasPython && !stats.paused && stats.pending > 0 && waitedMs > IDLE_MS) {
    const found = slotsTaken(here, nowMs)
    if (found !== null) {
      const message = `${count(stats.pending, 'job')} due, the oldest for ${spanText(waitedMs)}: ${found}`
      yield { check: 'slots-taken', severity: 'warning', message, count: stats.pending }
    }
  }
  for (const found of softLimits(here, hasPython || first.pythonRuns)) yield found
  if (hasBadLine) {
    const message = "its health key holds no line of arq's: `arq --check` takes it for a live worker"
    yield { check: 'bad-health-line', severity: 'warning', message, repair: 'remove the line' }
  }
  if (stats.paused) {
    yield { check: 'paused', severity: 'warning', message: `paused, with ${stats.pending} due` }
  }
  const job = (
    kind: Noted,
    check: Finding['check'],
    severity: Finding['severity'],
    text: string,
    repair: string | null,
  ) =>
    kind.count === 0
      ? []
      : [
          {
            check,
            severity,
            message: `${count(kind.count, 'job')} ${text}`,
            repair,
            count: kind.count,
            jobIds: kind.jobIds,
          },
        ]
  yield* job(
    again.lost(workers, nowMs),
    'lost-in-progress',
    'error',
    'held by workers that are gone',
    'let them run again now',
  )
  const deadly = `that ran when a worker died, up to ${first.mostDeaths} times: such a job may be the cause`
  yield* job(first.deadly, 'deadly-job', 'warning', deadly, null)
  yield* job(
    again.missing,
    'missing-payload',
    'error',
    'without a payload: expired or evicted',
    'take them off the queue',
  )
  const reason = `whose payload no codec reads: ${again.unreadableReason}`
  yield* job(again.unreadable, 'unreadable-payload', 'error', reason, 'move them to the dead letters as they are')
  yield* job(again.badCounter, 'bad-counter', 'error', 'whose try counter is no number', 'remove the counters')
  const never = 'with a score beyond any date, or +inf: they are never due'
  yield* job(again.neverDue, 'never-due', 'error', never, 'make them due now')
  const always = 'with the score -inf: a Python worker that reads one ends with OverflowError'
  yield* job(again.alwaysDue, 'always-due', 'error', always, 'make them due now')
  const foreign = 'whose ids are not UTF-8: a Python worker that reads one ends with UnicodeDecodeError'
  yield* job(first.foreignId, 'foreign-id', hasPython ? 'error' : 'warning', foreign, null)
  // Nobody knows the functions of Python's workers. Where ours run too, their health line is overwritten, but not what they run.
  if (here.length === 0 || hasPython || first.pythonRuns) return
  const known = here.flatMap((worker) => worker.functions)
  for (const [name, waiting] of first.functions) {
    if (serves(known, name)) continue
    const text = `for the function "${showId(name.slice(0, 200))}", which no live worker of the queue has`
    yield* job(waiting, 'unknown-function', 'warning', text, null)
  }
}

/** Says that no slot of these workers is free, and which job has had one for the longest; null where one is free. */
function slotsTaken(here: readonly WorkerInfo[], nowMs: number): string | null {
  const claiming = here.filter(({ state }) => state === 'running')
  if (claiming.length === 0 || claiming.some(({ counters, maxJobs }) => counters.ongoing < maxJobs)) return null
  const slots = claiming.reduce((sum, { maxJobs }) => sum + maxJobs, 0)
  const jobs = claiming.flatMap(({ running }) => running).toSorted((a, b) => a.startedAtMs - b.startedAtMs)
  const longest = jobs[0]
    ? `, the longest by the job "${showId(jobs[0].jobId)}" of "${showId(jobs[0].functionName.slice(0, 200))}", for ${spanText(nowMs - jobs[0].startedAtMs)}`
    : ''
  const workers = claiming.length === 1 ? 'its live worker' : `its ${claiming.length} live workers`
  return `${slots === 1 ? 'the slot' : `all ${slots} slots`} of ${workers} ${slots === 1 ? 'is' : 'are'} taken${longest}`
}

/** Functions whose limits are exceeded by workers that start their jobs without asking. */
function* softLimits(here: readonly WorkerInfo[], hasPython: boolean): Generator<Found> {
  const limited = [...new Set(here.flatMap(({ limitedFunctions = [] }) => limitedFunctions))].sort()
  const isFree = (name: string) => (worker: WorkerInfo) =>
    worker.limitedFunctions !== undefined && worker.functions.includes(name) && !worker.limitedFunctions.includes(name)
  const soft = hasPython ? limited : limited.filter((name) => here.some(isFree(name)))
  if (soft.length === 0) return
  const names = soft.slice(0, 5).map((name) => `"${showId(name.slice(0, 200))}"`)
  const others = soft.length > names.length ? ` and ${soft.length - names.length} more` : ''
  const who = hasPython
    ? 'Python workers serve the queue too, and start due jobs without asking; give them a queue of their own'
    : 'some arq-ts workers of the queue run them without limits; declare the limits on all'
  const message = `limits of ${names.join(', ')}${others} are advisory here: ${who}`
  yield { check: 'soft-limit', severity: 'warning', message, count: soft.length }
}

/** A number of things, with the noun. */
function count(number: number, noun: string): string {
  return `${number.toLocaleString('en-US')} ${noun}${number === 1 ? '' : 's'}`
}
