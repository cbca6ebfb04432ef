// Puts the parts of zod that options are checked with into the one built module that names them (src/options/zod.ts), so
// that a process whose tasks have no schemas loads these alone. Does nothing where that was done since the last compile.
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const module = fileURLToPath(new URL('../dist/options/zod.js', import.meta.url))

if (/from 'zod'/.test(readFileSync(module, 'utf8'))) {
  const { version } = createRequire(import.meta.url)('zod/package.json')
  const { outputFiles } = await build({
    entryPoints: [module],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    banner: { js: `/* Parts of zod ${version}. MIT License, Copyright (c) 2025 Colin McDonnell. */` },
  })
  // In one step: processes of tests read it meanwhile.
  const part = `${module}.${process.pid}`
  writeFileSync(part, outputFiles[0].contents)
  renameSync(part, module)
  rmSync(`${module}.map`, { force: true })
}
