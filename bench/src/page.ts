// The tables of docs/performance.md that come from results.
import { readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { goalTable, verdictTable } from './report.ts'
import type { Report } from './report.ts'
import { verdicts } from './verdicts.ts'

const PAGE = resolve(import.meta.dirname, '../../docs/performance.md')

/** Writes what a full run found into the page, between the marks `<!-- goals -->` and `<!-- verdicts -->` and their ends. */
export function writePage(report: Report): void {
  const made = `Made on ${report.cores} cores of ${report.cpu} on ${report.at.slice(0, 10)}, Node ${report.node}, ${report.server}:`
  const tables = { goals: goalTable(report.goals), verdicts: verdictTable(verdicts(report.rows)) }
  let page = readFileSync(PAGE, 'utf8')
  for (const [name, table] of Object.entries(tables)) {
    const [from, to] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
    const [head, rest = ''] = page.split(from)
    if (!rest.includes(to)) throw new Error(`docs/performance.md has no marks ${from} and ${to}`)
    page = `${head}${from}\n\n${made}\n\n${table.join('\n')}\n\n${to}${rest.split(to)[1]}`
  }
  writeFileSync(PAGE, page)
}
