// Steps that a fresh clone needs before its command runs: dependencies and the build.
import { ensureBuild, ensureDependencies } from './lib/setup.mjs'

await ensureDependencies()
await ensureBuild()
