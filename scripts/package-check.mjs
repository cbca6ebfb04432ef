// Packs what would be published and looks at the tarball as npm's users get it: publint and "are the types wrong".
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { quietly, root } from './lib/command.mjs'
import { say } from './lib/say.mjs'
import { ensureBuild, ensureDependencies, pnpm } from './lib/setup.mjs'

const packages = ['protocol', 'core', 'cli', 'qdrant', 'write-behind', 'canary', 'dashboard', 'testkit'].map(
  (name) => `packages/${name}`,
)
const imports = packages
  .flatMap((folder) => {
    // What is published: entries of the workspace alone are in `exports` only.
    const { name, publishConfig } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))
    return Object.keys(publishConfig.exports)
      .filter((entry) => !entry.endsWith('.json'))
      .map((entry) => name + entry.slice(1))
  })
  .map((entry) => `await import('${entry}')`)
  .join(';')

await ensureDependencies()
await ensureBuild()
const out = mkdtempSync(join(tmpdir(), 'arq-ts-pack-'))
try {
  const tarballs = []
  for (const folder of packages) {
    const into = join(out, folder)
    await quietly('npx', [...pnpm, 'pack', '--pack-destination', into], { cwd: join(root, folder) })
    const tarball = join(
      into,
      readdirSync(into).find((file) => file.endsWith('.tgz')),
    )
    await quietly(process.execPath, [join(root, 'node_modules/publint/src/cli.js'), 'run', tarball, '--strict'])
    // esm-only: Node 20.19 and newer can `require` an ES module.
    await quietly(process.execPath, [
      join(root, 'node_modules/@arethetypeswrong/cli/dist/index.js'),
      tarball,
      '--profile',
      'esm-only',
    ])
    tarballs.push(tarball)
    say(`${folder}: the packed tarball is sound`)
  }
  // As a user has them: installed by npm, without this workspace around.
  const app = join(out, 'app')
  mkdirSync(app)
  writeFileSync(join(app, 'package.json'), '{"private":true,"type":"module"}')
  await quietly('npm', ['install', '--no-audit', '--no-fund', ...tarballs], { cwd: app })
  const version = (await quietly('npx', ['--no-install', 'arq-ts', '--version'], { cwd: app })).trim()
  await quietly(process.execPath, ['--input-type=module', '-e', imports], { cwd: app })
  say(`installed by npm: arq-ts ${version.split('\n').at(-1)}, and every entry can be imported`)
} finally {
  rmSync(out, { recursive: true, force: true })
}
