// `npm start`: sets everything up, lets a mixed fleet work on this repository's own documents, runs the three tasks, and
// opens the dashboard: at a terminal the fleet stays at work behind it until Ctrl-C.
// Exit 1 where anything comes out otherwise than it must.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startDashboard, takePicture } from './lib/dashboard.mjs'
import { ensureRedis } from './lib/redis.mjs'
import { root } from './lib/command.mjs'
import { bold, cyan, dim, green, red, say, step, yellow } from './lib/say.mjs'
import { ensureBuild, ensureDependencies } from './lib/setup.mjs'

const NEXT = `
${bold('What to try next')}
  npm test                                 every test that can run here
  docs/guides/getting-started.md           your own first worker
  docs/guides/mixed-fleets.md              next to a Python fleet that stays as it is
  docs/guides/write-behind.md              persist_cache; delayed-deletion.md and canary.md: the other two
  docs/operations.md                       run it: the arq-ts command, Docker, Kubernetes, metrics
  REDIS_URL=redis://host:6379/1 npm start  the same on a Redis of yours (queues demo:documents, demo:tasks)`

const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => stopping.abort())

let redis
try {
  await ensureDependencies()
  await ensureBuild()
  redis = await ensureRedis()
  say(`${cyan('•')} using ${redis.what}`)
  const python = await findPython()
  const { runMixedFleet } = await import('../examples/mixed-fleet/main.mjs')
  const rounds = await runMixedFleet({
    redisUrl: redis.url,
    python,
    root,
    say: (line) => say(bold(line)),
    signal: stopping.signal,
  })
  if (!stopping.signal.aborted) report(rounds)
  if (!stopping.signal.aborted) await withQdrant((qdrant) => threeTasks(python, qdrant))
} catch (error) {
  if (!stopping.signal.aborted) {
    say(red(`\n✗ ${error.message}`))
    process.exitCode = 1
  }
} finally {
  await redis?.stop()
}
if (stopping.signal.aborted) say('\nStopped.')
// Embedded servers and clients may hold the loop; all work is done.
process.exit()

async function findPython() {
  const { pythonArq, whyNoPython } = await import('@arq-ts/test-support')
  const reason = await whyNoPython()
  if (reason === undefined) {
    try {
      return await step('Python arq 0.28.0, unmodified, in a virtual environment', () => pythonArq('0.28.0'))
    } catch (error) {
      say(yellow(`Python is left out: arq cannot be installed (${error.message.split('\n')[0]})`))
      return undefined
    }
  }
  say(yellow(`Python is left out: ${reason}. TypeScript plays both parts.`))
  return undefined
}

function report(rounds) {
  const rows = [
    ['producer', 'worker', 'jobs', 'failed', 'words', 'wait p50', 'wait p99', 'jobs/s'],
    ...rounds.map((round) => [
      round.producer,
      round.worker,
      String(round.jobs),
      String(round.failed),
      round.words.toLocaleString('en'),
      `${round.p50Ms} ms`,
      `${round.p99Ms} ms`,
      (round.jobs / (round.tookMs / 1000)).toFixed(0),
    ]),
  ]
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  console.log('')
  for (const [i, row] of rows.entries()) {
    const line = row
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
      .join('   ')
    console.log(i === 0 ? dim(line) : line)
  }
  console.log(`\n${bold('The longest documents')}, as the worker summarised them`)
  for (const { path, words, lines, sha256, by } of rounds[0].largest) {
    console.log(
      `  ${path.padEnd(52)} ${String(words).padStart(6)} words ${String(lines).padStart(5)} lines  ${dim(sha256.slice(0, 12))}  ${dim(by)}`,
    )
  }
  const failed = rounds.find((round) => round.failed > 0)
  if (failed) throw new Error(`${failed.failed} of ${failed.jobs} documents failed on the ${failed.worker} worker`)
  if (rounds.length < 2) return
  if (rounds[0].words !== rounds[1].words)
    throw new Error(`${rounds[0].worker} counted ${rounds[0].words} words, ${rounds[1].worker} ${rounds[1].words}`)
  console.log(green('\nBoth languages read the same queue, the same pickles, and counted the same words.'))
}

/** Runs `work` with a Qdrant for the three tasks, or with none where there can be none. */
async function withQdrant(work) {
  const { ensureQdrant } = await import('./lib/qdrant.mjs')
  const qdrant = await step('a Qdrant for the three tasks', () =>
    ensureQdrant().catch((error) => ({ why: error.message.split('\n')[0] })),
  )
  if (qdrant.why)
    say(yellow(`There can be no Qdrant here (${qdrant.why}): of the three tasks only persist_cache is shown`))
  try {
    await work(qdrant)
  } finally {
    await qdrant.stop?.()
  }
}

/** The three tasks of the Python application, on a pool of ours; then the dashboard, while they continue. */
async function threeTasks(python, qdrant) {
  const { runThreeTasks } = await import('../examples/three-tasks/main.mjs')
  const run = (print) =>
    runThreeTasks({ redisUrl: redis.url, qdrantUrl: qdrant.url, python, say: print, signal: stopping.signal })
  const rows = await run((line) => say(line.startsWith('  ') ? dim(line) : bold(line)))
  if (stopping.signal.aborted) return
  compare(rows)
  console.log(NEXT)
  await lookAtIt(python, () => run(() => {}))
}

/** The dashboard over a fleet at work: until Ctrl-C at a terminal, for one picture elsewhere. */
async function lookAtIt(python, runTasks) {
  const { keepWorking } = await import('../examples/mixed-fleet/keep-working.mjs')
  const fleet = await keepWorking({ redisUrl: redis.url, python, root })
  let board
  try {
    board = await startDashboard(redis.url)
    console.log(`\n${bold('The dashboard')}, over the fleet at work: ${cyan(board.url)}`)
    if (process.stdin.isTTY && process.stdout.isTTY) {
      console.log(dim('Ctrl-C ends it, and the fleet'))
      while (!stopping.signal.aborted) {
        await runTasks().catch((error) => say(yellow(`the three tasks: ${error.message.split('\n')[0]}`)))
        await sleep(10_000, undefined, { signal: stopping.signal }).catch(() => {})
      }
      return
    }
    const folder = join(root, '.cache')
    mkdirSync(folder, { recursive: true })
    const picture = join(folder, 'dashboard.png')
    const { why } = await takePicture(board.url, picture)
    console.log(why ? dim(`no picture of it: ${why}`) : `its picture: .cache/dashboard.png`)
  } finally {
    await board?.stop()
    await fleet.stop()
  }
}

/** Shows each outcome. @throws Error that names those that are not what they must be. */
function compare(rows) {
  const width = Math.max(...rows.map(({ what }) => what.length))
  console.log(`\n${dim(`  ${'what'.padEnd(width)}   outcome`)}`)
  for (const { what, outcome, expected } of rows)
    console.log(`${outcome === expected ? green('✓') : red('✗')} ${what.padEnd(width)}   ${outcome}`)
  const wrong = rows.filter(({ outcome, expected }) => outcome !== expected)
  if (wrong.length === 0) return console.log(green('\nEach came out as it must.'))
  const lines = wrong.map(({ what, outcome, expected }) => `  ${what}: expected ${expected}, got ${outcome}`)
  throw new Error(`The three tasks did not come out as they must:\n${lines.join('\n')}`)
}
