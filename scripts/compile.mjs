// Compiles changed sources: the type check, and the code that processes of tests and examples run.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { root, run } from './lib/command.mjs'
import { publishedFolders } from './lib/entries.mjs'

// A whole check runs its tests on bundles, which hide what is compiled; one that was killed has left them.
const covered = process.env.ARQ_BUNDLES
  ? []
  : publishedFolders.filter((each) => existsSync(join(each, '.dist-covered')))
if (covered.length > 0) await run(process.execPath, [join(root, 'scripts/bundle.mjs'), '--under', ...covered])
process.exitCode = await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b'])
