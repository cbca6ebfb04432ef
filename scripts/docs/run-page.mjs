// Runs the blocks of one page, in their order, in one process: `node run-page.mjs FILE…`, with REDIS_PORT set. The address
// localhost:6379 on the page stands for the Redis on that port. A block that runs a worker continues while the next blocks run,
// as in a terminal of its own, until the page has ended.
import { readFileSync } from 'node:fs'
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { within } from './within.mjs'

const BLOCK_LIMIT_MS = 30_000
const LOOK_MS = 20
/** The port of the pages. */
const SHOWN_PORT = 6379

const connect = Reflect.get(net.Socket.prototype, 'connect')
net.Socket.prototype.connect = function (...args) {
  const options = Array.isArray(args[0]) ? args[0][0] : args[0]
  if (Number(options?.port) === SHOWN_PORT) options.port = Number(process.env.REDIS_PORT)
  return connect.apply(this, args)
}

const { Client, createLogger } = await import('@arq-ts/core')
const logger = createLogger({ level: 'silent' })
/** On either database that pages name. */
const looking = [0, 1].map((db) => new Client({ redis: `redis://localhost:${SHOWN_PORT}/${db}`, logger }))
const running = []
for (const file of process.argv.slice(2)) {
  const isService = /^await .*\.run\(\)/m.test(readFileSync(file, 'utf8'))
  const before = await workers()
  const done = import(file).then(
    () => undefined,
    (error) => fail(file, error),
  )
  if (!isService) {
    await limited(file, done)
    continue
  }
  running.push([file, done])
  const starts = async () => {
    while ((await workers()) <= before) await sleep(LOOK_MS)
  }
  await limited(file, Promise.race([starts(), done]))
}
process.emit('SIGTERM', 'SIGTERM')
for (const [file, done] of running) await limited(file, done)
process.exit(0)

/** Number of live workers. */
async function workers() {
  const lists = await Promise.all(looking.map((client) => client.workers.list()))
  return lists.flat().length
}

async function limited(file, work) {
  await within(BLOCK_LIMIT_MS, 'the block', work).catch((error) => fail(file, error))
}

function fail(file, error) {
  process.stderr.write(`${file}: ${error?.stack ?? error}\n`)
  process.exit(1)
}
