import type { KeyEvent } from './plan.ts'

/** Counters of the whole fleet. */
export type Counted = 'writes' | 'persisted' | 'failures'
/** The event that counts, by its kind. */
export const COUNTED: Partial<Record<KeyEvent['kind'], Counted>> = {
  write: 'writes',
  persisted: 'persisted',
  failed: 'failures',
}

/** Figures about the writes that wait. */
export interface StoreFigures {
  /** Keys whose value waits to be persisted, those that failed for good included. */
  dirty: number
  /** Keys among them whose value failed for good. */
  dead: number
  /** Time the value that waits longest has waited, in ms; 0 when none waits. Without those that failed for good. */
  oldestMs: number
  /** Time by which the most overdue value is late, in ms; 0 when none is overdue. */
  overdueMs: number
  /** Writes accepted since Redis was empty. */
  writes: number
  /** Values made durable; fewer than writes, since writes of a key join. */
  persisted: number
  /** Persister runs that failed, each try of each key counted. */
  failures: number
}
