import { parseHealthLine } from '@arq-ts/protocol/jobs'
import { readWorkerInfo } from './worker-info.ts'
import type { PythonWorker, UnreadableWorker, WorkerInfo } from './worker-info.ts'
import type { RedisContext } from '../redis/context.ts'

/** Live workers of both languages. */
export interface Fleet {
  /** Workers of arq-ts, as they last reported. */
  workers: WorkerInfo[]
  /** Entries that nobody can read. */
  unreadable: UnreadableWorker[]
  /** Python workers, by the health lines of their queues. */
  python: PythonWorker[]
}

/** Live workers of both languages: all of ours, and the Python workers of these queues. */
export async function fleetOf(link: RedisContext, queueNames: readonly string[]): Promise<Fleet> {
  const { workers, unreadable } = await registeredWorkers(link)
  return { workers, unreadable, python: await pythonWorkers(link, queueNames, workers) }
}

/** Live workers of ours, by Redis's time, which is known from then on. */
export async function liveWorkers(link: RedisContext): Promise<WorkerInfo[]> {
  return (await registeredWorkers(link)).workers
}

/** Live workers of ours, and those whose entries nobody can read. */
export async function registeredWorkers(
  link: RedisContext,
): Promise<{ workers: WorkerInfo[]; unreadable: UnreadableWorker[] }> {
  await link.syncClock()
  const workers: WorkerInfo[] = []
  const unreadable: UnreadableWorker[] = []
  for (const { workerId, entry } of await link.registry.entries()) {
    const read = readWorkerInfo(entry)
    if (typeof read === 'string') unreadable.push({ workerId, reason: read })
    else workers.push(read)
  }
  return { workers, unreadable }
}

/**
 * The Python workers of these queues, by their health lines. A queue that a worker of ours serves too shows the line of
 * whichever wrote last, and ours is left out, that of a worker which has died since too.
 */
export async function pythonWorkers(
  link: RedisContext,
  queueNames: readonly string[],
  workers: readonly WorkerInfo[],
): Promise<PythonWorker[]> {
  const ours = new Set(workers.map((worker) => worker.healthLine))
  const lines = await link.registry.readHealth(queueNames)
  return queueNames.flatMap((queueName, i) => {
    const health = lines[i]
    const counts = health && !health.isOurs && !ours.has(health.line) ? parseHealthLine(health.line) : undefined
    return health && counts ? [{ queueName, counts, line: health.line, expiresInMs: health.ttlMs }] : []
  })
}
