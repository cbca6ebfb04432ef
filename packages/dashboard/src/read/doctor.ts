import type { Examination } from '@arq-ts/core'
import type { DoctorReport } from '../api/types.ts'
import type { Board } from '../board.ts'
import type { Sight } from '../users/sight.ts'

const KEYS = 500_000
const MAX_IDS = 100
/** An examination is shared by whoever asks while it runs, and for this long after it. */
const SHARED_MS = 10_000

/** Examinations of the fleet, one at a time: each reads many jobs. */
export class Examinations {
  readonly #board: Board
  #latest: { limit: number; until: number; value: Promise<Examination> } | undefined

  constructor(board: Board) {
    this.#board = board
  }

  /** The newest examination of at least `limit` jobs of each queue. */
  examine(limit: number): Promise<Examination> {
    const latest = this.#latest
    if (latest && latest.limit >= limit && performance.now() < latest.until) return latest.value
    const value = this.#board.client.doctor.examine({ limit, scanKeys: KEYS })
    const next = { limit, until: Infinity, value }
    this.#latest = next
    value.then(
      () => (next.until = performance.now() + SHARED_MS),
      () => (next.until = 0),
    )
    return value
  }

  /** The next one looks again: something was repaired. */
  forget(): void {
    this.#latest = undefined
  }
}

const UNSEEN = 'findings about the server, and about queues that you may not see, are left out'

/** The doctor's report. Its findings about the server may name any queue: a user from whom one is hidden sees none. */
export async function doctorReport(board: Board, limit: number, sight: Sight): Promise<Omit<DoctorReport, 'cost'>> {
  const { findings, queueNames, jobs, incomplete } = await board.examinations.examine(limit)
  const seen = await sight.inQueues(findings, ({ queueName }) => queueName)
  return {
    nowMs: await board.client.now(),
    findings: seen.map(({ check, severity, queueName, message, repair, count, jobIds }) => ({
      check,
      severity,
      queueName,
      message,
      repair,
      count,
      jobIds: jobIds.slice(0, MAX_IDS),
    })),
    queues: await sight.inQueues(queueNames, (name) => name),
    jobs,
    incomplete: sight.isBroad ? incomplete : [UNSEEN],
  }
}
