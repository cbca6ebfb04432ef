// The tests that need a server, once more on a Valkey 8.
import { join } from 'node:path'
import { root, run } from './lib/command.mjs'
import { say, step, yellow } from './lib/say.mjs'
import { ensureBuild, ensureDependencies } from './lib/setup.mjs'
import { findValkey } from './lib/valkey.mjs'

await ensureDependencies()
await ensureBuild()
const { path, why } = await step('looking for a Valkey 8', findValkey)
if (!path) {
  say(`${yellow('left out')}  tests on Valkey: ${why}`)
  process.exit(0)
}
const env = { ...process.env, ARQ_TEST_SERVER: path }
process.exitCode = await run(
  process.execPath,
  [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--project', 'integration', '--project', 'e2e'],
  { env },
)
