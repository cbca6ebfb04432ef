// Verdicts on who is first in a row, as far as the rounds show it.
import type { Row } from './bench.ts'
import { isTooNoisy } from './noise.ts'
import type { Cell } from './rounds.ts'
import { medianInterval, quantile } from './stats.ts'

export interface Verdict {
  row: Row
  ours: Cell
  /** The best peer. */
  peer: Cell
  /** Ratio of ours to the peer's in the same round, above 1 where ours is better: the median, and the interval that holds it. */
  times: number
  interval: { low: number; high: number } | undefined
  /** CPU of worker and Redis together, ours and the peer's, per job in µs; absent where it was not measured. */
  cpu?: { ours: number; peer: number }
  says: 'first' | 'level' | 'behind' | 'too noisy' | 'too few rounds'
}

/** Contenders that are no peers: ours with other settings, and bounds. */
const NO_PEER = /^arq-ts|^floor|^node,|alone|CPython/

/** One verdict for each row that has a peer. */
export function verdicts(rows: readonly Row[]): Verdict[] {
  return rows.flatMap((row) => verdictOf(row) ?? [])
}

function verdictOf(row: Row): Verdict | undefined {
  const ours = row.cells.find(({ contender, figures }) => contender === 'arq-ts' && figures)
  const peers = row.cells.filter(({ contender, figures }) => figures && !NO_PEER.test(contender))
  if (!ours || peers.length === 0) return undefined
  const sign = row.better === 'higher' ? 1 : -1
  const peer = peers.reduce((best, each) => (sign * (valueOf(each) - valueOf(best)) > 0 ? each : best))
  const ratios = pairs(ours, peer).map(([our, their]) => (sign > 0 ? our / their : their / our))
  const interval = medianInterval(ratios)
  const times = quantile(
    ratios.sort((a, b) => a - b),
    0.5,
  )
  const cpu = { ours: cpuOf(ours), peer: cpuOf(peer) }
  return {
    row,
    ours,
    peer,
    times,
    interval,
    ...(Number.isNaN(cpu.ours + cpu.peer) ? {} : { cpu }),
    says: says(row, interval),
  }
}

function says({ noise }: Row, interval: Verdict['interval']): Verdict['says'] {
  if (noise && isTooNoisy(noise)) return 'too noisy'
  if (!interval) return 'too few rounds'
  if (interval.low > 1) return 'first'
  return interval.high < 1 ? 'behind' : 'level'
}

/** Round by round, since a machine that slows down slows down both; medians where the rounds were not kept. */
function pairs(ours: Cell, peer: Cell): [number, number][] {
  const [our, their] = [ours, peer].map(({ figures }) => figures!['value']!.values)
  if (!our || our.length !== their?.length) return [[valueOf(ours), valueOf(peer)]]
  return our.map((value, round) => [value, their[round]!])
}

function valueOf({ figures }: Cell): number {
  return figures!['value']!.median
}

function cpuOf({ figures }: Cell): number {
  return (figures!['workerCpuUs']?.median ?? NaN) + (figures!['redisCpuUs']?.median ?? NaN)
}
