import { RedisServer } from '@arq-ts/test-support'
import { Redis } from 'ioredis'

/** The one Redis that everything of a run is measured on. */
export class BenchServer {
  readonly url: string
  readonly client: Redis
  readonly #server: RedisServer

  private constructor(server: RedisServer) {
    this.#server = server
    this.url = `${server.url}/0`
    this.client = new Redis(this.url)
  }

  static async start(): Promise<BenchServer> {
    return new BenchServer(await RedisServer.start())
  }

  /** CPU time so far, in µs. */
  async cpuUs(): Promise<number> {
    const info = await this.client.info('cpu')
    const of = (name: string) => Number(new RegExp(`^${name}:(.*)$`, 'm').exec(info)?.[1] ?? 0)
    return (of('used_cpu_user') + of('used_cpu_sys')) * 1e6
  }

  async usedBytes(): Promise<number> {
    return Number(/^used_memory:(\d+)/m.exec(await this.client.info('memory'))?.[1])
  }

  async version(): Promise<string> {
    const info = await this.client.info('server')
    return `${this.#server.engine} ${/^(?:valkey|redis)_version:(\S+)/m.exec(info)?.[1]}`
  }

  /** Keyspace notifications: '' for none, as a new server has it. */
  async notify(classes: string): Promise<void> {
    await this.client.config('SET', 'notify-keyspace-events', classes)
  }

  async clear(): Promise<void> {
    await this.client.flushall('SYNC')
  }

  async stop(): Promise<void> {
    this.client.disconnect()
    await this.#server.stop()
  }
}
