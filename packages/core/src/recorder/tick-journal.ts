import type { Keys } from '@arq-ts/protocol/jobs'
import { CallPacker } from './call-packer.ts'
import type { JournalJob, JournalRun } from './journal.ts'
import type { RecorderPart } from './recorder.ts'
import { isLeftOut } from './records.ts'
import type { LeftOut, RecordedTick } from './records.ts'
import type { Language } from './series-name.ts'

/** Ticks kept of a cron job. */
export const MAX_TICKS = 50
/** Cron jobs whose ticks are kept. */
export const MAX_CRON_JOBS = 200
const TTL_MS = 35 * 86_400_000
/** Ticks of one flush. */
const MAX_PER_FLUSH = 100

/** arq's id of a tick: the name of the cron job and the unix ms of the tick. */
const TICK_ID = /^(.+):(\d{12,14})$/

/**
 * The tick that a job stands for, by its id and its function (null if unknown); null for another job, whose id may end in
 * digits as well.
 */
export function tickOf(jobId: string, functionName: string | null): { name: string; atMs: number } | null {
  const [, name, at] = TICK_ID.exec(jobId) ?? []
  return name !== undefined && name === (functionName ?? name) ? { name, atMs: Number(at) } : null
}

/** Keeps how the ticks of cron jobs ended, and which ones a worker left out. */
export class TickJournal implements RecorderPart {
  readonly #keys: Keys
  readonly #workerId: string
  readonly #language: Language
  #ticks: { name: string; tick: RecordedTick }[] = []

  constructor(options: { keys: Keys; workerId: string; language: Language }) {
    this.#keys = options.keys
    this.#workerId = options.workerId
    this.#language = options.language
  }

  /** Notes the end of a job where it is a tick; `run` is undefined where no handler ran. */
  ended(
    { jobId, functionName, queueName }: Omit<JournalJob, 'jobTry'>,
    outcome: 'complete' | 'failed' | 'aborted',
    run: Omit<JournalRun, 'waitMs'> | undefined,
  ): void {
    const found = tickOf(jobId, functionName)
    if (!found) return
    const { startedMs = null, finishedMs = null } = run ?? {}
    this.#add(found.name, { atMs: found.atMs, outcome, jobId, queueName, startedMs, finishedMs })
  }

  /** Notes a tick that is not enqueued. */
  leftOut(name: string, atMs: number, why: LeftOut, queueName: string): void {
    const jobId = `${name}:${atMs}`
    this.#add(name, { atMs, outcome: why, jobId, queueName, startedMs: null, finishedMs: null })
  }

  #add(name: string, tick: Omit<RecordedTick, 'workerId' | 'language'>): void {
    if (this.#ticks.length >= MAX_PER_FLUSH) return
    this.#ticks.push({ name, tick: { ...tick, workerId: this.#workerId, language: this.#language } })
  }

  collect(): CallPacker['calls'] {
    const packer = new CallPacker()
    for (const { name, tick } of this.#ticks.splice(0)) {
      const hasRun = isLeftOut(tick.outcome) ? 0 : 1
      packer.add([this.#keys.obsTicks(name), this.#keys.obsTicked], (hash, index) => {
        const bounds = [MAX_TICKS, MAX_CRON_JOBS, TTL_MS]
        return ['tick', hash!, index!, ...bounds, name, tick.atMs, JSON.stringify(tick), hasRun]
      })
    }
    return packer.calls
  }
}
