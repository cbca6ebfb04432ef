import type { Redis } from 'ioredis'
import { RedisReplyError } from '../errors.ts'
import type { Calls } from './calls.ts'

/** Role of a server among its replicas. */
export interface Replication {
  role: 'primary' | 'replica'
  /** Replicas that are connected now. */
  replicas: number
  /** Replicas that must be connected, and not far behind, for a write to be taken; undefined where nobody may ask. */
  minReplicasToWrite: number | undefined
}

/** The server's settings that decide whether jobs are safe. Undefined where the user may not ask. */
export interface ServerSettings {
  evictionPolicy: string | undefined
  /** False when nothing is written to disk. */
  persists: boolean | undefined
  /** True when each write goes to an append-only file. */
  appendOnly?: boolean | undefined
  /** The server's part in replication. */
  replication?: Replication | undefined
  /** Redis's time minus this machine's, in ms. */
  clockOffsetMs: number
}

/** The settings and the clock of the Redis server. */
export class Server {
  readonly #calls: Calls

  constructor(calls: Calls) {
    this.#calls = calls
  }

  async settings(): Promise<ServerSettings> {
    const config = (name: string) =>
      this.#asked((client) => client.config('GET', name) as Promise<string[]>).then((reply) => reply?.[1])
    const info = (section: string) => this.#asked((client) => client.info(section)).then((text) => text ?? '')
    const field = (text: string, name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(text)?.[1]
    const [policy, memory, appendOnly, save, replicating, least] = await Promise.all([
      config('maxmemory-policy'),
      info('memory'),
      config('appendonly'),
      config('save'),
      info('replication'),
      config('min-replicas-to-write'),
    ])
    const evictionPolicy = policy ?? field(memory, 'maxmemory_policy')
    const role = field(replicating, 'role')
    const replication: Replication | undefined =
      role === undefined
        ? undefined
        : {
            role: role === 'master' ? 'primary' : 'replica',
            replicas: Number(field(replicating, 'connected_slaves') ?? 0),
            minReplicasToWrite: least === undefined ? undefined : Number(least),
          }
    const sent = Date.now()
    const [seconds, micros] = await this.#calls.run((client) => client.time())
    const clockOffsetMs = Number(seconds) * 1000 + Number(micros) / 1000 - (sent + Date.now()) / 2
    const persists = appendOnly === undefined || save === undefined ? undefined : appendOnly === 'yes' || save !== ''
    return {
      evictionPolicy,
      persists,
      appendOnly: appendOnly === undefined ? undefined : appendOnly === 'yes',
      replication,
      clockOffsetMs: Math.round(clockOffsetMs),
    }
  }

  /** The answer of the server; undefined where it refuses, as it does where the user may not ask. */
  async #asked<T>(operation: (client: Redis) => Promise<T>): Promise<T | undefined> {
    try {
      return await this.#calls.run(operation)
    } catch (error) {
      if (error instanceof RedisReplyError) return undefined
      throw error
    }
  }

  /** @throws the server's error where the user may not. */
  async setEvictionPolicy(policy: string): Promise<void> {
    await this.#calls.run((client) => client.config('SET', 'maxmemory-policy', policy))
  }
}
