import type { DeclaredFunction, FunctionMap, FunctionRow, UnservedFunction } from '../api/types.ts'
import type { Board } from '../board.ts'
import { snapshot } from './queues.ts'
import type { Snapshot } from './queues.ts'

/** Jobs of one queue, and of all, whose functions are read. */
const PER_QUEUE = 1_000
const IN_ALL = 5_000

/** Waiting jobs by queue and function, as far as they were looked at. */
export interface FunctionSample {
  waiting: Map<string, Map<string, number>>
  /** Functions that Python workers run now. */
  pythonRuns: Set<string>
  running: Map<string, number>
  /** Functions that failed much in the last half hour, as far as arq-ts workers record. */
  failing: { functionName: string; failed: number; tries: number }[]
  jobs: number
  complete: boolean
}

/** Failures that are worth a headline: this many, and this share of the tries. */
const MIN_FAILED = 5
const MIN_SHARE = 0.05
const FAILING_MS = 1_800_000

/** Reads the functions of the first jobs of each queue that has any. */
export async function sampleFunctions(board: Board, seen: Snapshot): Promise<FunctionSample> {
  const sample: FunctionSample = {
    waiting: new Map(),
    pythonRuns: new Set(),
    running: new Map(),
    failing: await failingFunctions(board, seen.nowMs),
    jobs: 0,
    complete: true,
  }
  for (const { queueName, pending, deferred, running } of seen.queues) {
    if (pending + deferred + running === 0) continue
    const budget = Math.min(PER_QUEUE, IN_ALL - sample.jobs)
    if (budget <= 0) {
      sample.complete = false
      break
    }
    const { jobs, cursor } = await board.client.jobs.page({ queueNames: [queueName], limit: budget, budget })
    sample.jobs += jobs.length
    if (cursor !== null) sample.complete = false
    const counts = new Map<string, number>()
    for (const { info, status, holder } of jobs) {
      if (!info) continue
      const { functionName } = info
      if (status !== 'running') counts.set(functionName, (counts.get(functionName) ?? 0) + 1)
      else {
        sample.running.set(functionName, (sample.running.get(functionName) ?? 0) + 1)
        if (holder === 'python') sample.pythonRuns.add(functionName)
      }
    }
    sample.waiting.set(queueName, counts)
  }
  return sample
}

async function failingFunctions(board: Board, nowMs: number): Promise<FunctionSample['failing']> {
  const totals = await board.history.totals({ by: 'function', fromMs: nowMs - FAILING_MS })
  return totals
    .map(({ key, counts }) => {
      const failed = counts.failed + counts.retried
      return { functionName: key.function ?? '*', failed, tries: failed + counts.complete }
    })
    .filter(({ failed, tries }) => failed >= MIN_FAILED && failed / tries >= MIN_SHARE)
    .sort((a, b) => b.failed - a.failed)
}

/** Functions that jobs wait for, and no live worker of their queue has. Where Python serves, nobody can know. */
export function unservedFunctions(seen: Snapshot, sample: FunctionSample): UnservedFunction[] {
  return [...sample.waiting].flatMap(([queueName, counts]) => {
    const row = seen.queues.find((each) => each.queueName === queueName)
    if (!row || row.python) return []
    const known = new Set(
      seen.workers.filter(({ queues }) => queues.includes(queueName)).flatMap(({ functions }) => functions),
    )
    return [...counts]
      .filter(([functionName]) => !known.has(functionName))
      .map(([functionName, waiting]) => ({ functionName, queueName, waiting }))
  })
}

/** The capability map: who declares, needs and runs each function. */
export async function functionMap(board: Board): Promise<Omit<FunctionMap, 'cost'>> {
  const seen = await snapshot(board)
  const sample = await board.sample(seen)
  const functions = rowsOf({
    seen,
    sample,
    declared: await declaredFunctions(board),
    dead: await board.deadByFunction(),
  })
  const limits = ['Python workers do not report their functions: a function is "seen" while a Python worker runs it.']
  if (!sample.complete)
    limits.push(`Only the first ${sample.jobs.toLocaleString('en-US')} waiting jobs were looked at.`)
  return { nowMs: seen.nowMs, functions, sampled: { jobs: sample.jobs, complete: sample.complete }, limits }
}

interface Known {
  seen: Pick<Snapshot, 'queues' | 'workers' | 'python'>
  /** May be older than the snapshot, and name queues and workers that have gone since. */
  sample: FunctionSample
  declared: ReadonlyMap<string, DeclaredFunction>
  /** Dead letters by function. */
  dead: ReadonlyMap<string, number>
}

/** A row for each function that is known from anywhere, by name. */
export function rowsOf({ seen, sample, declared, dead }: Known): FunctionRow[] {
  const names = new Set<string>([
    ...seen.workers.flatMap(({ functions }) => functions),
    ...[...sample.waiting.values()].flatMap((counts) => [...counts.keys()]),
    ...sample.running.keys(),
    ...declared.keys(),
    ...dead.keys(),
  ])
  return [...names].sort().map((functionName): FunctionRow => {
    const workers = seen.workers.filter((worker) => worker.functions.includes(functionName))
    const queues = [...sample.waiting].flatMap(([queueName, counts]) => {
      const waiting = counts.get(functionName) ?? 0
      const row = seen.queues.find((each) => each.queueName === queueName)
      if (waiting === 0 || !row) return []
      const isServed = workers.some((worker) => worker.queues.includes(queueName))
      return [{ queueName, waiting, served: isServed ? true : row.python ? null : false }]
    })
    const isPossible = queues.some(({ queueName }) => seen.python.some((each) => each.queueName === queueName))
    return {
      functionName,
      workers: workers.map(({ id, name, queues: served }) => ({ id, name, queues: served })),
      python: sample.pythonRuns.has(functionName) ? 'seen' : isPossible ? 'possible' : 'none',
      queues,
      running: sample.running.get(functionName) ?? 0,
      dead: dead.get(functionName) ?? 0,
      unserved: queues.some(({ served }) => served === false)
        ? true
        : queues.some(({ served }) => served === null)
          ? null
          : false,
      declared: declared.get(functionName) ?? null,
    }
  })
}

async function declaredFunctions(board: Board): Promise<Map<string, DeclaredFunction>> {
  const recorded = await board.history.functions()
  return new Map(
    recorded.map(({ name, definition }) => [
      name,
      !definition
        ? { schema: null, timeoutMs: null, maxTries: null }
        : { schema: definition.params, timeoutMs: definition.timeoutMs, maxTries: definition.maxTries },
    ]),
  )
}
