import type { Characteristics, Fault, Kind } from './characteristics.ts'

export const FAULT_NAMES: Record<Fault, string> = {
  outage: 'full outage',
  errors30: '30 % errors',
  slow: 'every answer takes 5 s',
}

const percent = (share: number) => `${Math.round(share * 10_000) / 100} %`
const table = (head: string[], rows: (string | number)[][]) =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')

/** The page of the documentation. */
export function page({
  errorRates,
  faults,
  healthy,
  kinds,
  lastWindow,
  trickleFaults,
  trickles,
}: Characteristics): string {
  const rates = [...new Set(errorRates.map(({ perMinute }) => perMinute))]
  const truths = [...new Set(errorRates.map(({ errorRate }) => errorRate))]
  const rolledBack = (perMinute: number, errorRate: number) =>
    percent(errorRates.find((each) => each.perMinute === perMinute && each.errorRate === errorRate)!.rolledBack)
  const looks = (value: number | null) => value ?? 'not all'
  return `# How well the canary decides

Simulated deployments of collections whose true behaviour is known, played through the real plan and judge (default stages,
default rules, limits of 5 % errors and a p95 of 200 ms, one look a minute, beginning at any second). Rates are requests a
minute to the new collection. \`npm run simulate\` repeats it; the same seeds give the same figures. A test plays a short
version and holds the bounds.

![Looks until a fault is rolled back, and roll-backs by true error rate](canary-simulation.svg)

## A collection at 60 % of its limits

3 % errors, p95 120 ms with a lognormal, an exponential and a heavy-tailed (Pareto) distribution, and 60 % of the way to what
the comparison with the old collection allows. At most 1 % of its deployments may be rolled back.

${table(
  ['requests a minute', 'deployments', 'rolled back', 'mean minutes to promotion'],
  healthy.map(({ meanMinutes, perMinute, rolledBack: share, runs }) => [perMinute, runs, percent(share), meanMinutes]),
)}

The stages take 210 minutes; the rest is time that the judge holds until its last minutes look healthy too.

## Other healthy collections

Unless its row states otherwise, each is at 60 % of its limits on average. At most 1 % may be rolled back, and all others must
be promoted.

${table(
  [
    'collection',
    ...[...new Set(kinds.map(({ perMinute }) => perMinute))].map((rate) => `rolled back at ${rate} a minute`),
  ],
  [...new Set(kinds.map(({ kind }) => kind))].map((kind: Kind) => [
    kind,
    ...kinds.filter((each) => each.kind === kind).map(({ rolledBack: share, runs }) => `${percent(share)} of ${runs}`),
  ]),
)}

## Hardly any traffic, for a month

Counts are kept for two hours. A stage in which they do not reach \`minSamples\` waits, and is watched. The same healthy
collection over 30 days, without guards and with twenty numbers at 60 % of their bounds:

${table(
  [
    'requests a minute',
    ...[...new Set(trickles.map(({ guards }) => guards))].flatMap((guards) => {
      const by = guards === 0 ? 'no guards' : `${guards} guards`
      return [`rolled back, ${by}`, `still waiting, ${by}`]
    }),
  ],
  [...new Set(trickles.map(({ perMinute }) => perMinute))].map((perMinute) => [
    perMinute,
    ...[...new Set(trickles.map(({ guards }) => guards))].flatMap((guards) => {
      const seen = trickles.find((each) => each.perMinute === perMinute && each.guards === guards)
      return seen ? [`${percent(seen.rolledBack)} of ${seen.runs}`, percent(seen.held)] : ['not played', 'not played']
    }),
  ]),
)}

The probability is bounded by calculation, too: what looks may spend, and what accumulates, add up to 1 % for a collection
exactly at its limits, over any number of looks.

## Faults at any minute

${(Object.keys(FAULT_NAMES) as Fault[])
  .map(
    (fault) => `### ${FAULT_NAMES[fault][0]!.toUpperCase()}${FAULT_NAMES[fault].slice(1)}

${table(
  [
    'requests a minute',
    'deployments',
    'rolled back within 2 looks',
    'within 3',
    'median looks',
    '99th percentile',
    'promoted',
  ],
  faults
    .filter((each) => each.fault === fault)
    .map((each) => [
      each.perMinute,
      each.runs,
      percent(each.within2),
      percent(each.within3),
      looks(each.median),
      looks(each.p99),
      each.promoted,
    ]),
)}`,
  )
  .join('\n\n')}

A promotion here was decided before the fault showed in the last window: it had just begun, and few requests had come.

### Faults of a trickle

A fault at any minute of two days with hardly any traffic, in a stage that waits for approval. Its evidence adds up over the
stage: hours until the roll-back, of ${trickleFaults[0]!.runs} deployments each.

${table(
  ['requests a minute', ...Object.values(FAULT_NAMES).flatMap((name) => [`${name}: median hours`, 'longest'])],
  [...new Set(trickleFaults.map(({ perMinute }) => perMinute))].map((perMinute) => [
    perMinute,
    ...trickleFaults
      .filter((each) => each.perMinute === perMinute)
      .flatMap(({ longest, median }) => [looks(median), looks(longest)]),
  ]),
)}

## Faults in the last window

The fault begins up to five minutes before the last window of the last stage: its last minute, or its last 33 requests if they
take longer. That many requests must rule out 30 % errors before a promotion, with a probability of 1 in 100,000 to be wrong. A
fault that only the last 20 requests meet is missed about once in 1,000 deployments at one or two requests a minute.

${table(
  ['requests a minute', ...Object.values(FAULT_NAMES).map((name) => `promoted: ${name}`)],
  [...new Set(lastWindow.map(({ perMinute }) => perMinute))].map((perMinute) => [
    perMinute,
    ...(Object.keys(FAULT_NAMES) as Fault[]).map((fault) => {
      const { promoted, runs } = lastWindow.find((each) => each.fault === fault && each.perMinute === perMinute)!
      return `${promoted} of ${runs}`
    }),
  ]),
)}

## True error rates from 1 to 10 %

Deployments rolled back within five hours, by the true error rate. The limit is 5 %; a collection exactly at it may be rolled
back with a probability of at most 1 %, however often it is looked at. What is neither rolled back nor promoted is held. Each
figure is of ${Math.min(...errorRates.map(({ runs }) => runs))} deployments, at the limit of ${Math.max(...errorRates.map(({ runs }) => runs))}.

${table(
  ['requests a minute', ...truths.map(percent)],
  rates.map((perMinute) => [perMinute, ...truths.map((truth) => rolledBack(perMinute, truth))]),
)}
`
}
