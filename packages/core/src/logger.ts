import { pino } from 'pino'
import type { Level, Logger as PinoLogger } from 'pino'
import pretty from 'pino-pretty'

/** A pino logger; pass your own to put ours into your stream. */
export type Logger = Pick<
  PinoLogger,
  'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'child' | 'isLevelEnabled'
>

export type LogLevel = Level | 'silent'

export interface LoggerOptions {
  /** Default `info`. */
  level?: LogLevel
  /** One readable line per entry instead of JSON. Default: when the destination is a terminal. */
  pretty?: boolean
  /** Default: standard error, so that standard output stays for data. */
  destination?: NodeJS.WritableStream & { isTTY?: boolean }
}

/** Readable lines on a terminal (colour respects NO_COLOR and FORCE_COLOR), JSON elsewhere. */
export function createLogger(options: LoggerOptions = {}): Logger {
  const destination = options.destination ?? process.stderr
  const level = options.level ?? 'info'
  const isTerminal = (destination as { isTTY?: boolean }).isTTY === true
  if (!(options.pretty ?? isTerminal)) {
    return pino(
      { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, serializers: { err: errorFields } },
      destination as NodeJS.WriteStream,
    )
  }
  const colorize = process.env.FORCE_COLOR ? process.env.FORCE_COLOR !== '0' : isTerminal && !process.env.NO_COLOR
  const stream = pretty({
    destination,
    colorize,
    translateTime: 'SYS:HH:MM:ss',
    // What a handler logs by `ctx.log` carries its job as fields.
    messageFormat: ({ function: name, jobId, msg }) =>
      name === undefined ? String(msg) : `${String(jobId)}:${String(name)} ${String(msg)}`,
    // The line itself says these; an error's stack is shown.
    ignore: 'pid,hostname,jobId,function,functionName,queueName,reason,lateMs,running',
    sync: true,
  })
  return pino({ level, base: null, serializers: { err: errorFields } }, stream)
}

/** An error's own words; its other fields may hold connection settings, passwords among them. */
function errorFields(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const { name, message, stack } = error
  const code = (error as { code?: unknown }).code
  return {
    type: name,
    message: maskSecrets(message),
    ...(code === undefined ? {} : { code }),
    stack: maskSecrets(stack ?? ''),
  }
}

/** Hides the password of every URL in a text: `redis://user:***@host:6379/1`. */
export function maskSecrets(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/[^\s:/@]*):[^\s@/]+@/gi, '$1:***@')
}
