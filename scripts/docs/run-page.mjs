// Runs the blocks of one page, in their order: `node run-page.mjs FILE…`, with REDIS_PORT set. Code runs in this process,
// commands in processes of their own. The address localhost:6379 on the page stands for the Redis on that port. A worker, or
// a command that serves, continues while the next blocks run, as in a terminal of its own, until the page has ended.
import './redirect.mjs'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { extname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { commandsOf, runCommand } from './console.mjs'
import { SHOWN_PORT } from './redirect.mjs'
import { within } from './within.mjs'

const BLOCK_LIMIT_MS = 30_000
const LOOK_MS = 20
/** The port at which pages serve HTTP; commands get a free one in its place. */
const SHOWN_HTTP_PORT = '8080'

const { Client, createLogger } = await import('@arq-ts/core')
const logger = createLogger({ level: 'silent' })
/** On either database that pages name. */
const looking = [0, 1].map((db) => new Client({ redis: `redis://localhost:${SHOWN_PORT}/${db}`, logger }))
const httpPort = await freePort()
/** Code and commands that continue until the end of the page. */
const running = []
/** Processes of commands. */
const children = []
for (const file of process.argv.slice(2)) {
  const language = extname(file).slice(1)
  await (language === 'sh' || language === 'console' ? runShell(file, language) : runCode(file))
}
process.emit('SIGTERM', 'SIGTERM')
for (const { file, ended, child } of running) {
  child?.kill('SIGTERM')
  await limited(file, ended)
}
process.exit(0)

async function runCode(file) {
  const isService = /^await (?!.*burst: true).*\.run\(\)/m.test(readFileSync(file, 'utf8'))
  const before = await workers()
  const ended = import(file).then(
    () => undefined,
    (error) => fail(file, error),
  )
  if (!isService) return limited(file, ended)
  running.push({ file, ended })
  return limited(file, Promise.race([moreWorkersThan(before), ended]))
}

async function runShell(file, language) {
  const source = readFileSync(file, 'utf8').replaceAll(SHOWN_HTTP_PORT, httpPort)
  for (const command of commandsOf(language, source)) {
    const before = await workers()
    const isReady = async ({ command: line, output }) =>
      line.includes('arq-ts dashboard') ? output.includes('http://') : (await workers()) > before
    const service = await limited(file, runCommand(command, { isReady, onStart: (child) => children.push(child) }))
    if (service) running.push({ file, ...service })
  }
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  return String(port)
}

async function moreWorkersThan(before) {
  while ((await workers()) <= before) await sleep(LOOK_MS)
}

/** Number of live workers. */
async function workers() {
  const lists = await Promise.all(looking.map((client) => client.workers.list()))
  return lists.flat().length
}

function limited(file, work) {
  return within(BLOCK_LIMIT_MS, 'the block', work).catch((error) => fail(file, error))
}

function fail(file, error) {
  for (const child of children) child.kill('SIGKILL')
  process.stderr.write(`${file}: ${error?.stack ?? error}\n`)
  process.exit(1)
}
