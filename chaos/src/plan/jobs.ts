import type { Random } from './random.ts'

/** Functions of the fleet. Each takes `(nonce, ms, failures)`, in both languages. */
export const TASKS = {
  /** Sleeps `ms` and returns. */
  work: { keepResultMs: 3_600_000, maxTries: 40 },
  /** Raises `Retry` until its try is past `failures`. */
  flaky: { keepResultMs: 3_600_000, maxTries: 40 },
  /** Raises an error each time: a dead letter. */
  failing: { keepResultMs: 3_600_000, maxTries: 40 },
  /** Raises an error until its try is past `failures`; our workers retry it by a policy, Python's do not. */
  stubborn: { keepResultMs: 3_600_000, maxTries: 40 },
  /** Has an id of few, which comes again. */
  unique: { keepResultMs: 1_500, maxTries: 40 },
} as const

export type TaskName = keyof typeof TASKS

/** Name of the cron job that both languages have: one tick each second. */
export const TICK = 'cron:tick'
/** A cron job of ours that must not overlap. */
export const SKIPPING_TICK = 'cron:skipping'

/** Job of a producer, before it has a nonce. */
export interface JobPlan {
  task: TaskName
  ms: number
  failures: number
  deferByMs: number
  jobId: string | undefined
  /** Time at which the producer asks for its abort, in ms from the enqueue. */
  abortAfterMs: number | undefined
}

/** Unique ids in use. */
const UNIQUE_IDS = 40

/** The next job of a producer. `leaseMs` makes some run longer than one lease. */
export function planJob(random: Random, leaseMs: number): JobPlan {
  const plan: JobPlan = {
    task: 'work',
    ms: random.whole(0, 60),
    failures: 0,
    deferByMs: 0,
    jobId: undefined,
    abortAfterMs: undefined,
  }
  const draw = random.next()
  if (draw < 0.5) return plan
  if (draw < 0.62) return { ...plan, ms: random.whole(200, 1_500) }
  if (draw < 0.625) return { ...plan, ms: Math.round(leaseMs * random.between(1.1, 1.5)) }
  if (draw < 0.72) return { ...plan, deferByMs: random.whole(200, 12_000) }
  if (draw < 0.8) return { ...plan, task: 'flaky', failures: random.whole(1, 3) }
  if (draw < 0.84) return { ...plan, task: 'failing' }
  if (draw < 0.88) return { ...plan, task: 'stubborn', failures: random.whole(1, 2) }
  if (draw < 0.95) return { ...plan, task: 'unique', jobId: `unique:${random.whole(1, UNIQUE_IDS)}` }
  const deferByMs = random.chance(0.4) ? random.whole(200, 3_000) : 0
  return { ...plan, ms: random.whole(300, 2_500), deferByMs, abortAfterMs: random.whole(0, 2_500) }
}
