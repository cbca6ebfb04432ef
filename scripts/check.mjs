// `pnpm check`: all that CI asks. Ends with a plain line `N passed, N failed`.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { root } from './lib/command.mjs'
import { publishedFolders } from './lib/entries.mjs'
import { bold, dim, green, red, say } from './lib/say.mjs'
import { ensureDependencies } from './lib/setup.mjs'
import { describeFailure, readCount } from './lib/tests.mjs'
import { Turns } from './lib/turns.mjs'
import { Watched } from './lib/watched.mjs'

/** A check that prints nothing for this long hangs: the longest file of tests takes three minutes, and prints at its end. */
const SILENCE_LIMIT_MS = 8 * 60_000

await ensureDependencies()
const bin = (name) => join(root, 'node_modules', '.bin', name)
const node = process.execPath

/** The packages that are bundled. Tests of the tasks reach into modules of theirs. */
const bundled = publishedFolders.filter((folder) => /[\\/](protocol|core|cli)$/.test(folder))
/** Each makes what later ones use, and none after these changes what is built. */
const first = [
  ['generated Lua module', node, ['packages/core/scripts/generate-lua.mjs', '--check']],
  ['type check', node, ['scripts/compile.mjs']],
  ['pages of the dashboard', node, ['packages/dashboard-ui/scripts/build.mjs']],
  ['generated references', node, ['packages/core/scripts/config-reference.mjs', '--check']],
  ['public surface', node, ['scripts/api-report.mjs', '--check']],
  ['generated help', node, ['packages/cli/scripts/generate-help.mjs', '--check']],
  ['packing', node, ['scripts/packages/pack.mjs']],
  // Commands and workers of tests run what is published, and start in half of the time.
  ['bundles for processes of tests', node, ['scripts/bundle.mjs', '--over', ...bundled]],
]
/** Tests wait for events half of their time: checks that compute run alongside, one at a time. */
const lanes = [
  [['tests', node, ['scripts/test.mjs'], 'tests']],
  [
    ['type check of tests', bin('tsc'), ['-p', 'tsconfig.test.json']],
    ['formatting', bin('oxfmt'), ['--check']],
    ['linter, import rules, cycles', bin('oxlint'), ['--type-aware', '--deny-warnings']],
    ['code in the docs', node, ['scripts/docs-check.mjs']],
    ['files that run it elsewhere', node, ['scripts/deploy-check.mjs']],
    ['packed tarballs', node, ['scripts/package-check.mjs']],
    ['npm start', node, ['scripts/start.mjs']],
    ['tests on a Valkey 8', node, ['scripts/test-valkey.mjs', '--maxWorkers=1'], 'tests-valkey'],
  ],
]
/** Both hold times against a bound, and so they run alone. */
const last = [
  ['chaos, two minutes', node, ['chaos/dist/main.js', '--minutes', '2', '--seed', 'ci']],
  ['throughput compared with Redis itself', node, ['bench/dist/main.js', '--guard']],
]

const turns = new Turns()
const running = new Set()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => {
    turns.flush()
    for (const watched of running) watched.kill(signal)
    takeBundlesAway()
    process.exit(1)
  })

// Those that a check left which was killed: what is compiled must not go under them.
takeBundlesAway()
let passed = 0
let failed = 0
const notes = []
for (const phase of [[first], lanes, [last]]) {
  await Promise.all(
    phase.map(async (lane) => {
      for (const each of lane) await check(each)
    }),
  )
}
takeBundlesAway()
// Repeated at the end, so that the tail of a long log shows what needs attention.
for (const note of notes) say(note)
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1

async function check([what, command, args, count]) {
  const turn = turns.open()
  const print = (line) => turn.write('stderr', `${line}\n`)
  print(`\n${bold(`— ${what}`)}`)
  const before = performance.now()
  const { code, isSilent } = await runIn(turn, command, args)
  const took = dim(`(${((performance.now() - before) / 1000).toFixed(0)} s)`)
  if (code === 0) print(`${green(`✓ ${what}`)} ${took}`)
  else {
    const how = isSilent ? `ended: it printed nothing for ${SILENCE_LIMIT_MS / 60_000} minutes` : `exit ${code}`
    notes.push(red(`✗ ${what} (${how})`))
    print(`${notes.at(-1)} ${took}`)
  }
  turn.close()
  const tests = count && readCount(count)
  passed += (tests?.passed ?? 0) + (code === 0 ? 1 : 0)
  failed += tests?.failures.length ?? 0
  if (code !== 0 && !tests?.failures.length) failed++
  for (const failure of tests?.failures ?? []) notes.push(`  ${describeFailure(failure)}`)
}

function takeBundlesAway() {
  spawnSync(node, ['scripts/bundle.mjs', '--under', ...bundled], { cwd: root, stdio: 'inherit' })
}

/** Runs a program with its output in a group, until it ends or hangs. */
async function runIn(turn, command, args) {
  const colours = process.stderr.isTTY && !process.env.NO_COLOR ? { FORCE_COLOR: '1' } : {}
  // Bundles stay where a check compiles what has changed: nothing has.
  const env = { ...process.env, ...colours, ARQ_BUNDLES: 'over' }
  const watched = new Watched(command, args, { cwd: root, env, silenceMs: SILENCE_LIMIT_MS, print: turn.write })
  running.add(watched)
  const end = await watched.ended
  running.delete(watched)
  return end
}
