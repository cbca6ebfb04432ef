import { randomUUID } from 'node:crypto'
import { openRedis } from '@arq-ts/core/task-kit'
import { TestQueueError } from '../errors.ts'
import { findServer } from './find-server.ts'
import { TimeProxy } from './time-proxy.ts'

type Redis = ReturnType<typeof openRedis>

/**
 * Ends lifetimes earlier by this many ms, as far as the queue's time has moved: those are Redis's own, and count real time.
 *
 * ARGV[1] -> pattern of the keys, ARGV[2] -> ms
 */
const SHORTEN = `
local cursor = '0'
repeat
  local page = redis.call('SCAN', cursor, 'MATCH', ARGV[1], 'COUNT', 1000)
  cursor = page[1]
  for _, key in ipairs(page[2]) do
    local left = redis.call('PTTL', key)
    if left >= 0 then redis.call('PEXPIRE', key, string.format('%.0f', left - ARGV[2])) end
  end
until cursor == '0'`

/** Removes the keys of a pattern. ARGV[1] -> pattern */
const CLEAR = `
local cursor = '0'
repeat
  local page = redis.call('SCAN', cursor, 'MATCH', ARGV[1], 'COUNT', 1000)
  cursor = page[1]
  for _, key in ipairs(page[2]) do redis.call('DEL', key) end
until cursor == '0'`

/** The keys of one test queue on a server, behind a time of its own. */
export class KeySpace {
  /** URL under which clients have the queue's time. */
  readonly redis: string
  readonly keyPrefix: string
  readonly #proxy: TimeProxy
  /** The same server with its own time, under which lifetimes count. */
  readonly #server: Redis

  private constructor(redis: string, keyPrefix: string, proxy: TimeProxy) {
    this.redis = redis
    this.keyPrefix = keyPrefix
    this.#proxy = proxy
    this.#server = openRedis(redis)
  }

  /** @throws TestQueueError, OptionsError */
  static async open(options: {
    redis: string | undefined
    keyPrefix: string | undefined
    nowMs: number
  }): Promise<KeySpace> {
    const { address, upstream, urlAt } = await findServer(options.redis)
    const proxy = await TimeProxy.open(upstream, options.nowMs)
    const space = new KeySpace(urlAt(proxy.port), options.keyPrefix ?? `test:${randomUUID()}:`, proxy)
    try {
      if (space.keyPrefix === '') await space.#refuseKeys(address)
      return space
    } catch (error) {
      await space.#disconnect()
      throw error
    }
  }

  get nowMs(): number {
    return this.#proxy.nowMs
  }

  /** Moves the time forward. */
  async moveTo(ms: number): Promise<void> {
    const byMs = ms - this.#proxy.nowMs
    this.#proxy.nowMs = ms
    await this.#server.eval(SHORTEN, 0, this.#pattern, byMs)
  }

  /** Removes every key. */
  async clear(): Promise<void> {
    await this.#server.eval(CLEAR, 0, this.#pattern)
  }

  /** Removes every key, and ends the connections that use the time of this queue. */
  async close(): Promise<void> {
    await this.clear().catch(() => {})
    await this.#disconnect()
  }

  async #disconnect(): Promise<void> {
    this.#server.disconnect()
    await this.#proxy.close()
  }

  async #refuseKeys(address: string): Promise<void> {
    const keys = await this.#server.dbsize()
    if (keys === 0) return
    throw new TestQueueError(
      `the database at ${address} holds ${keys} ${keys === 1 ? 'key' : 'keys'}: a test queue with an empty \`keyPrefix\` ` +
        'empties its database; name an empty one, or leave `keyPrefix` out',
    )
  }

  get #pattern(): string {
    return `${this.keyPrefix.replace(/[\\*?[\]]/g, '\\$&')}*`
  }
}
