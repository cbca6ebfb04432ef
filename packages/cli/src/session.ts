import { hostname } from 'node:os'
import { Client, RedisReplyError, RedisUnavailableError } from '@arq-ts/core/client'
import type { CodecName, QueueSearch } from '@arq-ts/core'
import { clientOptionsOf, queueNamesOf } from '@arq-ts/core/config'
import type { LoadedConfig } from '@arq-ts/core/config'
import type { GlobalArgs } from './args.ts'
import { CommandError, EXIT } from './exit.ts'
import { processIo } from './io.ts'
import type { Io } from './io.ts'
import { Output } from './output.ts'
import { addressOf, settingsOf } from './settings.ts'
import { silentLogger } from './silent-logger.ts'
import { unusableRedis } from './unusable-redis.ts'
import { addressOfServed } from './worker/served.ts'
import type { ServedQueues } from './worker/served.ts'

/** Time a command waits for Redis. */
const REDIS_WAIT_MS = 3_000
/** Time a command waits where nothing listens: a server that restarts is back by then. */
const REFUSED_WAIT_MS = 1_000
/** Bounds of a look through the database for queues, unless `--deep` is given. */
const SCAN_KEYS = 2_000_000
const SCAN_MS = 400

/** Means of a command: the settings, a connected client, and the output. */
export interface Session {
  loaded: LoadedConfig
  client: Client
  out: Output
  io: Io
  /** Address of Redis, for a person. */
  address: string
  /** Redis's time when the command began, in unix ms: ages and waits are measured by it, not by this machine's clock. */
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
  options: { codec?: CodecName; served?: ServedQueues; queueName?: string | undefined } = {},
): Promise<T> {
  const loaded = settingsOf(args)
  let lastError: Error | undefined
  const refused = new AbortController()
  const logger = silentLogger((fields) => {
    lastError = (fields as { err?: Error }).err ?? lastError
    if ((lastError as { code?: string } | undefined)?.code === 'ECONNREFUSED') refused.abort()
  })
  const { codec = loaded.config.codec, served } = options
  const address = served ? addressOfServed(served) : addressOf(loaded)
  const where = served ? served.connection : clientOptionsOf(loaded.config)
  const queue = options.queueName === undefined ? {} : { queueName: options.queueName }
  const client = new Client({ ...where, ...queue, codec, logger, commandTimeoutMs: REDIS_WAIT_MS })
  try {
    const nowMs = await firstAnswer(client, refused.signal)
    const out = new Output(args.json === true, args.io, () => client.doctor.takeDamagedKeys().map(({ key }) => key))
    const queueNames = served ? [...served.queueNames] : queueNamesOf(loaded.config)
    const exitCode = await work({ loaded, client, out, io: args.io ?? processIo, address, nowMs, queueNames })
    out.noteDamage()
    return exitCode
  } catch (error) {
    if (error instanceof RedisUnavailableError) throw unusableRedis(address, error, lastError)
    if (error instanceof RedisReplyError) throw new CommandError(`${address}: ${error.message}`, EXIT.cannot)
    throw error
  } finally {
    await client.close()
  }
}

/**
 * Redis's time, by the first answer of a connection.
 *
 * @throws RedisUnavailableError after 3 s, or 1 s after the first connection was refused.
 */
async function firstAnswer(client: Client, refused: AbortSignal): Promise<number> {
  let timer: NodeJS.Timeout | undefined
  const gaveUp = new Promise<never>((_, reject) => {
    const wait = () => {
      timer = setTimeout(() => reject(new RedisUnavailableError('the connection is refused')), REFUSED_WAIT_MS)
    }
    if (refused.aborted) wait()
    else refused.addEventListener('abort', wait, { once: true })
  })
  try {
    return await Promise.race([client.now(), gaveUp])
  } finally {
    clearTimeout(timer)
  }
}

/** The actor for the audit log: the user of the machine. */
export function actorOf({ env }: Pick<Io, 'env'>): string {
  return `${env.USER ?? env.LOGNAME ?? 'somebody'}@${hostname()}`
}

/** Options of a look for queues: all keys with `--deep`, else what fits into half a second. */
export function searchOf(
  { io, queueNames }: Pick<Session, 'io' | 'queueNames'>,
  args: { deep?: boolean | undefined } = {},
): QueueSearch & { known: readonly string[] } {
  if (args.deep) return { known: queueNames, scanKeys: Infinity }
  return { known: queueNames, scanKeys: Number(io.env.ARQ_TS_SCAN_KEYS ?? SCAN_KEYS), scanMs: SCAN_MS }
}

/** Says that queues may be missing from an answer. */
export const UNSEEN_QUEUES =
  'the database has more keys than were looked at: queues that no arq-ts worker serves, and that no look has found before, may be missing'
