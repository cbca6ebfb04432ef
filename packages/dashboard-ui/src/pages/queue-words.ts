/** The standing of a queue, from its numbers. Pure. */

import type { QueueRow } from '@arq-ts/dashboard/api'
import { count, digits, number } from '../format/number.ts'

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

/** A number of jobs of a queue, with a sign where it is a bound: running ones are looked for among the first alone. */
export function jobsIn({ exact }: Pick<QueueRow, 'exact'>, jobs: number, bound: '≤ ' | '≥ '): string {
  return (exact || (bound === '≤ ' && jobs === 0) ? '' : bound) + number(jobs)
}

/** The jobs of all queues, in a sentence. */
export function jobsInAll(queues: readonly Pick<QueueRow, 'deferred' | 'exact' | 'pending'>[]): string {
  const sum = (of: 'deferred' | 'pending') => queues.reduce((total, queue) => total + queue[of], 0)
  const most = queues.every(({ exact }) => exact) ? '' : 'At most '
  return `${most}${digits(sum('pending'), 'job')} due, ${number(sum('deferred'))} deferred, in ${count(queues.length, 'queue')}.`
}
