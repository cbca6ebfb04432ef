// examples/typescript in fresh projects: with the oldest and the newest zod, compilers from 5.4 on, each kind of module
// resolution, and each runtime; compiled there, and run on a Redis.
import { cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { quietly, root, RUN_LIMIT_MS } from '../lib/command.mjs'
import { installAsUser, installInto } from './pack.mjs'
import { COMPILERS, RUNTIMES, ZODS } from './versions.mjs'

const NODES = ['20', '22', '24']
const TYPE_CHECK_LIMIT_S = 10
const PRINTED = 'a.png at 800 px, 1970\nto ann: Welcome!'

/** Differences between the kinds of projects: the type in the manifest, and options of the compiler. */
const KINDS = {
  nodenext: { type: 'module', options: { module: 'nodenext', moduleResolution: 'nodenext' } },
  // The settings of a bundler's user; Node runs the output because the imports of the example have extensions.
  bundler: { type: 'module', options: { module: 'esnext', moduleResolution: 'bundler' } },
  cjs: { type: 'commonjs', options: { module: 'nodenext', moduleResolution: 'nodenext' } },
}

/** Until TypeScript 5.8 a CommonJS module may import an ES module by `import()` alone. */
const BY_IMPORT_CALL = `
async function main(): Promise<void> {
  const { Client, createLogger, defineTask, Worker } = await import('@arq-ts/core')
  const { z } = await import('zod')
  const params = z.object({ path: z.string(), width: z.number().int().default(800) })
  const resize = defineTask({ name: 'resize_image', params, handler: async (_ctx, { path, width }) => path + ' at ' + width + ' px, 1970' })
  const welcome = defineTask({ name: 'welcome', params: z.object({ to: z.string() }), handler: (_ctx, { to }) => 'to ' + to + ': Welcome!' })
  const options = { redis: process.env['REDIS_URL']!, queueName: 'cjs', logger: createLogger({ level: 'warn' }) }
  const client = new Client(options)
  const jobs = [await client.enqueue(resize, { path: 'a.png' }), await client.enqueue(welcome, { to: 'ann' })]
  await new Worker({ ...options, tasks: [resize, welcome], burst: true, keepResultMs: 5000 }).run()
  for (const job of jobs) console.log(await job!.result())
  await client.close()
}
void main()
`

/** Rows of an orthogonal array: each pair of compiler, kind, runtime and zod is in one; `long`: every combination. */
export function combinations(long) {
  const kinds = Object.keys(KINDS)
  const compilers = Object.keys(COMPILERS)
  const rows = compilers.flatMap((compiler, i) =>
    kinds.map((kind, j) => ({
      compiler,
      kind,
      runtime: NODES[(i + j) % 3],
      zod: ZODS[(i + 2 * j) % 3 === 0 ? 0 : 1],
    })),
  )
  if (!long) return rows
  return compilers.flatMap((compiler) =>
    kinds.flatMap((kind) => NODES.flatMap((runtime) => ZODS.map((zod) => ({ compiler, kind, runtime, zod })))),
  )
}

/** Folders with the packages by the version of zod, and one with the compilers. `app` has the workspace's zod. */
export async function projects(out, tarballs, app) {
  const compilers = Object.entries(COMPILERS).map(([name, version]) => `typescript-${name}@npm:typescript@${version}`)
  const folders = { compilers: await installInto(join(out, 'compilers'), compilers) }
  const [oldest, newest] = ZODS
  return { ...folders, [oldest]: await installAsUser(join(out, 'oldest-zod'), tarballs, oldest), [newest]: app }
}

/** Folder of the project of a row. */
export function projectOf(out, { compiler, kind, runtime, zod }) {
  return join(out, 'projects', `${compiler}-${kind}-${runtime}-${zod}`)
}

/** Compiles and runs the example as one row says. @returns seconds of CPU that its type check took */
export async function tryRow(row, { folders, runtimes, redisUrl, out }) {
  const { compiler, kind, runtime, zod } = row
  const folder = projectOf(out, row)
  mkdirSync(folder, { recursive: true })
  symlinkSync(join(folders[zod], 'node_modules'), join(folder, 'node_modules'))
  const { type, options } = KINDS[kind]
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type }))
  const compilerOptions = {
    target: 'es2022',
    strict: true,
    exactOptionalPropertyTypes: true,
    types: ['node'],
    outDir: 'dist',
    // The compiler that is fast reads every declaration of ours and of zod, the others what the example uses.
    skipLibCheck: compiler !== '7.0',
  }
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: { ...compilerOptions, ...options }, include: ['*.ts'] }),
  )
  if (kind === 'cjs' && compiler === '5.4') writeFileSync(join(folder, 'main.ts'), BY_IMPORT_CALL)
  else
    cpSync(join(root, 'examples/typescript'), folder, {
      recursive: true,
      filter: (path) => !/\.json$|dist$/.test(path),
    })
  const tsc = join(folders.compilers, 'node_modules', `typescript-${compiler}`, 'bin/tsc')
  const seconds = await cpuOf(process.execPath, [tsc, '-p', folder])
  if (seconds > TYPE_CHECK_LIMIT_S)
    throw new Error(`the type check takes ${seconds} s of CPU, more than ${TYPE_CHECK_LIMIT_S}`)
  await runExample(runtimes[runtime].command, folder, redisUrl)
  return seconds
}

/** Runs the compiled example. @throws Error unless it prints the expected output */
export async function runExample([command, ...args], folder, redisUrl) {
  const env = { ...process.env, REDIS_URL: redisUrl, NODE_NO_WARNINGS: '1' }
  const printed = await quietly(command, [...args, join(folder, 'dist/main.js')], {
    cwd: folder,
    env,
    timeout: RUN_LIMIT_MS,
  })
  if (printed.trim() !== PRINTED) throw new Error(`it printed ${JSON.stringify(printed)}`)
}

/** Runs a program; returns the seconds of CPU that it and its children took. */
async function cpuOf(command, args) {
  const script = `TIMEFORMAT='%U %S'; time "$0" "$@"`
  const output = await quietly('bash', ['-c', script, command, ...args])
  return output
    .trim()
    .split('\n')
    .at(-1)
    .split(' ')
    .reduce((sum, part) => sum + Number(part), 0)
}

/** Runtimes by name: a command, or the reason why there is none. */
export async function findRuntimes(out) {
  const found = {}
  const own = process.versions.node.split('.')[0]
  for (const [runtime, source] of Object.entries(RUNTIMES)) {
    found[runtime] =
      runtime === own ? { command: [process.execPath] } : await fromRegistry(join(out, 'runtimes', runtime), source)
  }
  if (found.deno.command) found.deno.command.push('run', '--allow-all', '--node-modules-dir=manual')
  return found
}

async function fromRegistry(folder, { name, version, program }) {
  if (process.platform !== 'linux' || process.arch !== 'x64') return { why: 'its binary is for Linux on x64' }
  try {
    await installInto(folder, [`${name}@${version}`])
    const file = join(folder, 'node_modules', name, program)
    if (!existsSync(file)) return { why: `its package has no ${program}` }
    await quietly(file, ['--version'], { timeout: RUN_LIMIT_MS })
    return { command: [file] }
  } catch (error) {
    return { why: error.message.split('\n').slice(0, 3).join(' ') }
  }
}
