import { asError } from '@arq-ts/protocol/errors'
import { RedisReplyError } from '../errors.ts'
import type { Logger } from './logger.ts'

/** An error that lasts is logged again after this time, in ms. */
const REPEAT_MS = 60_000
/** Errors that are remembered, at most, and characters of each. */
const MAX_REMEMBERED = 1_000
const MAX_LENGTH = 1_000

/** The part of a logger that services of a worker use. */
export type ServiceLog = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>

type Write = (about: { err?: unknown } | string, line?: string) => void

/**
 * A logger for a service that tries again and again: an error is logged when it begins, then at most once a minute, with
 * the number of times that it was left out. Two errors are one where Redis gave the same reason, or where both the line and
 * the message are the same.
 */
export function sparingLog(log: Logger, now: () => number = () => performance.now()): ServiceLog {
  const remembered = new Map<string, { atMs: number; leftOut: number }>()

  /** The line as it is to be logged now; undefined for one that is left out. */
  function lineFor(error: Error, line: string): string | undefined {
    const message = error.message.slice(0, MAX_LENGTH)
    const about = error instanceof RedisReplyError ? message : `${line}\n${message}`
    const known = remembered.get(about)
    const nowMs = now()
    if (known && nowMs - known.atMs < REPEAT_MS) {
      known.leftOut++
      return undefined
    }
    if (remembered.size >= MAX_REMEMBERED) remembered.clear()
    remembered.set(about, { atMs: nowMs, leftOut: 0 })
    return known && known.leftOut > 0 ? `${line} (and ${known.leftOut} times since the last such line)` : line
  }

  const sparing =
    (level: 'warn' | 'error'): Write =>
    (about, line) => {
      if (typeof about === 'string' || line === undefined) return log[level](about as string)
      const shown = about.err === undefined ? line : lineFor(asError(about.err), line)
      if (shown !== undefined) log[level](about, shown)
    }

  return {
    debug: (...args: Parameters<ServiceLog['debug']>) => log.debug(...args),
    info: (...args: Parameters<ServiceLog['info']>) => log.info(...args),
    warn: sparing('warn') as ServiceLog['warn'],
    error: sparing('error') as ServiceLog['error'],
  }
}
