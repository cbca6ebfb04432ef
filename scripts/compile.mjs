// Compiles what has changed: the type check of the sources, and the code that processes of tests and the packages run.
import { join } from 'node:path'
import { root, run } from './lib/command.mjs'

const tsc = await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b'])
process.exitCode = tsc === 0 ? await run(process.execPath, [join(root, 'packages/core/scripts/bundle-zod.mjs')]) : tsc
