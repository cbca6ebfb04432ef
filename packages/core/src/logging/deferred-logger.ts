/** A logger that loads pino with its first line: most producers never log one. */

import type { createLogger as create, Logger, LoggerOptions, LogLevel } from './logger.ts'

/** pino's numbers. */
const LEVELS: Readonly<Record<LogLevel, number>> = {
  trace: 10,
  debug: 20,
  info: 30,
  warn: 40,
  error: 50,
  fatal: 60,
  silent: Infinity,
}

type Line = (logger: Logger) => void

/**
 * The logger of `createLogger`, made when the first line of its level is written. Lines that come while it is loaded keep
 * their order.
 */
export function createDeferredLogger(options: LoggerOptions = {}): Logger {
  const waiting: Line[] = []
  let logger: Logger | undefined
  const write = (line: Line) => {
    if (logger) return line(logger)
    waiting.push(line)
    if (waiting.length > 1) return
    void load().then((createLogger) => {
      logger = createLogger(options)
      for (const each of waiting.splice(0)) each(logger)
    })
  }
  return deferred(write, LEVELS[options.level ?? 'info'])
}

async function load(): Promise<typeof create> {
  const { createLogger } = await import('./logger.ts')
  return createLogger
}

function deferred(write: (line: Line) => void, least: number): Logger {
  const at =
    (level: Exclude<LogLevel, 'silent'>) =>
    (...args: unknown[]) => {
      if (LEVELS[level] >= least) write((logger) => (logger[level] as (...args: unknown[]) => void)(...args))
    }
  return {
    trace: at('trace'),
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    fatal: at('fatal'),
    child: (bindings: object) =>
      deferred((line) => write((logger) => line(logger.child(bindings) as unknown as Logger)), least),
    isLevelEnabled: (level: string) => (LEVELS[level as LogLevel] ?? 0) >= least,
  } as unknown as Logger
}
