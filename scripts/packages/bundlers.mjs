// `@arq-ts/core/client` in the bundles that producers deploy: by esbuild, rolldown and webpack, as an ES module and as
// CommonJS. Each bundle enqueues a job on a Redis, from a folder without any package.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build as esbuild } from 'esbuild'
import { rolldown } from 'rolldown'
import webpack from 'webpack'
import { quietly, RUN_LIMIT_MS } from '../lib/command.mjs'

const PRODUCER = `
import { Client, defineContract } from '@arq-ts/core/client'
const contract = defineContract({ name: 'resize_image' })
async function main() {
  const client = new Client({ redis: process.env.REDIS_URL })
  const job = await client.enqueue(contract, ['a.png'])
  console.log(await job.status())
  await client.close()
}
void main()
`
// CommonJS packages call \`require\` for Node's own modules; an ES module of esbuild's has it only from here.
const REQUIRE = `import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);`

/** Bundles by every bundler, and runs each. @returns names of what ran */
export async function tryBundlers({ app, out, redisUrl }) {
  const entry = join(app, 'producer.mjs')
  writeFileSync(entry, PRODUCER)
  const ran = []
  for (const [name, bundle] of Object.entries(BUNDLERS)) {
    for (const format of ['esm', 'cjs']) {
      const folder = join(out, 'bundles', `${name}-${format}`)
      mkdirSync(folder, { recursive: true })
      const file = join(folder, format === 'esm' ? 'producer.mjs' : 'producer.cjs')
      await bundle(entry, file, format)
      const env = { PATH: process.env.PATH, REDIS_URL: redisUrl }
      const printed = await quietly(process.execPath, [file], { cwd: folder, env, timeout: RUN_LIMIT_MS })
      if (printed !== 'queued\n') throw new Error(`the ${format} bundle of ${name} printed ${JSON.stringify(printed)}`)
      ran.push(`${name} (${format})`)
    }
  }
  return ran
}

const BUNDLERS = {
  esbuild: (entry, outfile, format) =>
    esbuild({
      entryPoints: [entry],
      outfile,
      format,
      bundle: true,
      platform: 'node',
      target: 'node20',
      logLevel: 'error',
      // `import.meta` is empty in CommonJS, which the package expects.
      logOverride: { 'empty-import-meta': 'silent' },
      ...(format === 'esm' ? { banner: { js: REQUIRE } } : {}),
    }),
  rolldown: async (entry, file, format) => {
    const bundle = await rolldown({ input: entry, platform: 'node', logLevel: 'silent' })
    await bundle.write({ file, format, codeSplitting: false })
    await bundle.close()
  },
  webpack: byWebpack,
}

function byWebpack(entry, file, format) {
  const isModule = format === 'esm'
  const [path, filename] = [join(file, '..'), file.split('/').at(-1)]
  return new Promise((resolve, reject) => {
    const config = {
      mode: 'production',
      target: 'node20',
      entry,
      experiments: { outputModule: isModule },
      output: { path, filename, module: isModule, library: { type: isModule ? 'module' : 'commonjs2' } },
      optimization: { minimize: false },
    }
    webpack(config, (error, stats) => {
      if (error) reject(error)
      else if (stats.hasErrors()) reject(new Error(stats.toString({ all: false, errors: true })))
      else resolve()
    })
  })
}
