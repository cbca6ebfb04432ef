import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { appendFileSync, mkdirSync, openSync } from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'
import { eventually, findServer, freePort } from '@arq-ts/test-support'
import { Redis } from 'ioredis'

export interface RedisProcessOptions {
  /** Name of its folder and log. */
  name: string
  dir: string
  password?: string
  args?: readonly string[]
  /** A sentinel, which is started from a file. */
  config?: string
  port?: number
}

/** A Redis server as a process of its own, in a folder of its own, that can be killed and started again. */
export class RedisProcess {
  readonly port: number
  readonly #options: RedisProcessOptions
  #child: ChildProcess | undefined

  private constructor(options: RedisProcessOptions, port: number) {
    this.#options = options
    this.port = port
  }

  static async start(options: RedisProcessOptions): Promise<RedisProcess> {
    const server = new RedisProcess(options, options.port ?? (await freePort()))
    mkdirSync(server.#dir, { recursive: true })
    await server.start()
    return server
  }

  get #dir(): string {
    return join(this.#options.dir, this.#options.name)
  }

  /** A client for the run itself: it waits for the server as long as it takes. */
  client(db = 0): Redis {
    const client = new Redis({
      port: this.port,
      host: '127.0.0.1',
      db,
      protocol: 2,
      ...(this.#options.password ? { username: 'default', password: this.#options.password } : {}),
      retryStrategy: () => 50,
      maxRetriesPerRequest: null,
    })
    client.on('error', () => {})
    return client
  }

  /** Starts it on its port and data, and waits until it serves. */
  async start(): Promise<void> {
    const { name, dir, password, args = [], config } = this.#options
    const log = openSync(join(dir, `${name}.log`), 'a')
    const own = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#dir, '--save', '']
    const secret = password ? ['--requirepass', password, '--masterauth', password] : []
    const all = config ? [config, '--sentinel'] : [...own, ...secret, ...args]
    this.#child = spawn(findServer(), all, { stdio: ['ignore', log, log] })
    alive.add(this.#child)
    const client = this.client()
    try {
      await eventually(async () => (await client.ping()) === 'PONG', { timeoutMs: 60_000, intervalMs: 20 })
    } catch (error) {
      appendFileSync(join(dir, `${name}.log`), `did not start: ${(error as Error).message}\n`)
      throw error
    } finally {
      client.disconnect()
    }
  }

  get isAlive(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Kills it, without any chance to save. */
  async kill(): Promise<void> {
    const child = this.#child
    if (!child || !this.isAlive) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
    alive.delete(child)
  }
}

const alive = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL')
})
