// `pnpm bench`: measures arq-ts against its peers and against Redis itself; writes bench/results.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { Bench, MeasureRows, Row } from './bench.ts'
import { charts } from './charts.ts'
import { findContenders } from './contenders.ts'
import { judge } from './goals.ts'
import { guard } from './guard.ts'
import { describeMachine } from './machine.ts'
import { noiseProbe } from './noise.ts'
import { writePage } from './page.ts'
import { asMarkdown } from './report.ts'
import type { Report } from './report.ts'
import { groups } from './rows/index.ts'
import { BenchServer } from './server.ts'

const USAGE = `pnpm bench [options]

Measures arq-ts against its peers, all on one Redis of its own, and writes bench/results: results.json, results.md, *.svg.
The whole takes about 45 minutes and wants a machine that does nothing else.

  --quick           two minutes: fewer rows, rounds and contenders; writes to bench/results/quick
  --rows a,b        only these groups: ${Object.keys(groups).join(', ')}
  --only a,b        only these contenders, by name, such as --only arq-ts,BullMQ; ours is always there
  --rounds N        how often each is measured; default 5, quick 3
  --seconds N       how long one measurement lasts; default 2, quick 0.7
  --into NAME       writes to bench/results/NAME: the figures of another machine
  --page            writes the tables of docs/performance.md too, from bench/results; alone (--rows none) it only writes
  --guard           fails if throughput has collapsed against the floor; for CI, writes nothing
  --help            this text`

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rows: { type: 'string' },
    only: { type: 'string' },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    into: { type: 'string' },
    page: { type: 'boolean', default: false },
    guard: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const say = (line: string) => process.stderr.write(`${line}\n`)

if (values.help) console.log(USAGE)
else if (values.guard) process.exitCode = await guard(say)
else await measure()
process.exit()

async function measure(): Promise<void> {
  const { quick } = values
  const started = performance.now()
  const since = () => {
    const seconds = (performance.now() - started) / 1000
    return `${String(Math.floor(seconds / 60)).padStart(2)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`
  }
  const contenders = await findContenders(say)
  for (const { name, why } of contenders.absent) say(`left out: ${name} (${why})`)
  const wanted = values.only?.split(',') ?? (quick ? ['arq-ts', 'BullMQ', 'arq'] : undefined)
  const present = new Map([...contenders.present].filter(([name]) => !wanted || wanted.includes(name)))
  const server = await BenchServer.start()
  const bench: Bench = {
    server,
    contenders: { ...contenders, present },
    quick,
    rounds: Number(values.rounds ?? (quick ? 3 : 5)),
    seconds: Number(values.seconds ?? (quick ? 0.7 : 2)),
    say: (line) => say(`${since()}  ${line}`),
  }
  const folder = resolve(import.meta.dirname, '../results', values.into ?? (quick ? 'quick' : '.'))
  mkdirSync(folder, { recursive: true })
  const chosen = values.rows === 'none' ? [] : (values.rows?.split(',') ?? Object.keys(groups))
  // A run of some groups alone keeps what the others gave.
  const before = values.rows ? rowsBefore(folder) : []
  const rows: Row[] = []
  try {
    for (const group of chosen) {
      const of = (groups as Record<string, MeasureRows>)[group]
      if (!of) throw new Error(`no rows '${group}'; there are ${Object.keys(groups).join(', ')}`)
      for await (const row of of(bench)) {
        const { noise } = noiseProbe
        rows.push(noise ? { ...row, noise } : row)
        write(folder, {
          ...(await describeMachine(server)),
          mode: quick ? 'quick' : 'full',
          versions: contenders.versions,
          absent: contenders.absent,
          rows: replaced(before, rows),
        })
      }
    }
  } finally {
    await server.stop()
  }
  say(`${since()}  written to ${folder}`)
  if (values.page) writePage(JSON.parse(readFileSync(join(folder, 'results.json'), 'utf8')) as Report)
}

function write(folder: string, run: Omit<Report, 'goals'>): void {
  const report: Report = { ...run, goals: judge(run.rows) }
  writeFileSync(join(folder, 'results.json'), `${JSON.stringify(report, null, 2)}\n`)
  writeFileSync(join(folder, 'results.md'), asMarkdown(report))
  for (const [name, svg] of charts(report)) writeFileSync(join(folder, `${name}.svg`), svg)
}

/** Rows measured again take the place of what they were before. */
function replaced(before: readonly Row[], rows: readonly Row[]): Row[] {
  return [...new Map([...before, ...rows].map((row) => [row.id, row])).values()]
}

function rowsBefore(folder: string): Row[] {
  try {
    return (JSON.parse(readFileSync(join(folder, 'results.json'), 'utf8')) as Report).rows
  } catch {
    return []
  }
}
