/** Operating characteristics: how often deployments of collections whose truth is known are decided right, and how soon. */
import { DEFAULT_STAGES } from '../src/config.ts'
import type { Stage } from '../src/types.ts'
import { simulate } from './simulate.ts'
import type { Behaviour, LatencyShape, Outcome, Scenario } from './simulate.ts'

export const RATES = [1, 3, 10, 30, 60, 300, 3_000]
/** Fewer than 20 requests in two hours, or hardly more: a stage may wait for weeks. */
export const TRICKLES = [0.02, 0.1, 0.2, 0.5]
const FAULT_RATES = [1, 2, 5, 10, 20, 30, 60, 120, 300, 3_000]
const SHAPES: LatencyShape['kind'][] = ['lognormal', 'exponential', 'pareto']
const ERROR_LIMIT = 0.05
const LATENCY_LIMIT_MS = 200
/** A collection at 60 % of its limits. */
const HEALTHY: Behaviour = {
  errorRate: 0.6 * ERROR_LIMIT,
  latency: { kind: 'lognormal', p95Ms: 0.6 * LATENCY_LIMIT_MS },
}
export const FAULTS = {
  outage: { errorRate: 1, latency: HEALTHY.latency },
  errors30: { errorRate: 0.3, latency: HEALTHY.latency },
  slow: { errorRate: 0.03, latency: { kind: 'constant', p95Ms: 5_000 } },
} as const satisfies Record<string, Behaviour>
export type Fault = keyof typeof FAULTS

export interface FaultFigures {
  fault: Fault
  perMinute: number
  runs: number
  /** Shares of the runs, by looks since the fault. */
  within2: number
  within3: number
  /** Looks until 50 % and 99 % of the runs were rolled back; null where fewer were. */
  median: number | null
  p99: number | null
  /** Runs that ended with the bad collection behind the alias. */
  promoted: number
}

export interface Characteristics {
  healthy: { perMinute: number; runs: number; rolledBack: number; undecided: number; meanMinutes: number }[]
  errorRates: { perMinute: number; errorRate: number; runs: number; rolledBack: number }[]
  faults: FaultFigures[]
  lastWindow: { fault: Fault; perMinute: number; runs: number; promoted: number }[]
  /** Healthy collections in unhealthy surroundings. */
  kinds: { kind: Kind; perMinute: number; runs: number; rolledBack: number; undecided: number }[]
  /** Healthy collections with hardly any traffic, watched for a month. */
  trickles: { perMinute: number; guards: number; runs: number; rolledBack: number; held: number }[]
  /** Faults that begin within two days of hardly any traffic. Hours until the roll-back. */
  trickleFaults: {
    fault: Fault
    perMinute: number
    runs: number
    median: number | null
    longest: number | null
    promoted: number
  }[]
  samples: Sample[]
}

/** Zeros and ones with this mean, recorded under each of this number of names. */
const recorded = (count: number, mean: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`metric${i}`, mean]))
const guardsOn = (count: number, bound: { max: number } | { maxDropFromOld: number }) => ({
  guards: Array.from({ length: count }, (_, i) => ({ metric: `metric${i}`, ...bound })),
})

/** Healthy collections of other kinds, each by what differs from a steady one at 60 % of its limits. */
export const KINDS = {
  'errors on and off by the minute, 6 % and none': {
    behaviourAt: (minute) => ({ ...HEALTHY, errorRate: minute % 2 === 0 ? 0.06 : 0 }),
  },
  'two modes of latency, 3 % of the answers take 5 s': {
    healthy: { ...HEALTHY, latency: { kind: 'bimodal', p95Ms: 120 } },
  },
  'traffic rises 100-fold within a stage': { load: (minute) => (minute < 45 ? 0.1 : 10) },
  'traffic falls 100-fold within a stage': { load: (minute) => (minute < 45 ? 10 : 0.1) },
  'the old collection fails one request in five': { old: { ...HEALTHY, errorRate: 0.2 } },
  'the old collection has a p95 of 1 s': { old: { ...HEALTHY, latency: { kind: 'lognormal', p95Ms: 1_000 } } },
  'five guards at 60 % of their bounds': {
    healthy: { ...HEALTHY, values: recorded(5, 0.03) },
    rules: guardsOn(5, { max: 0.05 }),
  },
  'twenty guards at 60 % of their bounds': {
    healthy: { ...HEALTHY, values: recorded(20, 0.03) },
    rules: guardsOn(20, { max: 0.05 }),
  },
  'twenty guards on a drop of 10 %, at 60 % of it': {
    healthy: { ...HEALTHY, values: recorded(20, 0.3 * 0.94) },
    old: { ...HEALTHY, values: recorded(20, 0.3) },
    rules: guardsOn(20, { maxDropFromOld: 0.1 }),
  },
  'shadow traffic only': {
    stages: DEFAULT_STAGES.map((stage) => ({ ...stage, percentage: 0, shadow: stage.percentage })),
  },
} as const satisfies Record<string, Partial<Scenario>>
export type Kind = keyof typeof KINDS

/** One run as it went: enough to notice that the judge decides otherwise than it did. */
export interface Sample {
  what: string
  seed: number
  status: Outcome['status']
  /** Time of the decision, in minutes, to a hundredth. */
  minutes: number
  looksToRollBack: number | null
  reason: string | null
}

/**
 * A few runs near the limits of what can be decided, each with its outcome. They are committed with the figures, and a
 * test plays them again: figures of a judge that has changed since do not pass.
 */
export function samples(): Sample[] {
  const near = (errorRate: number, p95Ms: number, kind: LatencyShape['kind'] = 'lognormal'): Behaviour => ({
    errorRate,
    latency: { kind, p95Ms },
  })
  const short = { stages: DEFAULT_STAGES.slice(0, 2), maxMinutes: 120 }
  const fault = (name: Fault, atMinute: number) => ({ fault: { atMinute, behaviour: FAULTS[name] } })
  const scenarios: Record<string, Scenario> = {
    'errors of 7 % at 10 a minute': { perMinute: 10, oldPerMinute: 0, healthy: near(0.07, 120), ...short },
    'errors of 6 % at 300 a minute': { perMinute: 300, oldPerMinute: 300, healthy: near(0.06, 120), ...short },
    'a p95 of 240 ms at 60 a minute': { perMinute: 60, oldPerMinute: 540, healthy: near(0.01, 240), ...short },
    'a heavy tail at 30 a minute': { perMinute: 30, oldPerMinute: 270, healthy: near(0.03, 190, 'pareto'), ...short },
    'twice the errors of the old one': {
      perMinute: 120,
      oldPerMinute: 1_080,
      healthy: near(0.045, 120),
      old: near(0.015, 120),
      ...short,
    },
    'an outage at 5 a minute': { ...withOld(5), ...short, ...fault('outage', 20) },
    '30 % errors at 20 a minute': { ...withOld(20), ...short, ...fault('errors30', 40) },
    'slow answers at 2 a minute': { ...withOld(2), ...short, ...fault('slow', 60) },
  }
  return Object.entries(scenarios).flatMap(([what, scenario]) =>
    [1, 2, 3].map((seed) => {
      const { looksToRollBack, minutes, reason, status } = simulate(scenario, seed)
      return { what, seed, status, minutes: Math.round(minutes * 100) / 100, looksToRollBack, reason }
    }),
  )
}

/** Scales numbers of runs. */
type Runs = (count: number) => number
type Report = (line: string) => void

/** Each part of the figures, played alone. */
export const PARTS: { [P in keyof Characteristics]: (runs: Runs, report: Report) => Characteristics[P] } = {
  healthy: (runs, report) =>
    RATES.map((perMinute) => {
      report(`healthy collections at ${perMinute} a minute`)
      return healthyAt(perMinute, runs(150))
    }),
  errorRates: (runs, report) =>
    [1, 10, 60, 300, 3_000].flatMap((perMinute) => {
      report(`error rates at ${perMinute} a minute`)
      return [0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.1].map((rate) =>
        errorsAt(perMinute, rate, runs(rate === ERROR_LIMIT ? 200 : 40)),
      )
    }),
  faults: (runs, report) =>
    (Object.keys(FAULTS) as Fault[]).flatMap((fault) =>
      FAULT_RATES.map((perMinute) => {
        report(`${fault} at ${perMinute} a minute`)
        return faultAt(fault, perMinute, runs(perMinute === 60 && fault !== 'slow' ? 600 : 200))
      }),
    ),
  lastWindow: (runs, report) =>
    (Object.keys(FAULTS) as Fault[]).flatMap((fault) =>
      FAULT_RATES.map((perMinute) => {
        report(`${fault} in the last minutes at ${perMinute} a minute`)
        return lastWindowAt(fault, perMinute, runs(200))
      }),
    ),
  kinds: (runs, report) =>
    (Object.keys(KINDS) as Kind[]).flatMap((kind) =>
      [3, 60, 1_000].map((perMinute) => {
        report(`${kind}, at ${perMinute} a minute`)
        return kindAt(kind, perMinute, runs(60))
      }),
    ),
  trickles: (runs, report) =>
    TRICKLES.flatMap((perMinute) =>
      // Below that, a run with guards takes minutes: it waits for most of the month.
      (perMinute < 0.2 ? [0] : [0, 20]).map((guards) => {
        report(`a month at ${perMinute} a minute, ${guards} guards`)
        return trickleAt(perMinute, guards, runs(guards === 0 ? 100 : 20))
      }),
    ),
  trickleFaults: (runs, report) =>
    (Object.keys(FAULTS) as Fault[]).flatMap((fault) =>
      TRICKLES.map((perMinute) => {
        report(`${fault} within two days at ${perMinute} a minute`)
        return trickleFaultAt(fault, perMinute, runs(80))
      }),
    ),
  samples: () => samples(),
}

function play(runs: number, scenario: (run: number) => Scenario): Outcome[] {
  return Array.from({ length: runs }, (_, run) => simulate(scenario(run), run + 1))
}

const share = (outcomes: readonly Outcome[], is: (outcome: Outcome) => boolean) =>
  Math.round((outcomes.filter(is).length / outcomes.length) * 10_000) / 10_000

/** The old collection has nine times the traffic, as at 10 %, and is as good. */
const withOld = (perMinute: number) => ({ perMinute, oldPerMinute: Math.min(3_000, perMinute * 9), healthy: HEALTHY })

export function healthyAt(perMinute: number, runsPerShape: number): Characteristics['healthy'][number] {
  const outcomes = SHAPES.flatMap((kind) =>
    play(runsPerShape, () => {
      const healthy = { ...HEALTHY, latency: { ...HEALTHY.latency, kind } }
      // Also at 60 % of what the comparison with the old collection allows.
      const old = { errorRate: 0.03 - 0.6 * 0.02, latency: { kind, p95Ms: 120 / 1.3 } }
      return { ...withOld(perMinute), healthy, old, stages: DEFAULT_STAGES }
    }),
  )
  return {
    perMinute,
    runs: outcomes.length,
    rolledBack: share(outcomes, ({ status }) => status === 'rolled_back'),
    undecided: share(outcomes, ({ status }) => status === 'undecided'),
    meanMinutes: Math.round(outcomes.reduce((sum, { minutes }) => sum + minutes, 0) / outcomes.length),
  }
}

/** A healthy collection of another kind. */
export function kindAt(kind: Kind, perMinute: number, runs: number): Characteristics['kinds'][number] {
  const outcomes = play(runs, () => ({ stages: DEFAULT_STAGES, ...withOld(perMinute), ...KINDS[kind] }))
  return {
    kind,
    perMinute,
    runs,
    rolledBack: share(outcomes, ({ status }) => status === 'rolled_back'),
    undecided: share(outcomes, ({ status }) => status === 'undecided'),
  }
}

const DAY = 1_440

/** A healthy collection that hardly anybody searches, for a month. */
export function trickleAt(perMinute: number, guards: number, runs: number): Characteristics['trickles'][number] {
  const outcomes = play(runs, () => ({
    ...withOld(perMinute),
    healthy: { ...HEALTHY, values: recorded(guards, 0.03) },
    rules: guardsOn(guards, { max: 0.05 }),
    stages: DEFAULT_STAGES,
    maxMinutes: 30 * DAY,
  }))
  return {
    perMinute,
    guards,
    runs,
    rolledBack: share(outcomes, ({ status }) => status === 'rolled_back'),
    held: share(outcomes, ({ status }) => status === 'undecided'),
  }
}

/** A fault of a collection that hardly anybody searches, at any minute of two days. */
export function trickleFaultAt(
  fault: Fault,
  perMinute: number,
  runs: number,
): Characteristics['trickleFaults'][number] {
  const outcomes = Array.from({ length: runs }, (_, run) => {
    // Its stage waits for approval: it is not promoted before.
    const stages = DEFAULT_STAGES.slice(0, 1).map((stage) => ({ ...stage, approval: true }))
    const atMinute = 1 + (2 * DAY * run) / runs
    const scenario = {
      ...withOld(perMinute),
      stages,
      fault: { atMinute, behaviour: FAULTS[fault] },
      maxMinutes: 90 * DAY,
    }
    const { minutes, status } = simulate(scenario, run + 1)
    return { hours: status === 'rolled_back' ? (minutes - atMinute) / 60 : Number.POSITIVE_INFINITY, status }
  })
  const hours = outcomes.map((each) => each.hours).sort((a, b) => a - b)
  const after = (part: number) => {
    const value = hours[Math.ceil(part * runs) - 1]!
    return Number.isFinite(value) ? Math.round(value * 10) / 10 : null
  }
  return {
    fault,
    perMinute,
    runs,
    median: after(0.5),
    longest: after(1),
    promoted: outcomes.filter(({ status }) => status === 'completed').length,
  }
}

function errorsAt(perMinute: number, errorRate: number, runs: number): Characteristics['errorRates'][number] {
  const outcomes = play(runs, () => ({
    perMinute,
    oldPerMinute: 0,
    healthy: { ...HEALTHY, errorRate },
    stages: DEFAULT_STAGES,
    // A run that is neither promoted nor rolled back by then is held.
    maxMinutes: 300,
  }))
  return { perMinute, errorRate, runs, rolledBack: share(outcomes, ({ status }) => status === 'rolled_back') }
}

/** A fault at any minute of the deployment. */
export function faultAt(fault: Fault, perMinute: number, runs: number): FaultFigures {
  const outcomes = play(runs, (run) => ({
    ...withOld(perMinute),
    stages: DEFAULT_STAGES,
    fault: { atMinute: 1 + (208 * run) / runs, behaviour: FAULTS[fault] },
  }))
  const looks = outcomes.map(({ looksToRollBack }) => looksToRollBack ?? Number.POSITIVE_INFINITY).sort((a, b) => a - b)
  const after = (part: number) => {
    const value = looks[Math.ceil(part * looks.length) - 1]!
    return Number.isFinite(value) ? value : null
  }
  return {
    fault,
    perMinute,
    runs,
    within2: share(outcomes, ({ looksToRollBack }) => looksToRollBack !== null && looksToRollBack <= 2),
    within3: share(outcomes, ({ looksToRollBack }) => looksToRollBack !== null && looksToRollBack <= 3),
    median: after(0.5),
    p99: after(0.99),
    promoted: outcomes.filter(({ status }) => status === 'completed').length,
  }
}

const SHORT_STAGES: Stage[] = [
  { percentage: 50, durationMinutes: 30, errorThreshold: ERROR_LIMIT, latencyThreshold: LATENCY_LIMIT_MS },
  { percentage: 100, durationMinutes: 0, errorThreshold: ERROR_LIMIT, latencyThreshold: LATENCY_LIMIT_MS },
]

/**
 * A fault that begins up to five minutes before the last window. That window is one minute, or the time that the requests take
 * which have to rule out a gross failure.
 */
export function lastWindowAt(fault: Fault, perMinute: number, runs: number): Characteristics['lastWindow'][number] {
  const outcomes = play(runs, (run) => ({
    ...withOld(perMinute),
    stages: SHORT_STAGES,
    fault: { atMinute: Math.max(1, 28.5 - Math.max(1, 33 / perMinute) - (5 * run) / runs), behaviour: FAULTS[fault] },
  }))
  return { fault, perMinute, runs, promoted: outcomes.filter(({ status }) => status === 'completed').length }
}

/** Bounds that the figures must keep; returns a line for each that is broken. */
export function boundsBroken({
  faults,
  healthy,
  kinds,
  lastWindow,
  trickles,
}: Pick<Characteristics, 'faults' | 'healthy' | 'lastWindow' | 'kinds' | 'trickles'>): string[] {
  return [
    ...trickles
      .filter(({ rolledBack }) => rolledBack > 0.01)
      .map(
        ({ guards, perMinute, rolledBack }) =>
          `healthy for a month at ${perMinute} a minute, ${guards} guards: ${rolledBack * 100} % rolled back, at most 1 % allowed`,
      ),
    ...kinds
      .filter(({ rolledBack, undecided }) => rolledBack > 0.01 || undecided > 0)
      .map(({ kind, perMinute }) => `${kind}, at ${perMinute} a minute: not promoted`),
    ...healthy
      .filter(({ rolledBack }) => rolledBack > 0.01)
      .map(
        ({ perMinute, rolledBack }) =>
          `healthy at ${perMinute} a minute: ${rolledBack * 100} % rolled back, at most 1 % allowed`,
      ),
    ...faults
      .filter(({ perMinute }) => perMinute >= 60)
      .flatMap(({ fault, perMinute, within2, within3 }) => {
        const [looks, part] = fault === 'errors30' ? [3, within3] : [2, within2]
        return part >= 0.99
          ? []
          : [
              `${fault} at ${perMinute} a minute: ${part * 100} % rolled back within ${looks} looks, at least 99 % needed`,
            ]
      }),
    ...[...faults.filter(({ perMinute }) => perMinute >= 60), ...lastWindow]
      .filter(({ promoted }) => promoted > 0)
      .map(({ fault, perMinute, promoted }) => `${fault} at ${perMinute} a minute: ${promoted} promoted`),
  ]
}
