// Bundles the function into one CommonJS file, as deployments do, and calls it twice.
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const folder = await mkdtemp(join(tmpdir(), 'arq-ts-lambda-'))
const outfile = join(folder, 'handler.cjs')
await build({
  entryPoints: [fileURLToPath(new URL('handler.mjs', import.meta.url))],
  outfile,
  bundle: true,
  minify: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  logLevel: 'error',
})
console.log((await stat(outfile)).size < 2_000_000 ? 'one file of less than 2 MB' : 'the bundle is too large')

const { handler, shutdown } = createRequire(import.meta.url)(outfile)
const event = { requestId: 'request-1', path: 'a.png' }
console.log(await handler(event))
console.log(await handler(event)) // delivered twice
await shutdown()
await rm(folder, { recursive: true })
