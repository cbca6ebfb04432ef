// Runs vitest and counts its tests, for the last lines of a whole check.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { root, run } from './command.mjs'
import { bold, green, red, say, yellow } from './say.mjs'

const cache = join(root, '.cache')

/**
 * Runs tests, prints the count and each failure, and writes both to `.cache/<name>-count.json`.
 * @param args arguments of vitest; with a `--reporter` among them nothing is counted
 * @returns the exit code
 */
export async function runTests(name, args, env = process.env) {
  mkdirSync(cache, { recursive: true })
  const file = join(cache, `${name}.json`)
  rmSync(file, { force: true })
  rmSync(countFile(name), { force: true })
  const reporters = args.some((arg) => arg.startsWith('--reporter'))
    ? []
    : ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
  const vitest = join(root, 'node_modules/vitest/vitest.mjs')
  const code = await run(process.execPath, [vitest, 'run', ...reporters, ...args], { env })
  if (!existsSync(file)) return code
  const count = countTests(JSON.parse(readFileSync(file, 'utf8')))
  writeFileSync(countFile(name), JSON.stringify(count, undefined, 2))
  report(count)
  return code
}

/** The last count of {@link runTests} under this name, `{ passed, leftOut, failures }`; undefined if it did not finish. */
export function readCount(name) {
  return existsSync(countFile(name)) ? JSON.parse(readFileSync(countFile(name), 'utf8')) : undefined
}

/** A failure in one line. */
export function describeFailure({ file, test, why }) {
  return `${file}: ${test}: ${why}`
}

function countFile(name) {
  return join(cache, `${name}-count.json`)
}

function report({ passed, leftOut, failures }) {
  say('')
  for (const failure of failures) say(`${red('failed')}  ${describeFailure(failure)}`)
  const parts = [green(`${passed} passed`)]
  if (failures.length > 0) parts.push(red(`${failures.length} failed`))
  if (leftOut > 0) parts.push(yellow(`${leftOut} left out`))
  say(`${bold('Tests')}  ${parts.join(', ')}`)
}

/** Counts a report of vitest's JSON reporter. A file that cannot be loaded is one failure. */
function countTests({ numPassedTests, numPendingTests, testResults }) {
  const failures = testResults.flatMap(({ name, status, message, assertionResults }) => {
    const file = relative(root, name)
    const failed = assertionResults.filter((test) => test.status === 'failed')
    if (failed.length === 0 && status === 'failed') return [{ file, test: '(the file)', why: firstLine(message) }]
    return failed.map(({ fullName, failureMessages }) => ({
      file,
      test: fullName,
      why: firstLine(failureMessages.join('\n')),
    }))
  })
  return { passed: numPassedTests, leftOut: numPendingTests, failures }
}

function firstLine(text = '') {
  return text.split('\n').find((line) => line.trim() !== '') ?? ''
}
