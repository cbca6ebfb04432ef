import { Redis } from 'ioredis'
import type { RedisOptions } from 'ioredis'
import type { TargetSettings } from './target.ts'

const CHANNEL = '+switch-master'
const PING_MS = 1_000
const MAX_DELAY_MS = 5_000

/**
 * Listens to the Sentinels of a target for a failover. A primary that Sentinel has replaced continues to take writes until
 * it learns of it, which takes about ten seconds after a failover by hand; what it takes then is lost.
 *
 * watching (each Sentinel on its own, for ever) → stopped
 */
export class SentinelWatch {
  readonly #clients: Redis[]
  readonly #timer: NodeJS.Timeout

  /** `onSwitch` is called when another server has become the primary. */
  constructor(options: RedisOptions, onSwitch: () => void) {
    const { name, sentinels, sentinelUsername, sentinelPassword, sentinelTLS, enableTLSForSentinelMode, tls } = options
    const secured = sentinelTLS ?? (enableTLSForSentinelMode ? tls : undefined)
    this.#clients = (sentinels ?? []).map((sentinel) => {
      const client = new Redis({
        host: sentinel.host ?? '127.0.0.1',
        port: sentinel.port ?? 26_379,
        ...(sentinel.family === undefined ? {} : { family: sentinel.family }),
        ...(sentinelUsername ? { username: sentinelUsername } : {}),
        ...(sentinelPassword ? { password: sentinelPassword } : {}),
        ...(secured ? { tls: secured } : {}),
        protocol: 2,
        lazyConnect: true,
        enableReadyCheck: false,
        enableOfflineQueue: false,
        autoResubscribe: false,
        maxRetriesPerRequest: 0,
        connectTimeout: 2_000,
        socketTimeout: 5 * PING_MS,
        retryStrategy: (times) => Math.random() * Math.min(100 * times, MAX_DELAY_MS),
      })
      // The data connection reports what is wrong with Sentinels: it asks them for the primary.
      client.on('error', () => {})
      client.on('ready', () => void client.subscribe(CHANNEL).catch(() => client.disconnect(true)))
      client.on('message', (_channel: string, message: string) => {
        if (message.split(' ')[0] === name) onSwitch()
      })
      client.connect().catch(() => {})
      return client
    })
    this.#timer = setInterval(() => {
      for (const client of this.#clients) if (client.status === 'ready') client.ping().catch(() => {})
    }, PING_MS)
    this.#timer.unref()
  }

  /** A watch on the Sentinels of a target; undefined where it has none. */
  static of(settings: TargetSettings, onSwitch: () => void): SentinelWatch | undefined {
    const { options } = settings
    if (settings.kind !== 'server' || !('sentinels' in options) || !options.sentinels?.length) return undefined
    return new SentinelWatch(options, onSwitch)
  }

  stop(): void {
    clearInterval(this.#timer)
    for (const client of this.#clients) client.disconnect()
  }
}
