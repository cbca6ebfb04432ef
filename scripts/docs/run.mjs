// Runs the blocks of the pages against the packed packages, each page in a process of its own, on a Redis of their own, in the
// order of the page: code as it is compiled, commands in a shell where `arq-ts` and `redis-cli` know that Redis.
//
// A block that cannot run here has a comment with the reason before it, which the page does not show:
//   <!-- not run: it needs a Qdrant; examples/canary runs one -->
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { transform } from 'esbuild'
import { quietly, RUN_LIMIT_MS } from '../lib/command.mjs'

const RUNNER = ['run-page.mjs', 'within.mjs', 'console.mjs', 'redirect.mjs']
const SHELL = /\.(?:sh|console)$/

/**
 * Runs what the type check has written.
 *
 * @param {{ page: string, file: string, source: string, notRun: string | undefined }[]} blocks
 * @returns sentences about pages that fail
 */
export async function runBlocks(blocks, { out, app, redisUrl }) {
  const problems = []
  // Where it finds the packages.
  for (const file of RUNNER) cpSync(fileURLToPath(new URL(file, import.meta.url)), join(out, file))
  const here = join(out, RUNNER[0])
  const port = new URL(redisUrl).port
  const env = {
    ...process.env,
    REDIS_PORT: port,
    NODE_NO_WARNINGS: '1',
    NO_COLOR: '1',
    PATH: [commandsFor({ out, app, port }), process.env.PATH].join(delimiter),
  }
  const { Redis } = createRequire(here)('ioredis')
  const redis = new Redis(redisUrl)
  for (const page of new Set(blocks.map((block) => block.page))) {
    const files = []
    for (const { file, source, notRun } of blocks.filter((block) => block.page === page)) {
      const written = await writeBlock(file.replace(/^(.*)\/types\//, '$1/run/'), source)
      if (notRun === undefined) files.push(written)
    }
    if (files.length === 0) continue
    await redis.flushall()
    await quietly(process.execPath, [here, ...files], { cwd: dirname(files[0]), env, timeout: RUN_LIMIT_MS }).catch(
      (error) => problems.push(`${page}: ${error.message}`),
    )
  }
  redis.disconnect()
  return problems
}

/** Writes a block as it runs; gives the file. */
async function writeBlock(file, source) {
  mkdirSync(dirname(file), { recursive: true })
  // Commands name files as the page does.
  writeFileSync(file, source)
  if (SHELL.test(file)) return file
  const target = file.replace(/\.ts$/, '.js')
  const { code } = await transform(source, { loader: 'ts', target: 'node20' })
  writeFileSync(target, code.replaceAll(/(from ["']\.[^"']*)\.ts(["'])/g, '$1.js$2'))
  return target
}

/** A folder with the commands of the pages, for the PATH. */
function commandsFor({ out, app, port }) {
  const folder = join(out, 'bin')
  mkdirSync(folder, { recursive: true })
  const write = (name, line) => {
    writeFileSync(join(folder, name), `#!/bin/sh\n${line}\n`)
    chmodSync(join(folder, name), 0o755)
  }
  const redirect = join(out, 'redirect.mjs')
  const main = join(app, 'node_modules/@arq-ts/cli/dist/main.js')
  // Through the environment, which its worker processes inherit.
  write('arq-ts', `NODE_OPTIONS='--import=${redirect}' exec '${process.execPath}' '${main}' "$@"`)
  const modules = join(out, 'node_modules')
  const tsx = join(modules, 'tsx/dist/cli.mjs')
  write(
    'npx',
    `case "$1" in
arq-ts) exec "$@" ;;
tsx) shift; NODE_OPTIONS='--import=${redirect}' exec '${process.execPath}' '${tsx}' "$@" ;;
*) echo "npx: no $1 for pages" >&2; exit 1 ;;
esac`,
  )
  // Whatever a page installs is linked already; a name that is not may be none.
  write(
    'npm',
    `test "$1" = install || exit 0
shift
for name in "$@"; do
  case "$name" in -*) continue ;; esac
  test -e '${modules}'/"$name" || { echo "npm: no $name for pages" >&2; exit 1; }
done`,
  )
  write('redis-cli', `PATH="\${PATH#*:}" exec redis-cli -p ${port} "$@"`)
  return folder
}

/** Our packages as they are packed, and the others that blocks import. */
export function linkPackages(out, app, lenders) {
  const link = (target, name) => {
    const at = join(out, 'node_modules', name)
    mkdirSync(dirname(at), { recursive: true })
    if (!existsSync(at)) symlinkSync(target, at)
  }
  for (const folder of [join(app, 'node_modules'), ...lenders]) {
    for (const name of existsSync(folder) ? readdirSync(folder) : []) {
      if (name.startsWith('.')) continue
      const inner = name.startsWith('@') ? readdirSync(join(folder, name)).map((part) => `${name}/${part}`) : [name]
      for (const each of inner) link(join(folder, each), each)
    }
  }
}
