/** The entry of the default logger, `@arq-ts/core/logger`, for a process that logs and has no client or worker. */
export { createLogger } from './logging/logger.ts'
export type { Logger, LoggerOptions, LogLevel } from './logging/logger.ts'
