/**
 * Whole deployments of a collection whose true behaviour is known, played through the real plan and judge: no Redis, no
 * clock, seeded random numbers. The figures in the documentation come from here.
 */
import { newDeployment, rulesOf, rulesSchema } from '../src/config.ts'
import type { RulesInput } from '../src/config.ts'
import { addLatency } from '../src/judging/latency.ts'
import { addTally, emptyTally, since } from '../src/judging/tally.ts'
import type { Minute, Tally } from '../src/judging/tally.ts'
import { decide } from '../src/plan.ts'
import { withLostTime } from '../src/lost-time.ts'
import { isOver } from '../src/state.ts'
import type { Deployment, Stage } from '../src/types.ts'
import { binomial, poisson, uniform } from './random.ts'

/** Behaviour of a collection. */
export interface Behaviour {
  /** True share of failed requests. */
  errorRate: number
  /** True distribution of latencies. */
  latency: LatencyShape
  /** True means of recorded numbers, each 0 or 1, by name. Default none. */
  values?: Readonly<Record<string, number>>
}

/** Latencies with a true 95th percentile of `p95Ms`. */
export interface LatencyShape {
  /** `bimodal`: 97 % take a sixth of `p95Ms`, 3 % take 5 s. */
  kind: 'lognormal' | 'exponential' | 'pareto' | 'constant' | 'bimodal'
  p95Ms: number
}

export interface Scenario {
  /** Requests a minute to the new collection, in every stage. */
  perMinute: number
  /** Requests a minute to the old collection. */
  oldPerMinute: number
  healthy: Behaviour
  /** The old collection; default as `healthy`. */
  old?: Behaviour
  /** From a minute of the deployment on, the new collection behaves like this. */
  fault?: { atMinute: number; behaviour: Behaviour }
  /** The traffic of both collections in a minute since the beginning, as a multiple of the rates. Default 1. */
  load?: (minute: number) => number
  /** The behaviour of the new collection in a minute since the beginning, in place of `healthy`. */
  behaviourAt?: (minute: number) => Behaviour
  /** From a minute of the deployment to another nobody looks, as when all workers are down. */
  unwatched?: readonly [from: number, to: number]
  stages: readonly Stage[]
  rules?: RulesInput
  /** Longest run, in minutes. Default: the stages and two days. */
  maxMinutes?: number
}

export interface Outcome {
  status: 'completed' | 'rolled_back' | 'undecided'
  /** Time of the decision, in minutes from its beginning. */
  minutes: number
  /** Looks from the fault to the roll-back, the one that decided included; null without a fault or a roll-back. */
  looksToRollBack: number | null
  reason: string | null
}

const CELLS = 16
const shapes = new Map<string, { ms: number; share: number }[]>()

/** A distribution as 16 cells, the uppermost narrow ones around and above its 95th percentile. */
function cellsOf({ kind, p95Ms }: LatencyShape): { ms: number; share: number }[] {
  const name = `${kind} ${p95Ms}`
  const known = shapes.get(name)
  if (known) return known
  const quantile = (p: number): number => {
    if (kind === 'constant') return p95Ms
    if (kind === 'bimodal') return p < 0.97 ? p95Ms / 6 : 5_000
    if (kind === 'exponential') return (p95Ms * Math.log(1 - p)) / Math.log(0.05)
    // A heavy tail: shape 1.5, no variance.
    if (kind === 'pareto') return p95Ms * (0.05 / (1 - p)) ** (1 / 1.5)
    return p95Ms * Math.exp(0.5 * (standardQuantile(p) - standardQuantile(0.95)))
  }
  const bounds = [0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 0.93, 0.95, 0.97, 0.98, 0.985, 0.99, 0.995, 0.998, 0.999, 1]
  const cells = Array.from({ length: CELLS }, (_, i) => {
    const [low, high] = [bounds[i]!, bounds[i + 1]!]
    return { ms: quantile((low + high) / 2), share: high - low }
  })
  shapes.set(name, cells)
  return cells
}

/** The standard normal quantile by bisection of its distribution function: only used once per shape. */
function standardQuantile(p: number): number {
  const cdf = (x: number) => {
    const t = 1 / (1 + 0.3275911 * (Math.abs(x) / Math.SQRT2))
    const poly = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t
    const erf = 1 - poly * Math.exp((-x * x) / 2)
    return x >= 0 ? (1 + erf) / 2 : (1 - erf) / 2
  }
  let [low, high] = [-8, 8]
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2
    if (cdf(middle) < p) low = middle
    else high = middle
  }
  return low
}

function addRequests(random: () => number, into: Tally, expected: number, behaviour: Behaviour): void {
  const { errorRate, latency, values = {} } = behaviour
  const requests = poisson(random, expected)
  into.requests += requests
  into.errors += binomial(random, requests, errorRate)
  let left = requests
  let share = 1
  for (const cell of cellsOf(latency)) {
    if (left === 0) break
    const count = binomial(random, left, Math.min(1, cell.share / share))
    if (count > 0) addLatency(into.latency, cell.ms, count)
    left -= count
    share -= cell.share
  }
  for (const [name, mean] of Object.entries(values)) {
    if (requests === 0) continue
    const hits = binomial(random, requests, mean)
    const one = { count: requests, sum: hits, squares: hits, min: hits < requests ? 0 : 1, max: hits > 0 ? 1 : 0 }
    addTally(into, { ...emptyTally(), values: { [name]: one } })
  }
}

/** Counts of both collections, by the minute. */
class Traffic {
  readonly #scenario: Scenario
  readonly #random: () => number
  readonly minutes: Minute[] = []

  constructor(scenario: Scenario, random: () => number) {
    this.#scenario = scenario
    this.#random = random
  }

  /** Requests from one time to another, in minutes. */
  flow(from: number, to: number, faultAt: number, startsAt: number): void {
    const { behaviourAt, fault, healthy, load = () => 1, old = healthy, oldPerMinute, perMinute } = this.#scenario
    for (let at = from; at < to;) {
      const end = Math.min(to, Math.floor(at) + 1, at < faultAt ? faultAt : Number.POSITIVE_INFINITY)
      const counts = this.#minute(Math.floor(at))
      const minute = Math.floor(at) - Math.floor(startsAt)
      const requests = load(minute) * (end - at)
      const now = fault && at >= faultAt ? fault.behaviour : (behaviourAt?.(minute) ?? healthy)
      addRequests(this.#random, counts.new, perMinute * requests, now)
      if (oldPerMinute > 0) addRequests(this.#random, counts.old, oldPerMinute * requests, old)
      if (counts.new.requests + counts.old.requests === 0) this.minutes.pop() // nothing to read, and cheaper without
      at = end
    }
  }

  #minute(minute: number): Minute {
    const last = this.minutes.at(-1)
    if (last?.minute === minute) return last
    const next = { minute, new: emptyTally(), old: emptyTally() }
    this.minutes.push(next)
    while (this.minutes[0]!.minute < minute - 120) this.minutes.shift() // counts are kept for two hours
    return next
  }
}

/** Plays one deployment. The same seed gives the same run. */
export function simulate(scenario: Scenario, seed: number): Outcome {
  const random = uniform(seed * 7_919 + 17)
  const traffic = new Traffic(scenario, random)
  // A deployment begins at any second of a minute.
  const startsAt = 1_000 + random()
  const faultAt = scenario.fault ? startsAt + scenario.fault.atMinute + (random() - 0.5) : Number.POSITIVE_INFINITY
  const stages = scenario.stages.map((stage) => ({ ...stage }))
  const rules = rulesOf(rulesSchema.parse({ minObservedShare: 0, ...scenario.rules }))
  const names = { id: 'canary_1', alias: 'products', oldCollection: 'v1', newCollection: 'v2' }
  const planned = stages.reduce((sum, { durationMinutes }) => sum + durationMinutes, 0)
  const endsAt = startsAt + (scenario.maxMinutes ?? planned + 2_880)
  let state: Deployment = newDeployment(
    { ...names, stages, currentStage: 0, autoRollback: true, rules },
    'canary_1',
    startsAt * 60_000,
  )
  let looksAfterFault = 0
  let marks: Minute | undefined
  let own: Minute | undefined
  const done = (status: Outcome['status'], now: number): Outcome => ({
    status,
    minutes: now - startsAt,
    looksToRollBack: scenario.fault && status === 'rolled_back' ? looksAfterFault : null,
    reason: state.reason,
  })
  for (let now = startsAt; now < endsAt;) {
    const stageBefore = state.stageStartedAtMs
    const counted = traffic.minutes.filter(({ minute }) => minute >= Math.floor((stageBefore ?? 0) / 60_000))
    const minutes = counted.map((each) => (each.minute === marks?.minute ? (own ?? ownOf(each, marks)) : each))
    // Once its minute is over, it changes no more.
    if (marks && now >= marks.minute + 1) own ??= minutes.find(({ minute }) => minute === marks?.minute)
    const observed = { qdrant: { aliasCollection: 'v1', newCollectionExists: true }, minutes, marks: [], checks: [] }
    const looks = state.looks
    const plan = decide(withLostTime(state, now * 60_000), observed, now * 60_000)
    state = { ...plan.next, nextTickAtMs: now * 60_000 + plan.againMs }
    if (state.looks > looks && now >= faultAt) looksAfterFault++
    if (state.stageStartedAtMs !== stageBefore) {
      const last = traffic.minutes.at(-1)
      marks = last && { minute: last.minute, new: copyOf(last.new), old: copyOf(last.old) }
      own = undefined
    }
    if (state.ending === 'rollback' || state.status === 'failed') return done('rolled_back', now)
    if (state.ending === 'promote' || isOver(state)) return done('completed', now)
    const [gone, back] = (scenario.unwatched ?? [Infinity, Infinity]).map((minute) => startsAt + minute)
    let next = now + plan.againMs / 60_000
    if (next >= gone! && next < back!) next = back!
    traffic.flow(now, next, faultAt, startsAt)
    now = next
  }
  return done('undecided', endsAt)
}

function copyOf(tally: Tally): Tally {
  const copy = emptyTally()
  addTally(copy, tally)
  return copy
}

function ownOf(each: Minute, mark: Minute): Minute {
  return { minute: each.minute, new: since(each.new, mark.new), old: since(each.old, mark.old) }
}
