// `pnpm check`: all that CI asks, in CI's order. Ends with a plain line `N passed, N failed`.
import { join } from 'node:path'
import { root, run } from './lib/command.mjs'
import { bold, green, red, say } from './lib/say.mjs'
import { ensureDependencies } from './lib/setup.mjs'
import { describeFailure, readCount } from './lib/tests.mjs'

await ensureDependencies()
const bin = (name) => join(root, 'node_modules', '.bin', name)
const node = process.execPath

const checks = [
  ['generated Lua module', node, ['packages/core/scripts/generate-lua.mjs', '--check']],
  ['type check', node, ['scripts/compile.mjs']],
  ['pages of the dashboard', node, ['packages/dashboard-ui/scripts/build.mjs']],
  ['generated references', node, ['packages/core/scripts/config-reference.mjs', '--check']],
  ['public surface', node, ['scripts/api-report.mjs', '--check']],
  ['generated help', node, ['packages/cli/scripts/generate-help.mjs', '--check']],
  ['type check of tests', bin('tsc'), ['-p', 'tsconfig.test.json']],
  ['code in the docs', node, ['scripts/docs-check.mjs']],
  ['formatting', bin('oxfmt'), ['--check']],
  ['linter, import rules, cycles', bin('oxlint'), ['--type-aware', '--deny-warnings']],
  ['tests', node, ['scripts/test.mjs'], 'tests'],
  ['tests on a Valkey 8', node, ['scripts/test-valkey.mjs'], 'tests-valkey'],
  ['chaos, two minutes', node, ['chaos/dist/main.js', '--minutes', '2', '--seed', 'ci']],
  ['files that run it elsewhere', node, ['scripts/deploy-check.mjs']],
  ['packed tarballs', node, ['scripts/package-check.mjs']],
  ['npm start', node, ['scripts/start.mjs']],
  ['throughput beside what Redis itself can do', node, ['bench/dist/main.js', '--guard']],
]

let passed = 0
let failed = 0
const notes = []
for (const [what, command, args, count] of checks) {
  say(`\n${bold(`— ${what}`)}`)
  const code = await run(command, args)
  if (code === 0) say(green(`✓ ${what}`))
  else {
    notes.push(red(`✗ ${what} (exit ${code})`))
    say(notes.at(-1))
  }
  const tests = count && readCount(count)
  passed += (tests?.passed ?? 0) + (code === 0 ? 1 : 0)
  failed += tests?.failures.length ?? 0
  if (code !== 0 && !tests?.failures.length) failed++
  for (const failure of tests?.failures ?? []) notes.push(`  ${describeFailure(failure)}`)
}
// Repeated at the end, so that the tail of a long log shows what needs attention.
for (const note of notes) say(note)
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
