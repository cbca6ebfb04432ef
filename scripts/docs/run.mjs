// Runs the TypeScript and JavaScript blocks of the pages against the packed packages, each page in a process of its own, on a
// Redis of their own, in the order of the page.
//
// A block that cannot run here has a comment with the reason before it, which the page does not show:
//   <!-- not run: it needs a Qdrant; examples/canary runs one -->
import { cpSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { transform } from 'esbuild'
import { quietly, RUN_LIMIT_MS } from '../lib/command.mjs'

const RUNNER = ['run-page.mjs', 'within.mjs']

/**
 * Runs what the type check has written.
 *
 * @param {{ page: string, file: string, source: string, notRun: string | undefined }[]} blocks
 * @returns sentences about pages that fail
 */
export async function runBlocks(blocks, { out, redisUrl }) {
  const problems = []
  // Where it finds the packages.
  for (const file of RUNNER) cpSync(fileURLToPath(new URL(file, import.meta.url)), join(out, file))
  const here = join(out, RUNNER[0])
  const { Redis } = createRequire(here)('ioredis')
  const redis = new Redis(redisUrl)
  for (const page of new Set(blocks.map((block) => block.page))) {
    const files = []
    for (const { file, source, notRun } of blocks.filter((block) => block.page === page)) {
      const target = file.replace(/^(.*)\/types\//, '$1/run/').replace(/\.ts$/, '.js')
      mkdirSync(dirname(target), { recursive: true })
      const { code } = await transform(source, { loader: 'ts', target: 'node20' })
      writeFileSync(target, code.replaceAll(/(from ["']\.[^"']*)\.ts(["'])/g, '$1.js$2'))
      if (notRun === undefined) files.push(target)
    }
    if (files.length === 0) continue
    await redis.flushall()
    const env = { ...process.env, REDIS_PORT: String(new URL(redisUrl).port), NODE_NO_WARNINGS: '1' }
    await quietly(process.execPath, [here, ...files], { cwd: dirname(files[0]), env, timeout: RUN_LIMIT_MS }).catch(
      (error) => problems.push(`${page}: ${error.message}`),
    )
  }
  redis.disconnect()
  return problems
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
