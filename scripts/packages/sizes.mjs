// Checks the size budget: the bytes that each entry adds to a bundle with all its dependencies, compared with sizes.json.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

const file = fileURLToPath(new URL('sizes.json', import.meta.url))
const ALLOWED_GROWTH = 0.05
/** Allowance for an entry of a few constants. */
const ALLOWED_BYTES = 512
/** The user's own, and what is loaded by a command line alone. */
const LEFT_OUT = ['zod', 'tsx', 'chokidar', 'pino-pretty']

/** Bytes of each entry: bundled with everything, minified, compressed by gzip. */
export async function sizesOf(entries, app) {
  const sizes = {}
  for (const { specifier } of entries) {
    const { outputFiles } = await build({
      stdin: { contents: `export * from '${specifier}'`, resolveDir: app },
      bundle: true,
      minify: true,
      write: false,
      format: 'esm',
      platform: 'node',
      target: 'es2023',
      legalComments: 'none',
      external: LEFT_OUT,
      logLevel: 'error',
    })
    sizes[specifier] = gzipSync(outputFiles[0].contents, { level: 9 }).length
  }
  return sizes
}

/** Sentences about entries that exceed their budget, or have none. */
export function overBudget(sizes) {
  const budget = JSON.parse(readFileSync(file, 'utf8'))
  const how = 'if that is meant, run `pnpm sizes` and commit the numbers'
  const gone = Object.keys(budget).filter((entry) => !(entry in sizes))
  return [
    ...Object.entries(sizes).flatMap(([entry, bytes]) => {
      const allowed = budget[entry] + Math.max(budget[entry] * ALLOWED_GROWTH, ALLOWED_BYTES)
      if (bytes <= allowed) return []
      return [`${entry}: ${bytes} bytes, budget ${budget[entry] ?? 'none'} + ${ALLOWED_GROWTH * 100} %; ${how}`]
    }),
    ...gone.map((entry) => `${entry}: the budget names it, and no package has it; ${how}`),
  ]
}

export function writeBudget(sizes) {
  writeFileSync(file, `${JSON.stringify(sizes, null, 2)}\n`)
}
