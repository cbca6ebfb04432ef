import type { OddExit } from '../fleet/fleet.ts'
import { byExplanation } from '../judge/bounds.ts'
import type { Bound } from '../judge/bounds.ts'
import type { Case, Verdict } from '../judge/judge.ts'
import type { MemoryOfSlot } from './memory.ts'

/** Everything that a run found; written as JSON by `--report`. */
export interface Report {
  seed: string
  minutes: number
  topology: string
  leaseMs: number
  /** Version of the arq that took part, or the reason why none did. */
  python: string
  faults: Record<string, number>
  verdict: Verdict
  exits: readonly OddExit[]
  pythonExits: number
  keys: { kept: Record<string, number>; odd: { name: string; fault: string }[] }
  memory: MemoryOfSlot[]
  ledgerEntries: number
  bounds: Bound[]
  /** Folder of the logs of the processes. */
  logs: string
}

/** Cases that are shown of each kind. */
const SHOWN = 8

/** The report for a terminal. */
export function formatReport(report: Report): string {
  const { verdict, bounds, exits, keys, memory } = report
  const { ticks, recovery, pickup } = verdict
  const lines = [
    '',
    `Chaos, seed ${report.seed}: ${report.minutes} min on ${report.topology}, lease ${report.leaseMs} ms, Python: ${report.python}`,
    `faults        ${counts(report.faults)}`,
    `jobs          ${verdict.accepted} accepted, ${verdict.ended} ended by a handler, ${verdict.runs} runs, ` +
      `${verdict.uncertain} enqueues of unknown outcome`,
    `ended by the worker alone: ${counts(verdict.endedByWorker) || 'none'}`,
    `second ends   ${verdict.secondEnds.length} (${counts(byExplanation(verdict.secondEnds)) || 'none'}), leases lost ${verdict.leasesLost}`,
    `ticks         ${ticks.ran} ran; late ${ticks.late.length} (${counts(byExplanation(ticks.late)) || 'none'}), ` +
      `never ran ${ticks.missed.length} (${counts(byExplanation(ticks.missed)) || 'none'}), ran twice ${ticks.doubled.length} (${counts(byExplanation(ticks.doubled)) || 'none'}); delay p99 ${ms(ticks.lateP99Ms)}`,
    `recovery      ${recovery.kills} kills, ${recovery.jobs} jobs ran again; of ${recovery.undisturbed} undisturbed ` +
      `p50 ${ms(recovery.p50Ms)}, p99 ${ms(recovery.p99Ms)}, max ${ms(recovery.maxMs)}; of all p99 ${ms(recovery.allP99Ms)}`,
    `pickup        p50 ${ms(pickup.p50Ms)}, p99 ${ms(pickup.p99Ms)}, max ${ms(pickup.maxMs)}`,
    `memory (MiB)  ${memory.map(({ slot, early, late, max }) => `${slot} ${mib(early)}→${mib(late)} max ${mib(max)}`).join(', ')}`,
    `keys          ${counts(keys.kept)}`,
    `exits         Python's own ${report.pythonExits}, ours ${exits.length}; logs in ${report.logs}`,
    ...cases('lost', verdict.lost),
    ...cases('stuck', verdict.stuck),
    ...cases('overwritten', verdict.overwritten),
    ...cases('result missing', verdict.missingResults),
    ...cases(
      'second end unexplained',
      verdict.secondEnds.filter(({ explanation }) => explanation === undefined),
    ),
    ...cases(
      'tick ran twice',
      ticks.doubled
        .filter(({ explanation }) => explanation === undefined)
        .map(({ tick, ...rest }) => ({ jobId: tick, task: 'cron', ...rest })),
    ),
    ...ticks.late
      .toSorted((a, b) => b.lateMs - a.lateMs)
      .slice(0, 3)
      .map((late) => `  latest tick: ${late.tick} (${late.explanation ?? 'unexplained'}): ${late.detail}`),
    ...recovery.slowest.map((line) => `  slow recovery: ${line}`),
    ...pickup.slowest.map((line) => `  slow pickup: ${line}`),
    ...exits.slice(0, SHOWN).map(({ worker, detail }) => `  exit: ${worker}: ${detail}`),
    ...keys.odd.slice(0, SHOWN).map(({ name, fault }) => `  key: ${name}: ${fault}`),
    '',
    ...bounds.map(formatBound),
  ]
  return lines.join('\n')
}

function formatBound({ name, limit, value, unit, broken }: Bound): string {
  const suffix = unit && ` ${unit}`
  if (value === undefined) return `– ${name}: not measured, too few undisturbed samples (at most ${limit}${suffix})`
  return `${broken ? '✗' : '✓'} ${name}: ${Math.round(value)}${suffix} (at most ${limit}${suffix})`
}

function counts(record: Record<string, number>): string {
  return Object.entries(record)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ')
}

function cases(what: string, all: readonly Case[]): string[] {
  return all
    .slice(0, SHOWN)
    .map(
      ({ jobId, task, explanation, detail }) =>
        `  ${what}: ${task} ${jobId} (${explanation ?? 'unexplained'}): ${detail}`,
    )
}

const ms = (value: number | undefined) => (value === undefined ? '–' : `${Math.round(value)} ms`)
const mib = (bytes: number) => Math.round(bytes / 2 ** 20)
