// `npm test`: sets everything up, runs every test that can run here, and names what it left out.
// Arguments go to vitest: `npm test -- --project unit`.
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { answers, root, run } from './lib/command.mjs'
import { ensureEngine } from './lib/containers.mjs'
import { findServer, installServer } from './lib/redis.mjs'
import { bold, green, red, say, step, yellow } from './lib/say.mjs'
import { ensureBuild, ensureDependencies } from './lib/setup.mjs'

await ensureDependencies()
await ensureBuild()

const args = process.argv.slice(2)
const leftOut = []
if (!process.env.ARQ_TEST_SERVER && !findServer() && !(await installServer())) {
  leftOut.push('everything but the unit tests: no redis-server or valkey-server here, and none could be installed')
  args.push('--project', 'unit')
}
// CI wants the container path proved too; elsewhere nobody's machine gets an engine it did not ask for.
const engine = process.env.CI
  ? await ensureEngine()
  : { why: answers('docker', ['info']) ? undefined : 'no Docker engine answers' }
if (engine.why) leftOut.push(`servers in containers: ${engine.why}`)

const { whyNoPython } = await import('@arq-ts/test-support')
const noPython = await whyNoPython()
if (noPython) leftOut.push(`everything against Python arq: ${noPython}`)

mkdirSync(join(root, '.cache'), { recursive: true })
const report = join(root, '.cache', 'tests.json')
const reporters = args.some((arg) => arg.startsWith('--reporter'))
  ? []
  : ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
const code = await step('running tests', () =>
  run(process.execPath, [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...reporters, ...args], {
    env: { ...process.env, ...engine.env },
  }),
)
await engine.stop?.()

if (existsSync(report) && reporters.length > 0) {
  const { numPassedTests, numFailedTests, numPendingTests, numFailedTestSuites } = JSON.parse(
    readFileSync(report, 'utf8'),
  )
  const failed = numFailedTests + (numFailedTests === 0 ? numFailedTestSuites : 0)
  say('')
  say(
    `${bold('Tests')}  ${green(`${numPassedTests} passed`)}${failed ? `, ${red(`${failed} failed`)}` : ''}${numPendingTests ? `, ${yellow(`${numPendingTests} left out`)}` : ''}`,
  )
}
for (const reason of leftOut) say(`${yellow('left out')}  ${reason}`)
process.exitCode = code
