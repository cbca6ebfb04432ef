import type { Row } from './bench.ts'
import type { Goal } from './goals.ts'
import type { Machine } from './machine.ts'
import type { Noise } from './noise.ts'
import type { Cell } from './rounds.ts'
import { rounded } from './rounds.ts'
import { verdicts } from './verdicts.ts'
import type { Verdict } from './verdicts.ts'

/** All that one run found. */
export interface Report extends Machine {
  mode: 'quick' | 'full'
  versions: Record<string, string>
  absent: readonly { name: string; why: string }[]
  rows: Row[]
  goals: Goal[]
}

export function asMarkdown(report: Report): string {
  const { at, cpu, cores, memoryGiB, system, node, server, mode, versions, absent, rows, goals } = report
  const groups = [...new Set(rows.map(({ group }) => group))]
  return [
    '# Results',
    '',
    `Made by \`pnpm bench${mode === 'quick' ? ' --quick' : ''}\` on ${at.slice(0, 10)}: ${cores} cores of ${cpu}, ${memoryGiB} GiB, ${system}, Node ${node}, ${server}.`,
    '',
    `Versions: ${Object.values(versions).join(' · ')}.`,
    ...(absent.length > 0 ? [`Left out: ${absent.map(({ name, why }) => `${name} (${why})`).join('; ')}.`] : []),
    '',
    'Each figure is the median of all rounds, with the least and the most. *Compared with arq-ts* is the ratio to ours in the same',
    'run: what counts, since machines differ. CPU is per job. *floor*: what this Redis takes for our commands alone.',
    '',
    ...verdictSection(rows),
    ...(goals.length > 0 ? ['## Goals', '', ...goalTable(goals), ''] : []),
    ...groups.flatMap((group) => [
      `## ${group}`,
      '',
      ...rows.filter((row) => row.group === group).flatMap((row) => [...rowTable(row), '']),
    ]),
  ].join('\n')
}

function verdictSection(rows: readonly Row[]): string[] {
  const all = verdicts(rows)
  if (all.length === 0) return []
  return [
    '## First or not',
    '',
    'Ours compared with the best peer of each row, round by round: the median ratio, and the interval that holds it with 90 %',
    'confidence. *first* and *behind* are said where the whole interval lies on one side of 1, and nothing where the machine had',
    'other work to do.',
    '',
    ...verdictTable(all),
    '',
  ]
}

/** One line for each row that has a peer. */
export function verdictTable(all: readonly Verdict[]): string[] {
  return [
    '| row | arq-ts | best peer | | times better | 90 % interval | CPU per job, with Redis: ours, theirs | |',
    '|---|---:|---:|---|---:|---:|---:|---|',
    ...all.map(({ row, ours, peer, times, interval, cpu, says }) => {
      const value = (cell: Cell) => `${figureOf(cell.figures!['value']!.median)} ${row.unit}`
      const between = interval ? `${figureOf(interval.low)} – ${figureOf(interval.high)}` : ''
      const costs = cpu ? `${micros(cpu.ours)}, ${micros(cpu.peer)}` : ''
      const noise = row.noise && says === 'too noisy' ? ` (${noiseOf(row.noise)})` : ''
      const verdict = says === 'behind' ? '**behind**' : says
      return `| ${row.title} | ${value(ours)} | ${value(peer)} | ${peer.contender} | ${figureOf(times)} × | ${between} | ${costs} | ${verdict}${noise} |`
    }),
  ]
}

function noiseOf({ busy, slow }: Noise): string {
  return `others used ${Math.round(busy * 100)} % of the processors, work took ${rounded(slow)} × its time`
}

export function goalTable(goals: readonly Goal[]): string[] {
  return [
    '| goal | wanted | measured | |',
    '|---|---:|---:|---|',
    ...goals.map(
      ({ what, wanted, measured, reached }) =>
        `| ${what} | ${wanted} | ${measured} | ${reached ? 'reached' : '**not reached**'} |`,
    ),
  ]
}

function rowTable({ title, unit, cells, limit }: Row): string[] {
  const ours = cells.find(({ contender }) => contender === 'arq-ts')?.figures?.['value']?.median
  const has = (figure: string) => cells.some(({ figures }) => figures?.[figure] !== undefined)
  const columns: [head: string, of: (cell: Cell) => string][] = [
    [unit, ({ figures }) => figureOf(figures?.['value']?.median)],
    ['least – most', ({ figures }) => `${figureOf(figures?.['value']?.min)} – ${figureOf(figures?.['value']?.max)}`],
    ['compared with arq-ts', ({ figures }) => (ours ? `${figureOf(figures!['value']!.median / ours)} ×` : '')],
  ]
  if (has('workerCpuUs')) columns.push(['CPU', ({ figures }) => micros(figures?.['workerCpuUs']?.median)])
  if (has('redisCpuUs')) columns.push(['CPU of Redis', ({ figures }) => micros(figures?.['redisCpuUs']?.median)])
  if (has('peakRss')) columns.push(['peak memory', ({ figures }) => mebibytes(figures?.['peakRss']?.median)])
  return [
    `**${title}** — limited by ${limit}`,
    '',
    `| | ${columns.map(([head]) => head).join(' | ')} |`,
    `|---|${columns.map(() => '---:|').join('')}`,
    ...cells.map((cell) =>
      cell.figures
        ? `| ${cell.contender} | ${columns.map(([, of]) => of(cell)).join(' | ')} |`
        : `| ${cell.contender} | left out: ${cell.why} |${' |'.repeat(columns.length - 1)}`,
    ),
  ]
}

function figureOf(value: number | undefined): string {
  return value === undefined ? '' : rounded(value)
}

function micros(us: number | undefined): string {
  return us === undefined ? '' : `${rounded(us)} µs`
}

function mebibytes(bytes: number | undefined): string {
  return bytes === undefined ? '' : `${rounded(bytes / 2 ** 20)} MiB`
}
