import type { Keys } from '@arq-ts/protocol/jobs'
import { readWorkerInfo } from '../fleet/worker-info.ts'
import type { WorkerInfo } from '../fleet/worker-info.ts'
import type { QueueRecords } from '../redis/queues.ts'
import type { RecordCall, Recordings } from '../redis/recordings.ts'
import type { WorkerRegistry } from '../redis/worker-registry.ts'
import { planGauges } from './plan.ts'
import type { RecorderPart } from './recorder.ts'
import { minuteOf, placeOf, RESOLUTIONS } from './slots.ts'

const [FINEST] = RESOLUTIONS

export interface QueueGaugesOptions {
  keys: Keys
  recordings: Recordings
  queues: QueueRecords
  registry: WorkerRegistry
  queueNames: readonly string[]
  leaseMs: number
}

/**
 * Measures the queues of a worker once a minute: length, age, and the slots of the workers of ours that serve it. The
 * first worker whose flush falls into a minute does it for all.
 */
export class QueueGauges implements RecorderPart {
  readonly #options: QueueGaugesOptions
  #measuredMs = 0

  constructor(options: QueueGaugesOptions) {
    this.#options = options
  }

  async collect(nowMs: number): Promise<RecordCall[]> {
    const minuteMs = minuteOf(nowMs)
    if (minuteMs === this.#measuredMs) return []
    this.#measuredMs = minuteMs
    const { keys, queueNames, recordings, registry } = this.#options
    const { block, slot } = placeOf(FINEST, minuteMs)
    const ours: string[] = []
    for (const name of queueNames) {
      if (await recordings.takeTurn(keys.obsDepth(FINEST.name, name, block), String(slot), FINEST.ttlMs))
        ours.push(name)
    }
    if (ours.length === 0) return []
    const workers = (await registry.entries())
      .map(({ entry }) => readWorkerInfo(entry))
      .filter((worker): worker is WorkerInfo => typeof worker !== 'string' && worker.state === 'running')
    const calls: RecordCall[] = []
    for (const name of ours) calls.push(await this.#measure(name, workers, minuteMs, nowMs))
    return calls
  }

  async #measure(name: string, workers: readonly WorkerInfo[], minuteMs: number, nowMs: number): Promise<RecordCall> {
    const { keys, leaseMs, queues } = this.#options
    const serving = workers.filter((worker) => worker.queues.includes(name))
    const longestMs = Math.max(leaseMs, ...serving.map((worker) => worker.leaseMs))
    const { due, oldestDueMs, runningDue, runningLater, total } = await queues.counts(name, longestMs)
    const running = runningDue + runningLater
    const capacity = serving.reduce((sum, worker) => sum + worker.maxJobs, 0)
    const oldestMs = oldestDueMs === null ? 0 : Math.max(0, Math.round(nowMs - oldestDueMs))
    const sums = [1, Math.max(0, total - running), Math.max(0, due - runningDue), running, capacity]
    return planGauges(keys, name, { sums, maxima: [oldestMs] }, minuteMs)
  }
}
