// Builds the front end into packages/dashboard/assets, unless it was built from these very sources already.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = join(dirname(fileURLToPath(import.meta.url)), '..')
const assets = join(here, '../dashboard/assets')
const stamp = join(assets, '.sources')

const names = '../protocol/src/jobs/ids.ts'
const sources = ['index.html', 'package.json', 'vite.config.ts', 'scripts/build.mjs', names]
for (const entry of readdirSync(join(here, 'src'), { recursive: true, withFileTypes: true })) {
  if (entry.isFile()) sources.push(join(entry.parentPath ?? entry.path, entry.name).slice(here.length + 1))
}
const hash = createHash('sha256')
for (const file of sources.sort()) hash.update(`${file}\n`).update(readFileSync(join(here, file)))
const digest = hash.digest('hex')

if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== digest || process.argv.includes('--force')) {
  const { build } = await import('vite')
  await build({ configFile: join(here, 'vite.config.ts'), logLevel: 'warn' })
  writeFileSync(stamp, digest)
}
