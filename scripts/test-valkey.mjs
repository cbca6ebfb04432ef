// The tests that depend on a server, once more on a Valkey 8: the scripts, and what core, the task packages and the two-way
// proof ask of one. Left out unless `--all` is given: the command and the dashboard, which reach a server through core alone;
// what starts processes and kills them, which needs minutes; and older versions of arq.
// In CI on a Debian or Ubuntu the absence of a Valkey is a failure. Other arguments go to vitest.
import { red, say, step, yellow } from './lib/say.mjs'
import { ensureBuild, ensureDependencies } from './lib/setup.mjs'
import { runTests } from './lib/tests.mjs'
import { findValkey } from './lib/valkey.mjs'

await ensureDependencies()
await ensureBuild()
const { path, why, expected } = await step('looking for a Valkey 8', findValkey)
if (!path) {
  const fails = Boolean(process.env.CI) && expected
  say(`${fails ? red('failed') : yellow('left out')}  tests on Valkey: ${why}`)
  process.exit(fails ? 1 : 0)
}
const args = process.argv.slice(2)
const isAll = args.includes('--all')
const projects = ['integration', 'interop', ...(isAll ? ['e2e'] : [])].flatMap((project) => ['--project', project])
// Nor what compares every key with every wrong value, or arq's log lines with ours, nor what concerns our processes and
// connections alone: no server differs there.
const OURS_ALONE = [
  'cut-connections',
  'drivers',
  'examples',
  'operations',
  'parity',
  'redis-clients',
  'sandbox',
  'starvation',
  'surface',
]
const leftOut = isAll
  ? []
  : ['**/matrix/**', '**/*-0.26.*.test.ts', ...OURS_ALONE.map((name) => `**/${name}.test.ts`)].flatMap((each) => [
      '--exclude',
      each,
    ])
const folders = isAll
  ? []
  : [
      'packages/core/',
      'packages/interop/',
      'packages/canary/test/integration/',
      'packages/write-behind/test/integration/',
    ]
process.exitCode = await runTests(
  'tests-valkey',
  [...projects, ...folders, ...leftOut, ...args.filter((each) => each !== '--all')],
  {
    ...process.env,
    ARQ_TEST_SERVER: path,
  },
)
