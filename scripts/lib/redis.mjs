// A Redis to work with: REDIS_URL, else a server on the PATH, else Docker, else (root on Debian or Ubuntu) the
// distribution's package, else one in JavaScript.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { answers, quietly } from './command.mjs'
import { dim, say, step, yellow } from './say.mjs'

/** Gives `{ url, what, stop() }`. */
export async function ensureRedis() {
  if (process.env.REDIS_URL) return { url: process.env.REDIS_URL, what: 'the Redis of REDIS_URL', stop: async () => {} }
  const binary = findServer() ?? ((await dockerAnswers()) ? undefined : await installServer())
  if (binary) return startServer(binary)
  if (await dockerAnswers()) {
    const container = await startContainer().catch((error) =>
      say(dim(`  Docker cannot start one: ${error.message.split('\n')[0]}`)),
    )
    if (container) return container
    const installed = await installServer()
    if (installed) return startServer(installed)
  }
  return startEmbedded()
}

/** The first Redis-like server on the PATH. */
export function findServer() {
  return ['redis-server', 'valkey-server'].find((name) => answers(name, ['--version']))
}

let docker
async function dockerAnswers() {
  return (docker ??= answers('docker', ['info']))
}

/** Installs the distribution's server, said aloud; gives its name, or undefined where we may not. */
export async function installServer() {
  if (process.platform !== 'linux' || process.getuid?.() !== 0 || !answers('apt-get', ['--version'])) return undefined
  const release = readFileSync('/etc/os-release', 'utf8')
  if (!/^ID(_LIKE)?=.*(debian|ubuntu)/m.test(release)) return undefined
  say(yellow('No Redis here: installing the package redis-server (you are root on a Debian or Ubuntu).'))
  try {
    const { aptInstall } = await import('@arq-ts/test-support')
    // Only the program: the package's service is not ours to start.
    await step('apt-get install redis-server', () => aptInstall('redis-server'))
    if (answers('pidof', ['systemd'])) await quietly('systemctl', ['disable', '--now', 'redis-server']).catch(() => {})
    else await quietly('service', ['redis-server', 'stop']).catch(() => {})
  } catch (error) {
    say(dim(`  ${error.message.split('\n')[0]}`))
  }
  return findServer()
}

async function startServer(binary) {
  const port = await freePort()
  const dir = mkdtempSync(join(tmpdir(), 'arq-ts-'))
  const child = spawn(
    binary,
    ['--port', port, '--bind', '127.0.0.1', '--dir', dir, '--save', '', '--appendonly', 'no'],
    { stdio: 'ignore', detached: true },
  )
  const stop = async () => {
    child.kill('SIGKILL')
    rmSync(dir, { recursive: true, force: true })
  }
  process.on('exit', () => child.kill('SIGKILL'))
  await reachable(port)
  return { url: `redis://127.0.0.1:${port}`, what: `a ${binary} of our own on port ${port}`, stop }
}

async function startContainer() {
  const port = await freePort()
  const id = (
    await step('starting redis:7-alpine in Docker', () =>
      quietly('docker', ['run', '--rm', '-d', '-p', `127.0.0.1:${port}:6379`, 'redis:7-alpine']),
    )
  )
    .trim()
    .split('\n')
    .at(-1)
  await reachable(port)
  return {
    url: `redis://127.0.0.1:${port}`,
    what: `redis:7-alpine in Docker on port ${port}`,
    stop: () => quietly('docker', ['stop', '-t', '1', id]).catch(() => {}),
  }
}

async function startEmbedded() {
  const { createRedisMock } = await import('js-redis-server')
  const port = await freePort()
  const server = await createRedisMock({ port: Number(port) })
  say(
    yellow(
      'No Redis server could be had: using one in JavaScript, which is slow and keeps nothing. Good for a look only.',
    ),
  )
  return { url: `redis://127.0.0.1:${port}`, what: `a Redis in JavaScript on port ${port}`, stop: () => server.close() }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(String(port)))
    })
  })
}

/** Waits until the server answers PING. */
async function reachable(port) {
  const deadline = performance.now() + 15_000
  while (!(await pong(port))) {
    if (performance.now() > deadline) throw new Error(`the server on port ${port} does not answer`)
    await sleep(50)
  }
}

function pong(port) {
  return new Promise((resolve) => {
    const socket = connect(Number(port), '127.0.0.1', () => socket.write('PING\r\n'))
    const end = (answer) => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(1_000, () => end(false))
    socket.on('error', () => end(false))
    socket.on('data', (data) => end(data.toString().startsWith('+PONG')))
  })
}
