/** The standing of a queue, from its numbers. Pure. */

import type { QueueRow } from '@arq-ts/dashboard/api'

/** A due job that waits longer than this makes its queue late, in ms. */
const LATE_MS = 60_000

/** True where nothing is wrong with a queue but that its oldest due job waits long. Its rates may not be known yet. */
export function isLate({ state, oldestDueMs }: QueueRow, now: number): boolean {
  return state === 'on-time' && oldestDueMs !== null && now - oldestDueMs > LATE_MS
}

/** True where the state of a queue is a finding. */
export function ill(queue: QueueRow, now: number): boolean {
  return (queue.state !== 'on-time' && queue.state !== 'empty') || isLate(queue, now)
}
