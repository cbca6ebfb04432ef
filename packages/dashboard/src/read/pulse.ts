import type { QueueStats } from '@arq-ts/core'
import type { QueueRow } from '../api/types.ts'

const KEPT_MS = 300_000
const MIN_SPAN_MS = 10_000
const MIN_GAP_MS = 1_000

interface Sample {
  atMs: number
  pending: number
  members: number
  ended: number
}

/** Rates of queues, from what this process has seen of them in the last five minutes. */
export class Pulse {
  readonly #samples = new Map<string, Sample[]>()

  /** Takes note of a queue's numbers. */
  note(stats: QueueStats, nowMs: number): void {
    const ended = stats.complete + stats.failed + stats.aborted
    const members = stats.pending + stats.deferred + stats.running
    let samples = this.#samples.get(stats.queueName) ?? []
    const last = samples.at(-1)
    if (last && nowMs - last.atMs < MIN_GAP_MS) return
    // Counters that fall have begun anew: a Python worker was restarted.
    if (last && ended < last.ended) samples = []
    samples = samples.filter(({ atMs }) => nowMs - atMs <= KEPT_MS)
    samples.push({ atMs: nowMs, pending: stats.pending, members, ended })
    this.#samples.set(stats.queueName, samples)
  }

  /**
   * Jobs a minute. `in` and `out` are unknown where a Python worker serves the queue: it reports its counters once an
   * hour, while the change of what is due is seen whoever works.
   */
  rates(queueName: string, hasPython: boolean): QueueRow['rates'] {
    const samples = this.#samples.get(queueName) ?? []
    const [first, last] = [samples[0], samples.at(-1)]
    if (!first || !last || last.atMs - first.atMs < MIN_SPAN_MS) return null
    const overMs = last.atMs - first.atMs
    const perMinute = (count: number) => Math.round((count * 600_000) / overMs) / 10
    const out = last.ended - first.ended
    return {
      inPerMinute: hasPython ? null : perMinute(out + last.members - first.members),
      outPerMinute: hasPython ? null : perMinute(out),
      netPerMinute: perMinute(last.pending - first.pending),
      overMs,
    }
  }
}

/**
 * Time at which a queue empties if what is due keeps changing as it does. A few jobs that are due all the time are a queue
 * at work: only one that is `behind` never empties.
 */
export function emptiesAt(
  pending: number,
  rates: QueueRow['rates'],
  nowMs: number,
  isBehind = true,
): QueueRow['emptiesAt'] {
  if (pending === 0) return 'empty'
  if (rates === null) return null
  if (rates.netPerMinute >= 0) return isBehind ? 'never' : null
  return Math.round(nowMs + (pending / -rates.netPerMinute) * 60_000)
}
