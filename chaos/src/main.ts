// `npm run chaos`: a mixed fleet under a seeded schedule of faults, and the judgement of what became of every job.
import { writeFileSync } from 'node:fs'
import { describeFault } from './plan/faults.ts'
import { readOptions, USAGE } from './run/options.ts'
import type { RunOptions } from './run/options.ts'
import { formatReport } from './run/report.ts'
import { run, scheduleOf, whyNoPythonHere } from './run/run.ts'

process.exitCode = await main()
process.exit()

async function main(): Promise<number> {
  let options: RunOptions | undefined
  try {
    options = readOptions(process.argv.slice(2))
  } catch (error) {
    console.error((error as Error).message)
    return 2
  }
  if (!options) {
    console.log(USAGE)
    return 0
  }
  if (options.plan) {
    const python = (await whyNoPythonHere(options)) === undefined
    for (const fault of scheduleOf(options, python)) {
      console.log(`${(fault.atMs / 1000).toFixed(1).padStart(7)} s  ${describeFault(fault)}`)
    }
    return 0
  }
  const interrupted = new AbortController()
  process.once('SIGINT', () => {
    console.error('no more faults: draining; once more to end at once')
    interrupted.abort()
    process.once('SIGINT', () => process.exit(2))
  })
  try {
    console.error(`seed ${options.seed}`)
    const report = await run(options, (line) => console.error(line), interrupted.signal)
    if (options.report) writeFileSync(options.report, `${JSON.stringify(report, null, 2)}\n`)
    console.log(formatReport(report))
    return report.bounds.some(({ broken }) => broken) ? 1 : 0
  } catch (error) {
    console.error(error)
    return 2
  }
}
