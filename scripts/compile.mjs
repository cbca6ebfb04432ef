// Compiles changed sources: the type check, and the code that processes of tests and examples run.
import { join } from 'node:path'
import { root, run } from './lib/command.mjs'

process.exitCode = await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b'])
