import { slotOf } from './entries.ts'
import type { Book, Disturbance, Run } from './book.ts'

/** A disturbance is over a little later than its cause: clients notice it, and reconnect with a delay. */
const RECONNECT_MS = 1_500

/** Faults that a job survives without a second run: a connection that comes back, a script that is loaded again. */
const HARMLESS = new Set(['cut', 'connect', 'flush', 'kill', 'term'])

/**
 * Ids of jobs that a failover met: it began before their last end was replicated, and was over after they were accepted.
 * What was acknowledged in that time may be gone.
 */
export function failedOver(book: Pick<Book, 'disturbances' | 'stories' | 'unrun'>): Set<string> {
  const failovers = book.disturbances.filter(({ kind }) => kind === 'failover')
  const met = new Set<string>()
  const meet = (jobId: string | undefined, fromMs: number, untilMs: number) => {
    if (jobId !== undefined && overlapping(failovers, fromMs, untilMs + RECONNECT_MS).length > 0) met.add(jobId)
  }
  for (const { jobId, acceptedMs = Infinity, runs } of book.stories.values()) {
    const fromMs = Math.min(acceptedMs, ...runs.map(({ startMs }) => startMs))
    const lastMs = runs.map(({ startMs, endMs = startMs, settledMs = endMs }) => settledMs)
    meet(jobId, fromMs, runs.length === 0 ? Infinity : Math.max(...lastMs))
  }
  for (const { jobId, atMs } of book.unrun) meet(jobId, -Infinity, atMs)
  return met
}

/** Finds the fault that explains why a job ran again, or why something was late. */
export class Explainer {
  readonly #leaseMs: number
  readonly #exits: ReadonlyMap<string, { atMs: number; cause: string; status: string }>
  readonly #everybody: Disturbance[]
  readonly #targeted = new Map<string, Disturbance[]>()

  constructor(book: Pick<Book, 'disturbances' | 'exits'>, leaseMs: number) {
    this.#leaseMs = leaseMs
    this.#exits = new Map(book.exits.map((exit) => [exit.worker, exit]))
    const lasting = book.disturbances.filter(({ kind }) => !HARMLESS.has(kind))
    this.#everybody = lasting.filter(({ target }) => target === undefined)
    for (const each of lasting) {
      if (each.target === undefined) continue
      const known = this.#targeted.get(each.target)
      if (known) known.push(each)
      else this.#targeted.set(each.target, [each])
    }
  }

  /**
   * The fault that let a job run again although `run` had begun; undefined where none does.
   *
   * A lease lapses when its worker is gone, or could not renew it for two thirds of its length (it is renewed each
   * third). A failover may also lose what was settled just before it.
   */
  rerun(run: Run, againMs: number): string | undefined {
    const exit = this.#exits.get(run.worker)
    if (exit && exit.atMs >= run.startMs && exit.atMs <= againMs) return exit.cause || `exit ${exit.status}`
    const during = this.during(run.worker, run.startMs, againMs)
    const failover = during.find(({ kind }) => kind === 'failover')
    if (failover) return failover.kind
    const impaired = longestStretch(during)
    return impaired && impaired.lengthMs >= (this.#leaseMs * 2) / 3 ? impaired.kinds.join('+') : undefined
  }

  /** Disturbances of one worker, and of everybody, that overlap a time. */
  during(worker: string, fromMs: number, untilMs: number): Disturbance[] {
    const mine = [...(this.#targeted.get(slotOf(worker)) ?? []), ...(this.#targeted.get(worker) ?? [])]
    return overlapping([...this.#everybody, ...mine], fromMs, untilMs)
  }

  /** Disturbances of anybody that overlap a time, kills and stops of workers included. */
  anything(fromMs: number, untilMs: number): string | undefined {
    const all = [...this.#everybody, ...[...this.#targeted.values()].flat()]
    const found = overlapping(all, fromMs, untilMs)[0]
    if (found) return found.kind
    for (const exit of this.#exits.values()) {
      if (exit.atMs >= fromMs - RECONNECT_MS && exit.atMs <= untilMs) return exit.cause || 'exit'
    }
    return undefined
  }
}

function overlapping(all: readonly Disturbance[], fromMs: number, untilMs: number): Disturbance[] {
  return all.filter((each) => each.fromMs <= untilMs && each.untilMs + RECONNECT_MS >= fromMs)
}

/** The longest time without a pause that the disturbances cover together. */
function longestStretch(all: readonly Disturbance[]): { lengthMs: number; kinds: string[] } | undefined {
  let longest: { lengthMs: number; kinds: string[] } | undefined
  let fromMs = -Infinity
  let untilMs = -Infinity
  let kinds: string[] = []
  for (const each of [...all].sort((a, b) => a.fromMs - b.fromMs)) {
    if (each.fromMs > untilMs) {
      fromMs = each.fromMs
      kinds = []
    }
    untilMs = Math.max(untilMs, each.untilMs + RECONNECT_MS)
    if (!kinds.includes(each.kind)) kinds.push(each.kind)
    if (!longest || untilMs - fromMs > longest.lengthMs) longest = { lengthMs: untilMs - fromMs, kinds: [...kinds] }
  }
  return longest
}
