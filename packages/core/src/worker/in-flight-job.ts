import type { Claim } from '../redis/broker.ts'
import type { Pass } from '../gates/gate.ts'
import type { HandlerRun } from './running/handler-run.ts'
import type { Indexed } from './swap-list.ts'

/**
 * One job from its claim to its settlement: the only record of it in this worker.
 *
 * claimed → running → settling → settled
 * claimed → settling, where it fails or goes back without a run; a job with a pass is held there, or dropped
 *
 * It takes a slot from its claim on, gives the slot back as its settlement begins, and has its lease renewed until it
 * is settled or the lease is lost.
 */
export class InFlightJob implements Indexed {
  index = -1
  readonly claim: Claim
  phase: 'claimed' | 'running' | 'settling' | 'settled' = 'claimed'
  /** True while the job counts against `maxJobs`. An abort of a job that does not run takes no slot. */
  hasSlot: boolean
  /** True once another worker may have the job: nothing of it is renewed or settled any more. */
  isLost = false
  /**
   * Set while Redis has yet to confirm that a job which was handed over is taken: resolves with true once it is, and with
   * false where it is lost. Until then the job has no lease that could be renewed, and what is fenced by the lease may fail.
   */
  taking: Promise<boolean> | undefined
  /** The moment up to which the lease holds for certain, on the monotonic clock, in ms. */
  leasedUntilMs: number
  /**
   * The moment past which the lease is not extended, on the monotonic clock, in ms: the job's own timeout and the grace to
   * end. A clock that is set, Redis's or this machine's, must not end it early.
   */
  leaseDeadlineMs = Infinity
  /** The handler at work, from phase `running` on. */
  run: HandlerRun | undefined
  /** The pass of a job that a capability has a say in, a limit say. */
  pass: Pass | undefined

  constructor(claim: Claim, leasedUntilMs: number, hasSlot: boolean) {
    this.claim = claim
    this.leasedUntilMs = leasedUntilMs
    this.hasSlot = hasSlot
  }
}
