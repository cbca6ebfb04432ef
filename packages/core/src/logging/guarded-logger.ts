import { asError } from '@arq-ts/protocol/errors'
import { isError } from '@arq-ts/protocol/values'
import type { Logger } from './logger.ts'

type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'

/**
 * A logger for this library's own lines, over one of the user's. What a handler has thrown reaches it as an error that can
 * be read, and a logger that throws loses the line alone: neither ends a job or the process. The first such line is
 * reported by a warning of the process.
 */
export function guardedLogger(log: Logger): Logger {
  let hasWarned = false
  const failed = (error: unknown) => {
    if (hasWarned) return
    hasWarned = true
    const { message } = asError(error)
    process.emitWarning(`the logger given to arq-ts throws, and lines are lost: ${message}`, { code: 'ARQ_TS_LOGGER' })
  }
  const at =
    (level: Level) =>
    (about: unknown, line?: string): void => {
      try {
        if (typeof about === 'string') log[level](about)
        else log[level](readable(about as object), line)
      } catch (error) {
        failed(error)
      }
    }
  return {
    trace: at('trace'),
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    fatal: at('fatal'),
    // Handlers get the user's own logger.
    child: log.child.bind(log),
    isLevelEnabled: (level) => {
      try {
        return log.isLevelEnabled(level)
      } catch (error) {
        failed(error)
        return false
      }
    },
  }
}

/** The fields of a line as they can be written: an error that can be read, and no data without end. */
function readable(about: { err?: unknown; extra?: unknown }): object {
  const { err, extra } = about
  if (err === undefined) return about
  const error = bounded(asError(err))
  const isSmallExtra = isSmall(extra)
  if (error === err && isSmallExtra) return about
  return { ...about, err: error, ...(isSmallExtra ? {} : { extra: TOO_LARGE }) }
}

const TOO_LARGE = '<too large to be logged>'
const MAX_VALUES = 1_000
const MAX_CHARACTERS = 65_536
const MAX_CAUSES = 10

/** The error, or a copy without the fields that have no end: a logger may write all that an error has. */
function bounded(error: Error, depth = 0): Error {
  const { cause, message, name, stack } = error
  const isInner = isError(cause)
  const inner = isInner ? (depth < MAX_CAUSES ? bounded(cause, depth + 1) : undefined) : cause
  if (inner === cause && isWritable(error)) return error
  const { code } = error as { code?: unknown }
  const copy = Object.create(Object.getPrototypeOf(error) as object) as Error
  const members = { name, message, stack, code, cause: isSmall(inner) ? inner : TOO_LARGE }
  for (const [key, value] of Object.entries(members))
    if (value !== undefined)
      Object.defineProperty(copy, key, { value, writable: true, configurable: true, enumerable: key === 'code' })
  return copy
}

/** True where pino can write all of an error; it marks what it writes, which a frozen one does not allow. */
function isWritable(error: Error): boolean {
  try {
    const { cause, errors } = error as { cause?: unknown; errors?: unknown }
    return Object.isExtensible(error) && isSmall([Object.entries(error), errors, cause])
  } catch {
    return false
  }
}

/** True where a value has an end that is near, and can be read up to it. */
function isSmall(value: unknown): boolean {
  const open: unknown[] = [value]
  let [values, characters] = [0, 0]
  try {
    for (let next = open.pop(); ; next = open.pop()) {
      if (typeof next === 'string') characters += next.length
      else if (ArrayBuffer.isView(next)) characters += next.byteLength
      else if (Array.isArray(next) && next.length > MAX_VALUES) return false
      else if (typeof next === 'object' && next !== null) open.push(...Object.values(next).slice(0, MAX_VALUES))
      if (++values > MAX_VALUES || characters > MAX_CHARACTERS) return false
      if (open.length === 0) return true
    }
  } catch {
    return false
  }
}
