// Packs what would be published and looks at the tarball as npm's users get it: publint and "are the types wrong".
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { quietly, root } from './lib/command.mjs'
import { say } from './lib/say.mjs'
import { ensureBuild, ensureDependencies, pnpm } from './lib/setup.mjs'

const packages = ['packages/core', 'packages/cli']

await ensureDependencies()
await ensureBuild()
for (const folder of packages) {
  const out = mkdtempSync(join(tmpdir(), 'arq-ts-pack-'))
  try {
    await quietly('npx', [...pnpm, 'pack', '--pack-destination', out], { cwd: join(root, folder) })
    const tarball = join(
      out,
      readdirSync(out).find((file) => file.endsWith('.tgz')),
    )
    await quietly(process.execPath, [join(root, 'node_modules/publint/src/cli.js'), 'run', tarball, '--strict'])
    // esm-only: Node 20.19 and newer can `require` an ES module.
    await quietly(process.execPath, [
      join(root, 'node_modules/@arethetypeswrong/cli/dist/index.js'),
      tarball,
      '--profile',
      'esm-only',
    ])
    say(`${folder}: the packed tarball is sound`)
  } finally {
    rmSync(out, { recursive: true, force: true })
  }
}
