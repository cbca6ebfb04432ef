import type { RecordedFunction } from '@arq-ts/core'
import type { DeclaredFunction, FunctionMap, FunctionRow, UnservedFunction } from '../api/types.ts'
import type { Board } from '../board.ts'
import type { Sight } from '../users/sight.ts'
import { snapshot, snapshotSeen } from './queues.ts'
import type { Snapshot } from './queues.ts'

/** Jobs of one queue, and of all, whose functions are read. */
const PER_QUEUE = 1_000
const IN_ALL = 5_000

/** Jobs of one queue that were looked at, by function. */
interface SampledQueue {
  waiting: ReadonlyMap<string, number>
  running: ReadonlyMap<string, number>
  /** Functions that Python workers run now. */
  pythonRuns: ReadonlySet<string>
}

/** Jobs by queue and function, as far as they were looked at. */
export interface FunctionSample {
  queues: ReadonlyMap<string, SampledQueue>
  /** Tries of the last half hour and those that failed, as far as arq-ts workers record. */
  tried: readonly { queueName: string; functionName: string; failed: number; tries: number }[]
  jobs: number
  complete: boolean
}

/** The sample of nobody who has looked yet. */
export const NO_SAMPLE: FunctionSample = { queues: new Map(), tried: [], jobs: 0, complete: false }

/** A function with the number of its tries, and of those that failed. */
export interface Failing {
  functionName: string
  failed: number
  tries: number
}

/** Failures that are worth a headline: this many, and this share of the tries. */
const MIN_FAILED = 5
const MIN_SHARE = 0.05
const FAILING_MS = 1_800_000

/** Reads the functions of the first jobs of each queue that has any. */
export async function sampleFunctions(board: Board, seen: Snapshot): Promise<FunctionSample> {
  const queues = new Map<string, SampledQueue>()
  const sample = { queues, tried: await triesOf(board, seen.nowMs), jobs: 0, complete: true }
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
    const counts = { waiting: new Map<string, number>(), running: new Map<string, number>() }
    const pythonRuns = new Set<string>()
    for (const { info, status, holder } of jobs) {
      if (!info) continue
      const { functionName } = info
      const of = status === 'running' ? counts.running : counts.waiting
      of.set(functionName, (of.get(functionName) ?? 0) + 1)
      if (status === 'running' && holder === 'python') pythonRuns.add(functionName)
    }
    queues.set(queueName, { ...counts, pythonRuns })
  }
  return sample
}

async function triesOf(board: Board, nowMs: number): Promise<FunctionSample['tried']> {
  const totals = await board.history.totals({ by: ['queue', 'function'], fromMs: nowMs - FAILING_MS })
  return totals.map(({ key, counts }) => {
    const failed = counts.failed + counts.retried
    return { queueName: key.queue ?? '*', functionName: key.function ?? '*', failed, tries: failed + counts.complete }
  })
}

/** The part of a sample that a user may see. */
export async function sampleSeen(sample: FunctionSample, sight: Sight): Promise<FunctionSample> {
  if (sight.isWhole || sample === NO_SAMPLE) return sample
  // Series without a place of their own are recorded under no queue.
  const queueOf = (queueName: string) => (queueName === '*' ? null : queueName)
  return {
    ...sample,
    queues: new Map(await sight.inQueues([...sample.queues], ([queueName]) => queueName)),
    tried: await sight.inQueues(sample.tried, ({ queueName }) => queueOf(queueName)),
  }
}

/** Functions that failed much in the last half hour. */
export function failingFunctions({ tried }: FunctionSample): Failing[] {
  const functions = new Map<string, Failing>()
  for (const { functionName, failed, tries } of tried) {
    const sum = functions.get(functionName) ?? { functionName, failed: 0, tries: 0 }
    functions.set(functionName, { functionName, failed: sum.failed + failed, tries: sum.tries + tries })
  }
  return [...functions.values()]
    .filter(({ failed, tries }) => failed >= MIN_FAILED && failed / tries >= MIN_SHARE)
    .sort((a, b) => b.failed - a.failed)
}

/** Functions that jobs wait for, and no live worker of their queue has. Where Python serves, nobody can know. */
export function unservedFunctions(seen: Snapshot, sample: FunctionSample): UnservedFunction[] {
  return [...sample.queues].flatMap(([queueName, { waiting: counts }]) => {
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
export async function functionMap(board: Board, sight: Sight): Promise<Omit<FunctionMap, 'cost'>> {
  const all = await snapshot(board)
  const sample = await sampleSeen(await board.sample(all), sight)
  const seen = await snapshotSeen(all, sight)
  const recorded = await sight.withQueues(await board.functions())
  const functions = rowsOf({
    seen,
    sample,
    declared: declaredFunctions(recorded),
    dead: await deadByFunction(board, sight),
    ranOnPython: ranOnPython(recorded),
  })
  const limits = ['Python workers do not report their functions: a function is "seen" while a Python worker runs it.']
  if (seen.omitted.length > 0)
    limits.push(`Known queues whose jobs were not looked at: ${seen.omitted.length.toLocaleString('en-US')}.`)
  if (!sample.complete)
    limits.push(`Queued counts are of the first ${sample.jobs.toLocaleString('en-US')} waiting jobs.`)
  return { nowMs: seen.nowMs, functions, sampled: { jobs: sample.jobs, complete: sample.complete }, limits }
}

interface Known {
  seen: Pick<Snapshot, 'queues' | 'workers' | 'python'>
  /** May be older than the snapshot, and name queues and workers that have gone since. */
  sample: FunctionSample
  declared: ReadonlyMap<string, DeclaredFunction>
  /** Dead letters by function. */
  dead: ReadonlyMap<string, number>
  /** Queues of the functions whose jobs have ended on Python workers lately. */
  ranOnPython?: ReadonlyMap<string, readonly string[]>
}

/** A row for each function that is known from anywhere, by name. */
export function rowsOf({ seen, sample, declared, dead, ranOnPython = new Map() }: Known): FunctionRow[] {
  const names = new Set<string>([
    ...seen.workers.flatMap(({ functions }) => functions),
    ...[...sample.queues.values()].flatMap(({ waiting, running }) => [...waiting.keys(), ...running.keys()]),
    ...declared.keys(),
    ...dead.keys(),
  ])
  return [...names].sort().map((functionName): FunctionRow => {
    const workers = seen.workers.filter((worker) => worker.functions.includes(functionName))
    const sampled = [...sample.queues.values()]
    const queues = [...sample.queues].flatMap(([queueName, counts]) => {
      const waiting = counts.waiting.get(functionName) ?? 0
      const row = seen.queues.find((each) => each.queueName === queueName)
      if (waiting === 0 || !row) return []
      const isServed = workers.some((worker) => worker.queues.includes(queueName))
      return [{ queueName, waiting, served: isServed ? true : row.python ? null : false }]
    })
    const where = [...queues.map(({ queueName }) => queueName), ...(ranOnPython.get(functionName) ?? [])]
    const isPossible = where.some((queueName) => seen.python.some((each) => each.queueName === queueName))
    return {
      functionName,
      workers: workers.map(({ id, name, queues: served }) => ({ id, name, queues: served })),
      python: sampled.some(({ pythonRuns }) => pythonRuns.has(functionName))
        ? 'seen'
        : isPossible
          ? 'possible'
          : 'none',
      queues,
      running: sampled.reduce((sum, { running }) => sum + (running.get(functionName) ?? 0), 0),
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

/** The number of dead letters of each function, among those that the user may see. */
async function deadByFunction(board: Board, sight: Sight): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  const letters = await sight.inQueues(await board.deadLetters(), ({ queueName }) => queueName || null)
  for (const { functionName } of letters) counts.set(functionName, (counts.get(functionName) ?? 0) + 1)
  return counts
}

/** Names of the functions of those queues that the user may see, as workers and jobs have shown them. */
export async function functionsSeen(board: Board, sight: Sight): Promise<(functionName: string) => boolean> {
  if (sight.isBroad) return () => true
  const [recorded, dead] = await Promise.all([board.functions(), deadByFunction(board, sight)])
  const names = new Set((await sight.withQueues(recorded)).map(({ name }) => name))
  return (functionName) => names.has(functionName) || dead.has(functionName)
}

function ranOnPython(recorded: readonly RecordedFunction[]): Map<string, readonly string[]> {
  return new Map(
    recorded.filter(({ languages }) => languages.includes('python')).map(({ name, queues }) => [name, queues]),
  )
}

function declaredFunctions(recorded: readonly RecordedFunction[]): Map<string, DeclaredFunction> {
  return new Map(
    recorded.map(({ name, definition }) => [
      name,
      !definition
        ? { schema: null, timeoutMs: null, maxTries: null }
        : { schema: definition.params, timeoutMs: definition.timeoutMs, maxTries: definition.maxTries },
    ]),
  )
}
