import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { Redis } from 'ioredis'
import { Child } from './child.ts'
import { serverArgs } from './database.ts'
import { eventually } from './eventually.ts'
import { freePort } from './free-port.ts'

export interface RedisServerOptions {
  /** Default: a free one. */
  port?: number
  /** Keep data over a restart (append-only file, synced at each write). Default false. */
  persistent?: boolean
  /** Further command-line options, such as `['--notify-keyspace-events', 'Kz']`. */
  args?: readonly string[]
}

/** The server binary: ARQ_TEST_SERVER, else the first of redis-server and valkey-server on the PATH. */
export function findServer(): string {
  const wanted = process.env.ARQ_TEST_SERVER
  for (const name of wanted ? [wanted] : ['redis-server', 'valkey-server']) {
    try {
      execFileSync(name, ['--version'], { stdio: 'pipe' })
      return name
    } catch {
      // the next one
    }
  }
  throw new Error(
    `no ${wanted ?? 'redis-server or valkey-server'} on the PATH; install one, or name it in ARQ_TEST_SERVER`,
  )
}

/** A real server process of its own on a loopback port, in a folder of its own. */
export class RedisServer {
  readonly port: number
  readonly url: string
  readonly #dir: string
  readonly #args: readonly string[]
  #child: Child

  private constructor(port: number, dir: string, args: readonly string[]) {
    this.port = port
    this.url = `redis://127.0.0.1:${port}`
    this.#dir = dir
    this.#args = args
    this.#child = this.#spawn()
  }

  /** Starts one and waits until it answers. */
  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const port = options.port ?? (await freePort())
    const dir = mkdtempSync(join(tmpdir(), 'arq-ts-redis-'))
    const durable = options.persistent ? ['--appendonly', 'yes', '--appendfsync', 'always'] : ['--appendonly', 'no']
    const server = new RedisServer(port, dir, [...durable, ...(options.args ?? [])])
    await server.ready()
    return server
  }

  get engine(): string {
    return basename(findServer())
  }

  /** Kills it, without any chance to save. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#child.exited
  }

  /** Starts it again on the same port and data. */
  async restart(): Promise<void> {
    await this.kill()
    this.#child = this.#spawn()
    await this.ready()
  }

  pause(): void {
    this.#child.kill('SIGSTOP')
  }

  resume(): void {
    this.#child.kill('SIGCONT')
  }

  /** Ends it and removes its folder. */
  async stop(): Promise<void> {
    this.resume()
    await this.kill()
    rmSync(this.#dir, { recursive: true, force: true })
  }

  async ready(): Promise<void> {
    const client = new Redis(this.port, '127.0.0.1', {
      lazyConnect: true,
      retryStrategy: () => 20,
      maxRetriesPerRequest: null,
    })
    client.on('error', () => {})
    try {
      await eventually(async () => {
        if (this.#child.hasEnded) throw new Error(`the server ended: ${this.#child.lines.slice(-5).join(' | ')}`)
        if (client.status === 'wait') await client.connect()
        return (await client.ping()) === 'PONG'
      })
    } finally {
      client.disconnect()
    }
  }

  #spawn(): Child {
    return new Child(findServer(), [...serverArgs(this.port), '--dir', this.#dir, ...this.#args])
  }
}
