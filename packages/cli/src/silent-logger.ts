import type { Logger } from '@arq-ts/core'

/** A logger that writes nothing, and loads no library for it. `onWarn` gets the first argument of each warning. */
export function silentLogger(onWarn: (fields: unknown) => void = () => {}): Logger {
  const ignore = () => {}
  const logger = {
    level: 'silent',
    trace: ignore,
    debug: ignore,
    info: ignore,
    warn: onWarn,
    error: ignore,
    fatal: ignore,
    child: () => logger,
    isLevelEnabled: () => false,
  }
  return logger as unknown as Logger
}
