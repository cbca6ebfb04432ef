// Start-up of the packed packages compared with a process of Node that does nothing: medians of rounds in which each
// contender runs once, so that a slow minute of the machine affects all of them. On a machine that others use, CPU time is
// the figure to read. Floors do the same without arq-ts, by the libraries alone that it is made of, each in one minified file:
// what no package on them can start faster than.
//
//   node scripts/packages/start-up.mjs [--rounds 15] [--app FOLDER]     FOLDER: where the packages are installed already
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { buildSync } from 'esbuild'
import { quietly } from '../lib/command.mjs'
import { ensureRedis } from '../lib/redis.mjs'
import { say } from '../lib/say.mjs'
import { ensureBuild, ensureDependencies } from '../lib/setup.mjs'
import { ensurePacked } from './pack.mjs'

const READY_LIMIT_MS = 30_000
const { values } = parseArgs({ options: { rounds: { type: 'string', default: '15' }, app: { type: 'string' } } })
const rounds = Number(values.rounds)
const redis = await ensureRedis()
try {
  const app = values.app === undefined ? await install() : resolve(values.app)
  report(await measure(contenders(app)))
} finally {
  await redis.stop()
}

async function install() {
  await ensureDependencies()
  await ensureBuild()
  return (await ensurePacked()).app
}

/** Contenders, each with its reference and the largest allowed ratio to it. */
function contenders(app) {
  const file = (name, text) => {
    const path = join(app, name)
    writeFileSync(path, text)
    return path
  }
  const cli = join(app, 'node_modules/@arq-ts/cli/dist/main.js')
  const tasks = file(
    'tasks.mjs',
    `import { defineTask } from '@arq-ts/core'\nexport const noop = defineTask({ name: 'noop', handler: () => null })\n`,
  )
  const ioredis = `import { Redis } from 'ioredis'
    const redis = new Redis('${redis.url}')
    await redis.set('first', 'job')
    await redis.quit()`
  const enqueue = `import { Client } from '@arq-ts/core/client'
    const client = new Client({ redis: '${redis.url}' })
    await client.enqueue('noop', [])
    await client.close()`
  const floor = (name, text) => {
    const { outputFiles } = buildSync({
      stdin: { contents: text, resolveDir: app },
      bundle: true,
      minify: true,
      platform: 'node',
      format: 'esm',
      write: false,
      logLevel: 'error',
      banner: { js: `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);` },
      // An optional part of a part of ioredis, which is not installed.
      external: ['supports-color'],
    })
    return file(name, outputFiles[0].text)
  }
  const verb = `import yargs from 'yargs'
    import { Redis } from 'ioredis'
    const queue = (y) => y.command('ls', 'list', (z) => z.options({ deep: { boolean: true } }), () => {}).strict()
    const { redis: url } = await yargs(process.argv.slice(2)).option('redis', { string: true }).command('queue', 'queues', queue).parseAsync()
    const redis = new Redis(url)
    await redis.time()
    const [, keys] = await redis.scan(0)
    console.log(keys.length)
    await redis.quit()`
  // A process that could restart another one, which does the first thing that a worker does.
  const pool = `if (process.send) {
      const { Redis } = await import('ioredis')
      await new Redis('${redis.url}/6').zadd('arq:workers', Date.now(), 'floor')
      process.on('disconnect', () => process.exit())
    } else {
      const child = require('node:child_process').fork(process.argv[1])
      process.on('SIGTERM', () => child.disconnect())
      child.on('exit', () => process.exit())
    }`
  const node =
    (...args) =>
    () =>
      timed(app, args)
  const poolFloor = floor('pool.mjs', pool)
  return [
    { name: 'bare node', run: node('-e', '0') },
    {
      name: "import '@arq-ts/core'",
      run: node(file('core.mjs', `import '@arq-ts/core'`)),
      than: 'bare node',
      limit: 3,
    },
    {
      name: 'arq-ts queue ls',
      run: node(cli, 'queue', 'ls', '--redis', `${redis.url}/5`),
      than: 'bare node',
      limit: 3,
    },
    {
      name: 'floor: yargs and ioredis',
      run: node(floor('verb.mjs', verb), 'queue', 'ls', '--redis', `${redis.url}/5`),
      than: 'bare node',
    },
    {
      name: 'arq-ts worker, until it polls',
      run: () => untilReady(app, [cli, 'worker', tasks]),
      than: 'bare node',
      limit: 3.5,
    },
    { name: 'floor: a pool of bare ioredis', run: () => untilReady(app, [poolFloor]), than: 'bare node' },
    { name: 'bare ioredis, first command', run: node(file('ioredis.mjs', ioredis)) },
    { name: 'first enqueue', run: node(file('enqueue.mjs', enqueue)), than: 'bare ioredis, first command', limit: 2.2 },
  ]
}

async function measure(all) {
  for (const { run } of all) await run() // fills the file cache and the compile cache of Node
  const taken = all.map(() => [])
  for (let round = 0; round < rounds; round++) for (const [i, { run }] of all.entries()) taken[i].push(await run())
  return all.map((each, i) => ({
    ...each,
    wall: median(taken[i].map(({ wall }) => wall)),
    cpu: median(taken[i].map(({ cpu }) => cpu)),
  }))
}

function report(all) {
  const times = (ours, theirs) => (Number.isFinite(ours) ? `${(ours / theirs).toFixed(2)} ×` : '–')
  for (const { name, wall, cpu, than, limit } of all) {
    const base = all.find((each) => each.name === than)
    const ratio = base
      ? `  ${times(wall, base.wall)} wall, ${times(cpu, base.cpu)} CPU of ${than}${limit ? `; goal ${limit} ×` : ''}`
      : ''
    const cpuText = Number.isFinite(cpu) ? ` ${cpu.toFixed(0).padStart(5)} ms CPU` : ''.padEnd(13)
    say(`${name.padEnd(30)} ${wall.toFixed(0).padStart(5)} ms${cpuText}${ratio}`)
  }
}

/** Wall time and CPU time of one process, in ms. */
async function timed(cwd, args) {
  const script = `TIMEFORMAT='%R %U %S'; time "$0" "$@" >/dev/null`
  const output = await quietly('bash', ['-c', script, process.execPath, ...args], { cwd })
  const [wall, user, system] = output.trim().split('\n').at(-1).split(' ').map(Number)
  return { wall: wall * 1_000, cpu: (user + system) * 1_000 }
}

/** Times from the start of the process until its worker is registered, in ms. */
async function untilReady(app, args) {
  const { Redis } = createRequire(join(app, 'index.js'))('ioredis')
  const client = new Redis(`${redis.url}/6`)
  await client.flushdb()
  const start = performance.now()
  const child = spawn(process.execPath, [...args, '--redis', `${redis.url}/6`, '--workers', '1', '--quiet'], {
    cwd: app,
    stdio: 'ignore',
  })
  try {
    while ((await client.zcard('arq:workers')) === 0) {
      if (child.exitCode !== null || performance.now() - start > READY_LIMIT_MS)
        throw new Error('the worker did not start')
      await sleep(1)
    }
    return { wall: performance.now() - start, cpu: cpuMs(child.pid) }
  } finally {
    child.kill('SIGTERM')
    await new Promise((resolve) => child.once('close', resolve))
    await client.quit()
  }
}

/** CPU time of a process and of those that it has started, in ms; NaN where the system does not count it by threads. */
function cpuMs(pid) {
  try {
    const threads = readdirSync(`/proc/${pid}/task`).map((thread) => `/proc/${pid}/task/${thread}`)
    return threads.reduce((sum, thread) => {
      const children = readFileSync(`${thread}/children`, 'utf8').split(' ').filter(Boolean)
      const ns = Number(readFileSync(`${thread}/schedstat`, 'utf8').split(' ')[0])
      return sum + ns / 1e6 + children.reduce((all, child) => all + cpuMs(child), 0)
    }, 0)
  } catch {
    return NaN
  }
}

function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]
}
