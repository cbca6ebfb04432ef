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
    const config = async (name: string) =>
      this.#calls
        .run((client) => client.config('GET', name) as Promise<string[]>)
        .then((reply) => reply[1])
        .catch(() => undefined)
    const info = (section: string) => this.#calls.run((client) => client.info(section)).catch(() => '')
    const field = (text: string, name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(text)?.[1]
    const [evictionPolicy, appendOnly, save] = [
      (await config('maxmemory-policy')) ?? field(await info('memory'), 'maxmemory_policy'),
      await config('appendonly'),
      await config('save'),
    ]
    const replicating = await info('replication')
    const role = field(replicating, 'role')
    const least = await config('min-replicas-to-write')
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

  /** @throws the server's error where the user may not. */
  async setEvictionPolicy(policy: string): Promise<void> {
    await this.#calls.run((client) => client.config('SET', 'maxmemory-policy', policy))
  }
}
