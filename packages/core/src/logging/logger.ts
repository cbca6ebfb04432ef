import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import type { Level, Logger as PinoLogger, LoggerOptions as PinoOptions } from 'pino'
import type { PinoPretty } from 'pino-pretty'
import { asError } from '@arq-ts/protocol/errors'
import { escapeJsonLine } from '@arq-ts/protocol/show'
import { isError } from '@arq-ts/protocol/values'
import { checkMethodOptions, methodSchemas } from '../options/arguments.ts'
import { requireFrom } from '../require-from.ts'
import { maskSecrets } from './secrets.ts'

/** Loaded for a person's terminal only. Undefined in a bundle, which does not contain it. */
function loadPretty(): typeof PinoPretty | undefined {
  try {
    return requireFrom(import.meta.url)('pino-pretty') as typeof PinoPretty
  } catch {
    return undefined
  }
}

/** A pino logger; pass your own to put ours into your stream. */
export type Logger = Pick<
  PinoLogger,
  'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'child' | 'isLevelEnabled'
>

/** pino's levels, and `silent`. */
export type LogLevel = Level | 'silent'

/** Options of `createLogger`. */
export interface LoggerOptions {
  /** Default `info`. */
  level?: LogLevel
  /** A `name` on every line. Default none. */
  name?: string
  /** One readable line per entry instead of JSON. Default: when the destination is a terminal. */
  pretty?: boolean
  /** Default: standard error, so that standard output stays for data. */
  destination?: NodeJS.WritableStream & { isTTY?: boolean }
}

/**
 * Readable lines on a terminal (colour respects NO_COLOR and FORCE_COLOR), JSON elsewhere. Passwords of URLs are hidden
 * wherever they stand in a line.
 */
export function createLogger(options: LoggerOptions = {}): Logger {
  checkMethodOptions('createLogger', methodSchemas.logger, options)
  const { destination = process.stderr, level = 'info', name } = options
  const isTerminal = (destination as { isTTY?: boolean }).isTTY === true
  const settings: PinoOptions = {
    level,
    base: name === undefined ? null : { name },
    serializers: { err: errorFields },
    hooks: { streamWrite: maskSecrets },
  }
  const pretty = (options.pretty ?? isTerminal) ? loadPretty() : undefined
  if (!pretty) {
    const hooks = { streamWrite: (line: string) => escapeJsonLine(maskSecrets(line)) }
    const timestamp = pino.stdTimeFunctions.isoTime
    return pino({ ...settings, hooks, timestamp }, destination as NodeJS.WriteStream)
  }
  const colorize = process.env.FORCE_COLOR ? process.env.FORCE_COLOR !== '0' : isTerminal && !process.env.NO_COLOR
  const stream = pretty({
    destination,
    colorize,
    translateTime: 'SYS:HH:MM:ss',
    // Lines of a handler's `ctx.log` carry its job as fields.
    messageFormat: ({ function: task, jobId, msg }) =>
      printable(task === undefined ? String(msg) : `${String(jobId)}:${String(task)} ${String(msg)}`),
    // The line itself says these; an error's stack is shown.
    ignore: 'pid,hostname,jobId,function,functionName,queueName,reason,lateMs,running',
    sync: true,
  })
  return pino(settings, stream)
}

/**
 * pino-pretty cleans all but what a function has formatted: a message must not move the terminal's cursor, nor begin a
 * line that looks like an entry of its own.
 */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}]/gu, (character) =>
    character === '\n' ? '\n    ' : character === '\t' ? character : '',
  )
}

const MAX_CAUSES = 5
const MAX_TEXT = 10_000

/** An error's own words; its other fields may hold connection settings, passwords among them. */
function errorFields(thrown: unknown): unknown {
  if (!mayBeError(thrown)) return thrown
  const error = asError(thrown)
  const code = (error as { code?: unknown }).code
  const logged = { type: error.name, message: cut(error.message), ...(code === undefined ? {} : { code }) }
  return { ...logged, stack: stackOf(error) }
}

/** True for what an `instanceof` cannot be asked of, too: a Proxy that was revoked. */
function mayBeError(value: unknown): boolean {
  try {
    return isError(value)
  } catch {
    return true
  }
}

function stackOf(error: Error): string {
  const stacks: string[] = []
  for (let at: unknown = error; isError(at) && stacks.length < MAX_CAUSES; at = at.cause) {
    stacks.push(cut(withoutCaller(String(at.stack ?? at).slice(0, 2 * MAX_TEXT))))
  }
  return stacks.join('\ncaused by: ')
}

/** Undefined in a bundle for CommonJS: all code is one file there, and no line of a stack is known to be ours. */
const HERE = import.meta.url as string | undefined
/** Folders of what calls handlers, as URLs and as paths. */
const CALLERS = HERE
  ? ['../worker/', '../middleware/'].flatMap((folder) => {
      const { href } = new URL(folder, HERE)
      return [href, fileURLToPath(href)]
    })
  : []

/** The stack of an error of a handler without the frames of the worker, which are the same for all. */
function withoutCaller(stack: string): string {
  const lines = stack.split('\n')
  const isOurs = (line: string) => CALLERS.some((folder) => line.includes(folder))
  const last = lines.findLastIndex((line) => !isOurs(line) && !/^\s+at (new Promise|.*node:internal)/.test(line))
  const isThrownThere = /^\s+at /.test(lines[last] ?? '')
  return isThrownThere && lines.slice(last).some(isOurs) ? lines.slice(0, last + 1).join('\n') : stack
}

function cut(text: unknown): string {
  const whole = String(text)
  return whole.length > MAX_TEXT ? `${whole.slice(0, MAX_TEXT)}…` : whole
}
