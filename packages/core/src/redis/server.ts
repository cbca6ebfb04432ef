import type { Calls } from './calls.ts'

/** The server's settings that decide whether jobs are safe. Undefined where the user may not ask. */
export interface ServerSettings {
  evictionPolicy: string | undefined
  /** False when nothing is written to disk. */
  persists: boolean | undefined
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
    const info = () =>
      this.#calls
        .run((client) => client.info('memory'))
        .then((text) => /^maxmemory_policy:(.*?)\r?$/m.exec(text)?.[1])
        .catch(() => undefined)
    const [evictionPolicy, appendOnly, save] = [
      (await config('maxmemory-policy')) ?? (await info()),
      await config('appendonly'),
      await config('save'),
    ]
    const sent = Date.now()
    const [seconds, micros] = await this.#calls.run((client) => client.time())
    const clockOffsetMs = Number(seconds) * 1000 + Number(micros) / 1000 - (sent + Date.now()) / 2
    const persists = appendOnly === undefined || save === undefined ? undefined : appendOnly === 'yes' || save !== ''
    return { evictionPolicy, persists, clockOffsetMs: Math.round(clockOffsetMs) }
  }

  /** @throws the server's error where the user may not. */
  async setEvictionPolicy(policy: string): Promise<void> {
    await this.#calls.run((client) => client.config('SET', 'maxmemory-policy', policy))
  }
}
