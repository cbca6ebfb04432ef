import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { TestQueueError } from '../errors.ts'

/** Programs that serve, in the order in which they are looked for. */
const PROGRAMS = ['redis-server', 'valkey-server']

/** Time a server may take to answer first, in ms. */
const START_MS = 15_000

/**
 * Ends the server, and removes its folder, when the standard input ends: with this process, however that ends. The shell
 * ends with the server.
 */
const GUARD =
  'exec 3<&0; "$0" "$@" </dev/null & server=$!; ' +
  '(cat <&3 >/dev/null; kill "$server" 2>/dev/null; rm -rf "$ARQ_TESTKIT_FOLDER") & wait "$server"'

/** Key of the promise of this process's server: test runners load a module anew for each file. */
const SHARED = Symbol.for('@arq-ts/testkit:server')

interface Shared {
  [SHARED]?: Promise<string> | undefined
}

/** The first program on the PATH that serves, or undefined. */
export function findProgram(): string | undefined {
  return PROGRAMS.find((name) => {
    try {
      execFileSync(name, ['--version'], { stdio: 'ignore' })
      return true
    } catch {
      return false
    }
  })
}

/** The socket of a server of this process's own. The first call starts it; it ends with the process. */
export function privateServer(program: string): Promise<string> {
  const shared = globalThis as Shared
  return (shared[SHARED] ??= start(program).catch((error: unknown) => {
    shared[SHARED] = undefined
    throw error
  }))
}

async function start(program: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'arq-testkit-'))
  const socket = join(folder, 'redis.sock')
  const args = ['--port', '0', '--unixsocket', socket, '--dir', folder, '--save', '', '--appendonly', 'no']
  const child = spawn('sh', ['-c', GUARD, program, ...args], {
    stdio: ['pipe', 'ignore', 'ignore'],
    env: { ...process.env, ARQ_TESTKIT_FOLDER: folder },
  })
  const ended = new Promise<never>((_, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => reject(new TestQueueError(`'${program}' ended with exit code ${code} as it started`)))
  })
  ended.catch(() => {})
  child.unref()
  ;(child.stdin as unknown as { unref(): void }).unref()
  await Promise.race([answer(socket, program), ended])
  return socket
}

async function answer(socket: string, program: string): Promise<void> {
  const deadline = performance.now() + START_MS
  while (!(await answers(socket))) {
    if (performance.now() > deadline)
      throw new TestQueueError(`'${program}' was started and did not answer within ${START_MS / 1_000} s`)
    await sleep(5)
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => socket.write('PING\r\n'))
    const end = (isUp: boolean) => {
      socket.destroy()
      resolve(isUp)
    }
    socket.on('error', () => end(false))
    socket.on('data', (data) => end(data.toString('latin1').startsWith('+PONG')))
  })
}
