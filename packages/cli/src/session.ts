import { Client, createLogger, RedisReplyError, RedisUnavailableError } from '@arq-ts/core'
import type { CodecName } from '@arq-ts/core'
import { clientOptionsOf, queueNamesOf } from '@arq-ts/core/config'
import type { LoadedConfig } from '@arq-ts/core/config'
import type { GlobalArgs } from './args.ts'
import { CommandError, EXIT } from './exit.ts'
import { processIo } from './io.ts'
import type { Io } from './io.ts'
import { Output } from './output.ts'
import { addressOf, settingsOf } from './settings.ts'
import { addressOfServed } from './worker/served.ts'
import type { Served } from './worker/served.ts'

/** Time a command waits for Redis. */
const REDIS_WAIT_MS = 3_000
/** Keys of the database that are scanned for queues unless a flag says more. */
export const MANY_KEYS = 2_000_000

/** What a command works with: the settings, a client that is connected, and the way to talk. */
export interface Session {
  loaded: LoadedConfig
  client: Client
  out: Output
  io: Io
  /** Where Redis is, for a person. */
  address: string
  /** Redis's time when the command began, in unix ms: ages and waits are told by it, not by this machine's clock. */
  nowMs: number
  /** Queues of the configuration, the default one first. */
  queueNames: string[]
}

/**
 * Runs a command's work over a connection of its own: to what the settings say, or to what a worker serves.
 *
 * @throws CommandError when Redis is away or refuses us.
 */
export async function withSession<T>(
  args: GlobalArgs,
  work: (session: Session) => Promise<T>,
  options: { codec?: CodecName; served?: Served } = {},
): Promise<T> {
  const loaded = settingsOf(args)
  let lastError: Error | undefined
  const logger = createLogger({ level: 'silent' })
  logger.warn = (fields: unknown) => {
    lastError = (fields as { err?: Error }).err ?? lastError
  }
  const { codec = loaded.config.codec, served } = options
  const address = served ? addressOfServed(served) : addressOf(loaded)
  const where = served ? served.connection : clientOptionsOf(loaded.config)
  const client = new Client({ ...where, codec, logger, commandTimeoutMs: REDIS_WAIT_MS })
  try {
    const nowMs = await client.inspector.now()
    const out = new Output(args.json === true, args.io, () => client.inspector.takeDamagedKeys().map(({ key }) => key))
    const queueNames = served ? [...served.queueNames] : queueNamesOf(loaded.config)
    const exitCode = await work({ loaded, client, out, io: args.io ?? processIo, address, nowMs, queueNames })
    out.noteDamage()
    return exitCode
  } catch (error) {
    if (error instanceof RedisUnavailableError) throw unreachable(address, lastError ?? error)
    if (error instanceof RedisReplyError) throw new CommandError(`${address}: ${error.message}`, EXIT.cannot)
    throw error
  } finally {
    await client.close()
  }
}

function unreachable(address: string, error: Error): CommandError {
  const why = (error as { code?: string }).code === 'ECONNREFUSED' ? 'nothing listens there' : error.message
  return new CommandError(
    `cannot reach Redis at ${address}: ${why}`,
    EXIT.cannot,
    'Start it, or say where it is: --redis redis://host:6379/1, or `redis_url` in the configuration (arq-ts config show).',
  )
}
