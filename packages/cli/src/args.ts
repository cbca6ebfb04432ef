import type { Io } from './io.ts'

/** Flags that every command takes. */
export interface GlobalArgs {
  config?: string | undefined
  redis?: string | undefined
  envPrefix?: string | undefined
  json?: boolean | undefined
  /** The streams of this call; not given: those of the process. */
  io?: Io
}

/** Flags that say which dead letters are meant. */
export interface DeadFilterArgs {
  function?: string | undefined
  queue?: string | undefined
  error?: string | undefined
  olderThan?: number | undefined
}
