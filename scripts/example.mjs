// `npm run example -- canary`: sets up what one of the examples needs, a Redis and where it wants one a Qdrant, and runs
// it. Without a name it says which there are.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { ensureRedis } from './lib/redis.mjs'
import { root, run } from './lib/command.mjs'
import { cyan, say, step, yellow } from './lib/say.mjs'
import { ensureBuild, ensureDependencies } from './lib/setup.mjs'

const NEED_QDRANT = ['canary', 'delayed-deletion']
/** Examples with a Python side, by the function of the test support that makes their interpreter. */
const NEED_PYTHON = { 'from-arq': 'pythonArq', 'python-values': 'pythonArq', 'from-celery': 'pythonCelery' }
const BY_START = ['mixed-fleet', 'three-tasks']
const names = readdirSync(join(root, 'examples'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !BY_START.includes(entry.name))
  .map((entry) => entry.name)
  .filter((each) => existsSync(join(root, 'examples', each, 'main.mjs')))

const [name] = process.argv.slice(2)
if (!names.includes(name)) {
  say(`Which example? npm run example -- NAME, with NAME one of ${names.join(', ')}`)
  process.exit(2)
}
await ensureDependencies()
await ensureBuild()
const redis = await ensureRedis()
let qdrant
if (NEED_QDRANT.includes(name)) {
  const { ensureQdrant } = await import('./lib/qdrant.mjs')
  qdrant = await step('a Qdrant', ensureQdrant)
  if (qdrant.why) {
    say(yellow(`There can be no Qdrant here: ${qdrant.why}`))
    await redis.stop()
    process.exit(1)
  }
}
say(`${cyan('•')} examples/${name}/main.mjs, on ${redis.what}${qdrant ? ` and ${qdrant.what}` : ''}`)
const env = { ...process.env, REDIS_URL: redis.url, ...(qdrant ? { QDRANT_URL: qdrant.url } : {}) }
if (name in NEED_PYTHON) {
  const support = await import('@arq-ts/test-support')
  env.PYTHON = await step('a Python environment', () => support[NEED_PYTHON[name]](support.ARQ_VERSIONS.at(-1)))
}
const code = await run(process.execPath, [join(root, 'examples', name, 'main.mjs')], { env })
await qdrant?.stop()
await redis.stop()
process.exit(code)
