// Runs vitest, a second time for the files that failed, and counts.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { root, run } from './command.mjs'
import { bold, green, red, say, step, yellow } from './say.mjs'

/** More failed files than this are a fault of the change, not of a busy machine. */
const MOST_FILES_RUN_AGAIN = 4

const cache = join(root, '.cache')

/**
 * Runs tests and says what they came to; writes the count to `.cache/<name>-count.json`.
 * A machine that stands still for a second fails a test of leases once. Of a few failed files a second run decides; what
 * passed only there is named as unsteady, since it may be a fault of ours all the same.
 * @param args options of vitest; with a `--reporter` among them nothing is counted or run again
 * @param folders what is run of the tests, unless everything; the second run has the failed files in their place
 * @returns the exit code
 */
export async function runTests(name, { args, folders = [], env = process.env }) {
  mkdirSync(cache, { recursive: true })
  const first = await runVitest(name, [...args, ...folders], env)
  if (!first.results) return first.code
  const again = first.code === 0 ? [] : filesToRunAgain(first.results)
  const second =
    again.length === 0
      ? undefined
      : await step(`running again: ${again.join(', ')}`, () => runVitest(`${name}-again`, [...args, ...again], env))
  const count = countTests(first.results, second?.results)
  writeFileSync(countFile(name), JSON.stringify(count, undefined, 2))
  report(count)
  return second?.code ?? first.code
}

/** What {@link runTests} counted last under this name; undefined if it did not come so far. */
export function readCount(name) {
  return existsSync(countFile(name)) ? JSON.parse(readFileSync(countFile(name), 'utf8')) : undefined
}

const countFile = (name) => join(cache, `${name}-count.json`)

async function runVitest(name, args, env) {
  const file = join(cache, `${name}.json`)
  rmSync(file, { force: true })
  rmSync(countFile(name), { force: true })
  const reporters = args.some((arg) => arg.startsWith('--reporter'))
    ? []
    : ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
  const vitest = join(root, 'node_modules/vitest/vitest.mjs')
  const code = await run(process.execPath, [vitest, 'run', ...reporters, ...args], { env })
  return { code, results: existsSync(file) ? readReport(file) : undefined }
}

function report({ passed, leftOut, failures, unsteady }) {
  say('')
  for (const { file, test, why } of unsteady)
    say(`${yellow('unsteady')}  ${file}: ${test}: ${why} (passed in a second run)`)
  for (const { file, test, why } of failures) say(`${red('failed')}  ${file}: ${test}: ${why}`)
  const parts = [green(`${passed} passed`)]
  if (failures.length > 0) parts.push(red(`${failures.length} failed`))
  if (unsteady.length > 0) parts.push(yellow(`${unsteady.length} unsteady`))
  if (leftOut > 0) parts.push(yellow(`${leftOut} left out`))
  say(`${bold('Tests')}  ${parts.join(', ')}`)
}

/** Reads a report of vitest's JSON reporter: file → its numbers and its failures. A file that cannot be loaded is one failure. */
function readReport(path) {
  const { testResults } = JSON.parse(readFileSync(path, 'utf8'))
  return new Map(testResults.map((result) => [relative(root, result.name), readFile(result)]))
}

function readFile({ status, message, assertionResults }) {
  const failures = assertionResults
    .filter((test) => test.status === 'failed')
    .map((test) => ({ test: test.fullName, why: firstLine(test.failureMessages.join('\n')) }))
  if (failures.length === 0 && status === 'failed') failures.push({ test: '(the file)', why: firstLine(message) })
  const passed = assertionResults.filter((test) => test.status === 'passed').length
  return { passed, leftOut: assertionResults.length - passed - failures.length, failures }
}

/** The files to run a second time: those with failures, if they are few. */
function filesToRunAgain(results) {
  const files = [...results].filter(([, { failures }]) => failures.length > 0).map(([file]) => file)
  return files.length <= MOST_FILES_RUN_AGAIN ? files : []
}

/** Counts the tests; `first` is the whole run, `second` the run of its failed files, which decides about those. */
function countTests(first, second = new Map()) {
  const failures = listFailures(new Map([...first, ...second]))
  const unsteady = listFailures(first).filter(
    ({ file, test }) => !failures.some((failure) => failure.file === file && failure.test === test),
  )
  const count = { passed: 0, leftOut: 0, failures, unsteady }
  for (const { passed, leftOut } of new Map([...first, ...second]).values()) {
    count.passed += passed
    count.leftOut += leftOut
  }
  return count
}

function listFailures(results) {
  return [...results].flatMap(([file, { failures }]) => failures.map((failure) => ({ file, ...failure })))
}

function firstLine(text = '') {
  return text.split('\n').find((line) => line.trim() !== '') ?? ''
}
