// `npm test`: sets everything up, runs every test that can run here, and names what it left out.
// Arguments go to vitest: `npm test -- --project unit`.
import { answers } from './lib/command.mjs'
import { ensureEngine } from './lib/containers.mjs'
import { findServer, installServer } from './lib/redis.mjs'
import { say, step, yellow } from './lib/say.mjs'
import { ensureBuild, ensureDependencies } from './lib/setup.mjs'
import { runTests } from './lib/tests.mjs'

await ensureDependencies()
await ensureBuild()

const args = process.argv.slice(2)
const leftOut = []
if (!process.env.ARQ_TEST_SERVER && !findServer() && !(await installServer())) {
  leftOut.push('everything but the unit tests: no redis-server or valkey-server here, and none could be installed')
  args.push('--project', 'unit')
}
const { allPythons, pythonQdrant, whyNoPython } = await import('@arq-ts/test-support')
const noPython = await whyNoPython()
if (noPython) leftOut.push(`everything against Python arq: ${noPython}`)
// Both wait for a mirror. Which environment cannot be made is for the tests that want it to say.
const [engine] = await Promise.all([
  // CI wants the container path proved too; elsewhere nobody's machine gets an engine it did not ask for.
  process.env.CI ? ensureEngine() : { why: answers('docker', ['info']) ? undefined : 'no Docker engine answers' },
  noPython ? [] : step('Python environments', () => Promise.allSettled([allPythons(), pythonQdrant()])),
])
if (engine.why) leftOut.push(`servers in containers: ${engine.why}`)

process.exitCode = await step('running tests', () => runTests('tests', args, { ...process.env, ...engine.env }))
await engine.stop?.()
for (const reason of leftOut) say(`${yellow('left out')}  ${reason}`)
