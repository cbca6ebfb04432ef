import type { PythonWorker, WorkerInfo } from '../fleet/worker-info.ts'
import { spanText } from '../time/span.ts'
import { serves } from '../fleet/worker-info.ts'
import { scoreProblem } from './condition.ts'
import type { JobDetails } from './details.ts'

/** One thing that decides whether a job runs. */
export interface Reason {
  /** Name of the check: `place`, `schedule`, `payload`, `time`, `pause`, `hold`, `limit`, `flow`, `worker`, `function`, `slots`, `abort`, `codec`, `cron`. */
  check: string
  /** False where it keeps the job from running; null where nobody can know. */
  ok: boolean | null
  detail: string
}

/** Everything that an explanation goes by. */
export interface Circumstances {
  nowMs: number
  /** The queue that has the job; null when none has. */
  queue: { queueName: string; paused: boolean } | null
  workers: readonly WorkerInfo[]
  /** Python workers of that queue. */
  python: readonly PythonWorker[]
  /** The cron job whose tick it is, judged by its id, if that cron job is paused. */
  pausedCron?: { name: string; sinceMs: number | null }
}

/** Explains why a job runs, or does not: everything that decides it, in the order in which a worker asks. */
export function explain(job: JobDetails, circumstances: Circumstances): Reason[] {
  const { nowMs, queue, workers, python } = circumstances
  if (['complete', 'failed', 'aborted', 'dead'].includes(job.status)) {
    const again = job.status === 'complete' ? 'enqueue it anew to run it again' : '`job retry` runs it again'
    return [{ check: 'place', ok: false, detail: `it has ended (${job.status}); ${again}` }]
  }
  if (job.status === 'not_found') {
    return [{ check: 'place', ok: false, detail: 'nothing is known of it' }, ...pauseOf(job, circumstances)]
  }
  if (queue === null) {
    return [
      { check: 'place', ok: false, detail: 'its keys exist, but it is in no queue: no worker looks for it' },
      ...holdOf(job),
    ]
  }
  const here = workers.filter((worker) => worker.queues.includes(queue.queueName))
  return [
    { check: 'place', ok: true, detail: `it is in the queue "${queue.queueName}"` },
    ...partsOf(job),
    ...job.problems
      .filter((detail) => detail !== scoreProblem(job.score))
      .map((detail) => ({ check: 'payload', ok: false, detail })),
    ...(job.status === 'running' ? holdOf(job) : timeOf(job, nowMs)),
    ...(queue.paused
      ? [{ check: 'pause', ok: false, detail: 'the queue is paused: arq-ts workers start nothing, Python workers do' }]
      : []),
    ...pauseOf(job, circumstances),
    ...workersOf(job, here, python),
    ...(job.abortAsked === null
      ? []
      : [{ check: 'abort', ok: false, detail: 'its abort was asked for: it ends instead of running' }]),
    ...codecOf(job, python),
  ]
}

/** Checks of the capabilities that a job uses; the check `time` reports what holds it back now. */
function partsOf({ schedule, flow, unique, limits, task, hold }: JobDetails): Reason[] {
  const reasons: Reason[] = []
  const add = (check: string, detail: string) => void reasons.push({ check, ok: true, detail })
  if (schedule !== null) add('schedule', `the schedule "${schedule}" enqueued it`)
  if (flow && hold?.by !== 'flow') add('flow', `it is the member "${flow.member}" of the flow "${flow.flowId}"`)
  if (unique && hold?.by !== 'unique') {
    const other = unique.isOwner ? 'it has' : 'it no longer has'
    add('unique', `${other} the unique key "${unique.key}"`)
  }
  if (limits.length > 0) add('limit', `it has a place in ${limits.map((id) => `"${id}"`).join(', ')}`)
  else if (task && task.limits.length > 0 && hold?.by !== 'limit')
    add('limit', `it needs a place in ${task.limits.map((name) => `"${name}"`).join(', ')}`)
  if (task?.sandbox) add('sandbox', `it runs in a ${task.sandbox} of its own`)
  if (task?.chunk)
    add(
      'chunk',
      `it runs with up to ${task.chunk.size} jobs in one call, and waits ${spanText(task.chunk.waitMs)} for them`,
    )
  return reasons
}

/** The pause of the cron job whose tick it is: it holds back ticks that are not queued yet. */
function pauseOf({ status }: JobDetails, { nowMs, pausedCron }: Circumstances): Reason[] {
  if (!pausedCron) return []
  const { name, sinceMs } = pausedCron
  const paused = sinceMs === null ? 'is paused' : `has been paused for ${spanText(nowMs - sinceMs)}`
  const detail =
    status === 'not_found'
      ? `the cron job "${name}" ${paused}: its ticks are left out; \`arq-ts cron resume\` ends that`
      : `the cron job "${name}" ${paused}; this tick was queued all the same, and runs`
  return [{ check: 'cron', ok: status !== 'not_found', detail }]
}

function holdOf({ holder }: JobDetails): Reason[] {
  if (!holder) return []
  const who = holder.workerId ?? (holder.language === 'python' ? 'a Python worker' : 'an unknown worker')
  const until =
    holder.expiresInMs === null ? 'the hold never lapses' : `the hold lapses in ${spanText(holder.expiresInMs)}`
  if (holder.alive === false) {
    const then = holder.expiresInMs === null ? '; `arq-ts doctor --fix` lets it run again' : ', and then it runs again'
    return [{ check: 'hold', ok: false, detail: `${who} holds it and is gone; ${until}${then}` }]
  }
  return [{ check: 'hold', ok: true, detail: `${who} runs it; unless it is renewed, ${until}` }]
}

function timeOf(job: JobDetails, nowMs: number): Reason[] {
  if (job.score === null) return []
  const problem = scoreProblem(job.score)
  if (problem !== null) return [{ check: 'time', ok: false, detail: `${problem}; \`job run-now\` makes it due now` }]
  const tries = job.jobTry > 0 ? `; it was tried ${job.jobTry === 1 ? 'once' : `${job.jobTry} times`}` : ''
  const why = job.error === null || job.jobTry === 0 ? '' : `, last with ${job.error}`
  if (job.hold) {
    const { about, by, since, waitsFor } = job.hold
    if (by === 'flow') {
      const rest = waitsFor.length > 5 ? ` and ${waitsFor.length - 5} more` : ''
      const names = waitsFor.slice(0, 5).map((name) => `"${name}"`)
      const what = names.length === 0 ? 'it is about to start' : `it waits for ${names.join(', ')}${rest}`
      const held = `held for ${spanText(nowMs - since.getTime())}`
      return [
        { check: by, ok: false, detail: `it is in the flow "${about}": ${what}; ${held}, and it starts by itself` },
      ]
    }
    const held = `it has waited for ${spanText(nowMs - since.getTime())}`
    const what =
      by === 'limit'
        ? `the limit "${about}" has no place for it`
        : by === 'unique'
          ? `the job before it with the unique key "${about}" has not ended`
          : `${by} "${about}" holds it`
    return [{ check: by, ok: false, detail: `${what}; ${held}, no try is counted, and it starts by itself` }]
  }
  const isDue = job.score <= nowMs
  const detail = isDue
    ? `it has been due for ${spanText(nowMs - job.score)}`
    : `it is due in ${spanText(job.score - nowMs)}`
  return [{ check: 'time', ok: isDue, detail: detail + tries + why }]
}

function workersOf(job: JobDetails, here: readonly WorkerInfo[], python: readonly PythonWorker[]): Reason[] {
  if (here.length === 0 && python.length === 0) {
    return [{ check: 'worker', ok: false, detail: 'no live worker of either language serves the queue' }]
  }
  const reasons: Reason[] = []
  const able = here.filter(({ functions }) => job.functionName !== null && serves(functions, job.functionName))
  const names = able.map((worker) => worker.id).slice(0, 5)
  if (here.length > 0) {
    const all = able.length > names.length ? ` and ${able.length - names.length} more` : ''
    const detail =
      able.length > 0
        ? `its function "${job.functionName}" is served by ${names.join(', ')}${all}`
        : `no arq-ts worker of the queue has its function "${job.functionName ?? '?'}"`
    reasons.push({ check: 'function', ok: able.length > 0 ? true : python.length > 0 ? null : false, detail })
  }
  if (python.length > 0) {
    const detail = 'a Python worker serves the queue; nobody knows its functions, and a job that it does not have fails'
    reasons.push({ check: 'worker', ok: null, detail })
  }
  const running = able.filter((worker) => worker.state === 'running')
  const free = running.reduce((sum, { maxJobs, counters }) => sum + Math.max(0, maxJobs - counters.ongoing), 0)
  if (job.status !== 'running' && able.length > 0) {
    const detail =
      running.length === 0
        ? 'all workers that could run it are quiet or draining: `arq-ts workers resume` ends the quiet'
        : free === 0
          ? 'all slots of the workers that could run it are taken'
          : `${free === 1 ? 'a slot is' : `${free} slots are`} free`
    reasons.push({ check: 'slots', ok: free > 0, detail })
  }
  return reasons
}

function codecOf({ codec }: JobDetails, python: readonly PythonWorker[]): Reason[] {
  if (codec === null) return []
  if (codec === 'pickle' || python.length === 0) return [{ check: 'codec', ok: true, detail: `its codec is ${codec}` }]
  const detail = `its codec is ${codec}: a Python worker reads it only with a matching job_deserializer`
  return [{ check: 'codec', ok: null, detail }]
}
