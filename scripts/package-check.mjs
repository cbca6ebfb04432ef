// Packs the packages and uses them from outside, as users do: checks of each tarball, a size budget per entry, an example in
// fresh projects of many kinds, bundles of a producer.
//
//   --long    every combination of compiler, resolution, runtime and zod instead of every pair
//   --sizes   writes the size budget (pnpm sizes)
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { quietly, RUN_LIMIT_MS } from './lib/command.mjs'
import { publishedEntries } from './lib/entries.mjs'
import { ensureRedis } from './lib/redis.mjs'
import { say, step, yellow } from './lib/say.mjs'
import { ensureBuild, ensureDependencies } from './lib/setup.mjs'
import { tryBundlers } from './packages/bundlers.mjs'
import { combinations, findRuntimes, projectOf, projects, runExample, tryRow } from './packages/matrix.mjs'
import { ensurePacked } from './packages/pack.mjs'
import { overBudget, sizesOf, writeBudget } from './packages/sizes.mjs'
import { checkTarball } from './packages/sound.mjs'

const isLong = process.argv.includes('--long')
await ensureDependencies()
await ensureBuild()
const out = mkdtempSync(join(tmpdir(), 'arq-ts-pack-'))
delete process.env.REDIS_URL // the example must have a Redis of ours, without other workers
const redis = await ensureRedis()
try {
  const { packed, app } = await ensurePacked()
  const entries = publishedEntries()
  const sizes = await sizesOf(entries, app)
  if (process.argv.includes('--sizes')) {
    writeBudget(sizes)
    say(`${entries.length} sizes written`)
  } else {
    await check({ packed, entries, sizes, app })
  }
} finally {
  await redis.stop()
  rmSync(out, { recursive: true, force: true })
}

async function check({ packed, entries, sizes, app }) {
  for (const each of packed) await checkTarball(each, out)
  say(`${packed.length} tarballs are sound: publint, the types, what their manifests list, what their source maps name`)
  const heavy = overBudget(sizes)
  if (heavy.length > 0) throw new Error(heavy.join('\n'))
  say(`${entries.length} entries are within their size budget`)

  const version = (await quietly('npx', ['--no-install', 'arq-ts', '--version'], { cwd: app, timeout: RUN_LIMIT_MS }))
    .trim()
    .split('\n')
    .at(-1)
  const imports = entries.map(({ specifier }) => `await import('${specifier}')`).join(';')
  await quietly(process.execPath, ['--input-type=module', '-e', imports], { cwd: app, timeout: RUN_LIMIT_MS })
  say(`installed by npm: arq-ts ${version}, and every entry can be imported`)

  const tarballs = packed.map(({ tarball }) => tarball)
  const folders = await step('installing compilers, and the oldest zod', () => projects(out, tarballs, app))
  const runtimes = await step('fetching runtimes', () => findRuntimes(out))
  const context = { folders, out, redisUrl: redis.url, runtimes }
  const rows = combinations(isLong)
  for (const row of rows) await tried(row, runtimes, () => tryRow(row, context))
  // The ES modules that a row has compiled, by runtimes other than Node.
  const compiled = rows.find(({ kind, runtime }) => kind === 'nodenext' && runtimes[runtime].command)
  if (!compiled) throw new Error('no row of the example has run: there is neither a Node of its rows nor a registry')
  for (const runtime of ['bun', 'deno']) {
    await tried({ runtime }, runtimes, (command) => runExample(command, projectOf(out, compiled), redis.url))
  }
  const ran = await tryBundlers({ app, out, redisUrl: redis.url })
  say(`bundles that enqueue: ${ran.join(', ')}`)
}

/** Does the work of a row, or says why its runtime is not here. */
async function tried({ compiler, kind, runtime, zod }, runtimes, work) {
  const what = [
    compiler && `TypeScript ${compiler}`,
    kind,
    zod && `zod ${zod}`,
    /^\d/.test(runtime) ? `Node ${runtime}` : runtime,
  ]
  const name = what.filter(Boolean).join(', ')
  const { command, why } = runtimes[runtime]
  if (!command) return say(`${yellow('left out')}  examples/typescript with ${name}: ${why}`)
  try {
    const seconds = await work(command)
    say(`examples/typescript runs: ${name}${seconds ? ` (type check ${seconds.toFixed(1)} s of CPU)` : ''}`)
  } catch (error) {
    throw new Error(`examples/typescript fails with ${name}: ${error.message}`, { cause: error })
  }
}
