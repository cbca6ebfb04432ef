// Packs what would be published, and uses it from outside, as its users do: judgements of each tarball, a size budget per
// entry, an example in fresh projects of many kinds, bundles of a producer.
//
//   --long    every combination of compiler, resolution, runtime and zod instead of every pair
//   --sizes   writes the size budget (pnpm sizes)
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { quietly } from './lib/command.mjs'
import { publishedEntries } from './lib/entries.mjs'
import { ensureRedis } from './lib/redis.mjs'
import { say, step, yellow } from './lib/say.mjs'
import { ensureBuild, ensureDependencies } from './lib/setup.mjs'
import { tryBundlers } from './packages/bundlers.mjs'
import { combinations, findRuntimes, projects, runExample, tryRow } from './packages/matrix.mjs'
import { ensurePacked, installInto } from './packages/pack.mjs'
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

  const version = (await quietly('npx', ['--no-install', 'arq-ts', '--version'], { cwd: app }))
    .trim()
    .split('\n')
    .at(-1)
  const imports = entries.map(({ specifier }) => `await import('${specifier}')`).join(';')
  await quietly(process.execPath, ['--input-type=module', '-e', imports], { cwd: app })
  say(`installed by npm: arq-ts ${version}, and every entry can be imported`)

  const tarballs = packed.map(({ tarball }) => tarball)
  const folders = await step('installing compilers, and the oldest zod', () => projects(out, tarballs, app))
  const runtimes = await step('fetching runtimes', () => findRuntimes(out))
  for (const [name, { why }] of Object.entries(runtimes)) if (why) say(`${yellow('left out')}  ${name}: ${why}`)
  const commands = Object.fromEntries(Object.entries(runtimes).map(([name, { command }]) => [name, command]))
  const context = { folders, out, redisUrl: redis.url, runtimes: commands }
  const rows = combinations(isLong).filter(({ runtime }) => commands[runtime])
  for (const row of rows) await tried(row, () => tryRow(row, context))
  // What the first row has compiled, ES modules, by the runtimes that are not Node.
  const compiled = join(out, 'projects', Object.values(rows[0]).join('-'))
  for (const name of ['bun', 'deno'].filter((each) => commands[each])) {
    await tried({ runtime: name }, () => runExample(commands[name], compiled, redis.url))
  }
  const packages = await installInto(join(out, 'webpack'), ['webpack@5'])
  const ran = await tryBundlers({ app, packages, out, redisUrl: redis.url })
  say(`bundles that enqueue: ${ran.join(', ')}`)
}

async function tried({ compiler, kind, runtime, zod }, work) {
  const what = [
    compiler && `TypeScript ${compiler}`,
    kind,
    zod && `zod ${zod}`,
    /^\d/.test(runtime) ? `Node ${runtime}` : runtime,
  ]
  const name = what.filter(Boolean).join(', ')
  try {
    const seconds = await work()
    say(`examples/typescript runs: ${name}${seconds ? ` (type check ${seconds.toFixed(1)} s of CPU)` : ''}`)
  } catch (error) {
    throw new Error(`examples/typescript fails with ${name}: ${error.message}`, { cause: error })
  }
}
