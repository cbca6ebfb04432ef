// `npm start`: sets everything up and lets a mixed fleet work on this repository's own documents.
import { ensureRedis } from './lib/redis.mjs'
import { root } from './lib/command.mjs'
import { bold, cyan, dim, green, red, say, step, yellow } from './lib/say.mjs'
import { ensureBuild, ensureDependencies } from './lib/setup.mjs'

const NEXT = `
${bold('What to try next')}
  npm test                                 every test that can run here
  docs/guides/getting-started.md           your own first worker
  docs/guides/mixed-fleets.md              beside a Python fleet that stays as it is
  docs/operations.md                       run it: the arq-ts command, Docker, Kubernetes, metrics
  REDIS_URL=redis://host:6379/1 npm start  the same on a Redis of yours (queues demo:documents, demo:tasks)`

const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => stopping.abort())

await ensureDependencies()
await ensureBuild()
const redis = await ensureRedis()
say(`${cyan('•')} using ${redis.what}`)
try {
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
  if (!stopping.signal.aborted) await threeTasks(python)
  if (!stopping.signal.aborted) console.log(NEXT)
} catch (error) {
  if (!stopping.signal.aborted) {
    say(red(`\n${error.message}`))
    process.exitCode = 1
  }
} finally {
  await redis.stop()
}
if (stopping.signal.aborted) say('\nStopped.')
// Embedded servers and clients may hold the loop; all work is done.
process.exit()

async function findPython() {
  const { pythonArq, whyNoPython } = await import('@arq-ts/testkit')
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
  const agree = rounds.length === 2 && rounds[0].words === rounds[1].words
  if (agree) console.log(green('\nBoth languages read the same queue, the same pickles, and counted the same words.'))
}

/** The three tasks of the Python application, on a pool of ours. */
async function threeTasks(python) {
  const { ensureQdrant } = await import('./lib/qdrant.mjs')
  const qdrant = await step('a Qdrant for the three tasks', ensureQdrant)
  if (qdrant.why) return say(yellow(`The three tasks are left out: there can be no Qdrant here (${qdrant.why})`))
  try {
    const { runThreeTasks } = await import('../examples/three-tasks/main.mjs')
    const say2 = (line) => say(line.startsWith('  ') ? dim(line) : bold(line))
    const rows = await runThreeTasks({
      redisUrl: redis.url,
      qdrantUrl: qdrant.url,
      python,
      say: say2,
      signal: stopping.signal,
    })
    const width = Math.max(...rows.map(({ what }) => what.length))
    console.log(`\n${dim('job'.padEnd(width))}   ${dim('outcome')}`)
    for (const { what, outcome } of rows) console.log(`${what.padEnd(width)}   ${outcome}`)
  } finally {
    await qdrant.stop()
  }
}
