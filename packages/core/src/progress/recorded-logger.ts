import { format } from 'node:util'
import { asError } from '@arq-ts/protocol/errors'
import { isError } from '@arq-ts/protocol/values'
import { describeError } from '../logging/log-lines.ts'
import type { Logger } from '../logging/logger.ts'
import { cutMessage, smallFields } from './job-log.ts'
import type { RecordedLevel } from './job-log.ts'

type Write = (level: RecordedLevel, message: string, fields: object | undefined) => void

/** A logger that also hands lines of level info and above on, whatever level the logger itself shows. */
export function recordedLogger(log: Logger, write: Write): Logger {
  const recorded =
    (level: RecordedLevel) =>
    (...args: unknown[]) => {
      ;(log[level] as (...args: unknown[]) => void)(...args)
      const { fields, message } = readCall(args)
      write(level, cutMessage(message), fields && smallFields(fields))
    }
  return {
    trace: log.trace.bind(log),
    debug: log.debug.bind(log),
    info: recorded('info'),
    warn: recorded('warn'),
    error: recorded('error'),
    fatal: recorded('fatal'),
    isLevelEnabled: log.isLevelEnabled.bind(log),
    child: ((bindings: object, ...rest: []) => {
      return recordedLogger(log.child(bindings, ...rest), (level, message, fields) =>
        write(level, message, smallFields({ ...bindings, ...fields })),
      )
    }) as unknown as Logger['child'],
  }
}

/** Reads a call as pino does: an optional object or error, then a format and its values. */
function readCall(args: readonly unknown[]): { message: string; fields: object | undefined } {
  const [first, ...rest] = args
  try {
    if (typeof first !== 'object' || first === null) return { message: format(...args), fields: undefined }
    const text = rest.length > 0 ? format(...rest) : undefined
    if (isError(first)) return { message: text ?? asError(first).message, fields: { err: describeError(first) } }
    const { err, msg, ...fields } = first as { err?: unknown; msg?: unknown }
    const error = isError(err) ? { err: describeError(err) } : {}
    return { message: text ?? (typeof msg === 'string' ? msg : ''), fields: { ...fields, ...error } }
  } catch {
    return { message: 'a line that cannot be read', fields: undefined }
  }
}
