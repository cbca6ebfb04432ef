/**
 * Draws the operating characteristics of the judge: `npm run simulate` writes docs/reference/canary-simulation.{json,md,svg}.
 * `--runs 0.1` makes a tenth of the runs, `--part healthy` only that part of the figures; `--check` only compares the
 * committed figures with the bounds they must meet.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { boundsBroken, PARTS } from './characteristics.ts'
import type { Characteristics } from './characteristics.ts'
import { chart } from './chart.ts'
import { page } from './page.ts'

const names = Object.keys(PARTS) as (keyof Characteristics)[]
const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '1' },
    part: { type: 'string', multiple: true, default: names },
    check: { type: 'boolean', default: false },
  },
})
const file = (extension: string) =>
  fileURLToPath(new URL(`../../../docs/reference/canary-simulation.${extension}`, import.meta.url))

const read = () => JSON.parse(readFileSync(file('json'), 'utf8')) as Characteristics
const runs = (count: number) => Math.max(1, Math.round(count * Number(values.runs)))

for (const name of values.check ? [] : names.filter((each) => values.part.includes(each))) {
  const part = PARTS[name](runs, (line) => console.log(line))
  writeFileSync(file('json'), `${JSON.stringify({ ...read(), [name]: part }, null, 2)}\n`)
}
const figures = read()
if (!values.check) {
  writeFileSync(file('md'), page(figures))
  writeFileSync(file('svg'), chart(figures))
}
const broken = boundsBroken(figures)
for (const line of broken) console.error(line)
process.exitCode = broken.length > 0 ? 1 : 0
