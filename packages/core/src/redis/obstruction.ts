import { idToBytes, shortId } from '@arq-ts/protocol/jobs'
import { readScore } from './scores.ts'

/** A member of a queue by its place in the order: score, then id by bytes. */
export interface Member {
  jobId: string
  /** As Redis writes it. */
  score: string
}

/** Reason why a due job cannot be claimed by this worker. */
export type Obstacle = 'held' | 'expired' | 'faulty' | 'foreign'

/** Result of a look at one member. */
export interface Sifted extends Member {
  obstacle: Obstacle | undefined
}

/** Obstruction of a queue. */
export interface ObstructionReport {
  queueName: string
  /** Number of jobs of each kind that the last look over the whole stretch met. */
  counts: Readonly<Record<Obstacle, number>>
  /** The first of them. */
  firstId: string
}

/** Members per look: few where jobs are found, more while there are none. */
const MIN_PAGE = 64
const MAX_FRONT_PAGE = 4_000
const SWEEP_PAGE = 1_000
/** Pauses between looks, in ms, which bound the work of Redis: at the front, over what was passed, at the head. */
const FRONT_PAUSE_MS = 20
const MAX_FRONT_PAUSE_MS = 640
const SWEEP_PAUSE_MS = 100
const HEAD_PAUSE_MS = 500
const BETWEEN_SWEEPS_MS = 2_000
const LOOK_AGAIN_MS = 1_000
/** Jobs without a payload are ended at this pace: they cost as much as jobs that run. */
const EXPIRED_PAUSE_MS = 5
const MAX_EXPIRED = 1_000
/** With fewer obstacles than this the queue counts as clear: the ordinary way of looking passes them at no cost. */
const FEW = 100
/** A stretch is reported again after this time. */
const REPORT_AGAIN_MS = 60_000

/** Next place to look at. */
export type Look = { at: 'front' | 'sweep' | 'head'; after: Member | undefined; count: number }

/**
 * A stretch at the head of a queue that holds next to nothing for this worker, and the way around it.
 *
 * Jobs are taken from behind the anchor, the last member of the stretch. Three looks keep that right, each a bounded
 * page at a bounded pace: the front moves the anchor past further obstacles; the sweep goes over the stretch again and
 * again, for what can be claimed by now; the head is looked at for jobs that were queued before all others.
 *
 * growing: the front has met obstacles only → known: it has met a job, or the end of what is due → … → clear: a sweep
 * has met few obstacles
 */
export class Obstruction {
  /** The end of the stretch; undefined while it has no member. */
  anchor: Member | undefined
  mode: 'growing' | 'known' | 'clear' = 'growing'
  readonly #expired: string[] = []
  #frontPage = MIN_PAGE
  #frontPauseMs = FRONT_PAUSE_MS
  #frontAtMs = 0
  #sweepAfter: Member | undefined
  #sweepAtMs: number
  #headAtMs: number
  #expiredAtMs = 0
  #counts = noCounts()
  #swept = noCounts()
  #firstId = ''
  #reportAtMs = 0

  constructor(nowMs: number) {
    this.#sweepAtMs = nowMs + BETWEEN_SWEEPS_MS
    this.#headAtMs = nowMs + HEAD_PAUSE_MS
  }

  /** The next look that is due, if any; one whose answer never comes is due again. `nowMs` is monotonic. */
  next(nowMs: number): Look | undefined {
    const again = nowMs + LOOK_AGAIN_MS
    if (nowMs >= this.#frontAtMs) {
      this.#frontAtMs = again
      return { at: 'front', after: this.anchor, count: this.#frontPage }
    }
    if (this.mode === 'growing') return undefined
    if (nowMs >= this.#headAtMs) {
      this.#headAtMs = again
      return { at: 'head', after: undefined, count: MIN_PAGE }
    }
    if (nowMs >= this.#sweepAtMs) {
      this.#sweepAtMs = again
      return { at: 'sweep', after: this.#sweepAfter, count: SWEEP_PAGE }
    }
    return undefined
  }

  /** The time until a look is due, or a job without a payload may be ended, in ms. */
  pauseMs(nowMs: number): number {
    if (this.mode === 'growing') return Math.max(0, this.#frontAtMs - nowMs)
    const ends = this.#expired.length > 0 ? this.#expiredAtMs : Infinity
    return Math.max(0, Math.min(this.#frontAtMs, this.#headAtMs, this.#sweepAtMs, ends) - nowMs)
  }

  /** Takes in what a look found; returns the jobs that can be claimed now, `room` at most. */
  found(look: Look, members: readonly Sifted[], room: number, nowMs: number): string[] {
    if (look.at === 'front') return this.#frontFound(look, members, nowMs)
    const stretch = this.anchor
    const within = members.filter((member) => stretch !== undefined && !isBehind(member, stretch))
    if (look.at === 'head') {
      this.#headAtMs = nowMs + HEAD_PAUSE_MS
      return free(within).slice(0, room)
    }
    return this.#sweepFound(look, within, members.length, room, nowMs)
  }

  /** The claims of what was found behind the anchor brought nothing: there are more obstacles. */
  metObstacles(nowMs: number): void {
    this.#frontPauseMs = FRONT_PAUSE_MS
    this.#frontAtMs = Math.min(this.#frontAtMs, nowMs + FRONT_PAUSE_MS)
  }

  /** Up to `room` jobs without a payload, to be ended at a bounded pace. */
  takeExpired(room: number, nowMs: number): string[] {
    if (this.mode === 'growing' || room <= 0 || nowMs < this.#expiredAtMs || this.#expired.length === 0) return []
    this.#expiredAtMs = nowMs + EXPIRED_PAUSE_MS
    return this.#expired.splice(0, room)
  }

  /** Report of the obstruction, where it is known and was not reported lately. */
  report(nowMs: number): Omit<ObstructionReport, 'queueName'> | undefined {
    if (this.mode !== 'known' || nowMs < this.#reportAtMs || total(this.#counts) < FEW) return undefined
    this.#reportAtMs = nowMs + REPORT_AGAIN_MS
    return { counts: { ...this.#counts }, firstId: this.#firstId }
  }

  /** The leading obstacles join the stretch; the jobs behind them are found in the ordinary way, behind the anchor. */
  #frontFound(look: Look, members: readonly Sifted[], nowMs: number): string[] {
    let passed = 0
    for (const member of members) {
      if (member.obstacle === undefined) break
      if (this.anchor === undefined) this.#firstId = member.jobId
      this.anchor = member
      this.#counts[member.obstacle]++
      this.#remember(member)
      passed++
    }
    if (passed === look.count) {
      this.#frontPage = Math.min(4 * this.#frontPage, MAX_FRONT_PAGE)
      this.#frontPauseMs = FRONT_PAUSE_MS
    } else {
      if (this.mode === 'growing') this.mode = 'known'
      this.#frontPage = MIN_PAGE
      this.#frontPauseMs = passed > 0 ? FRONT_PAUSE_MS : Math.min(2 * this.#frontPauseMs, MAX_FRONT_PAUSE_MS)
    }
    this.#frontAtMs = nowMs + this.#frontPauseMs
    return []
  }

  #sweepFound(look: Look, within: readonly Sifted[], looked: number, room: number, nowMs: number): string[] {
    const jobs: string[] = []
    this.#sweepAtMs = nowMs + SWEEP_PAUSE_MS
    for (const member of within) {
      if (member.obstacle === undefined && jobs.length === room) return jobs
      if (member.obstacle === undefined) jobs.push(member.jobId)
      else {
        if (total(this.#swept) === 0) this.#firstId = member.jobId
        this.#swept[member.obstacle]++
        this.#remember(member)
      }
      this.#sweepAfter = member
    }
    if (within.length === looked && looked === look.count) return jobs
    // Once over the whole stretch.
    this.#counts = this.#swept
    this.#swept = noCounts()
    this.#sweepAfter = undefined
    this.#sweepAtMs = nowMs + BETWEEN_SWEEPS_MS
    if (total(this.#counts) < FEW && this.mode === 'known') this.mode = 'clear'
    return jobs
  }

  #remember({ obstacle, jobId }: Sifted): void {
    if (obstacle === 'expired' && this.#expired.length < MAX_EXPIRED) this.#expired.push(jobId)
  }
}

function free(members: readonly Sifted[]): string[] {
  return members.filter((member) => member.obstacle === undefined).map((member) => member.jobId)
}

function noCounts(): Record<Obstacle, number> {
  return { held: 0, expired: 0, faulty: 0, foreign: 0 }
}

function total({ held, expired, faulty, foreign }: Record<Obstacle, number>): number {
  return held + expired + faulty + foreign
}

/** True when a member comes after another in their queue. */
function isBehind(member: Member, other: Member): boolean {
  const [a, b] = [readScore(member.score), readScore(other.score)]
  return a === b ? compareBytes(idToBytes(member.jobId), idToBytes(other.jobId)) > 0 : a > b
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return a.length - b.length
}

/** The log line about a stretch that stands in the way. */
export function describeObstruction({ queueName, counts, firstId }: ObstructionReport): string {
  const kinds = [
    [counts.held, 'held by other workers'],
    [counts.expired, 'without a payload'],
    [counts.faulty, 'with faulty keys'],
    [counts.foreign, 'of functions that this worker does not have'],
  ] as const
  const parts = kinds.filter(([count]) => count > 0).map(([count, kind]) => `${count} ${kind}`)
  return (
    `queue '${shortId(queueName, 200)}': ${total(counts)} due jobs at its head cannot be claimed by this worker ` +
    `(${parts.join(', ')}); the first is '${shortId(firstId, 200)}'; jobs behind them still run`
  )
}
