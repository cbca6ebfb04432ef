import type { Logger } from '../../logging/logger.ts'

/** Milliseconds between two lines about one function. */
const REPEAT_MS = 60_000
/** Functions that are counted by name; those beyond share one count. Producers choose the names. */
const MAX_FUNCTIONS = 100
const OTHERS = 'others'
const MAX_NAME = 100

/** Logs jobs of functions that a worker does not have: once per function, then once a minute with their number. */
export class ReleaseLog {
  readonly #log: Logger
  readonly #functions = new Map<string, { count: number; loggedMs: number }>()

  constructor(log: Logger) {
    this.#log = log
  }

  add(functionName: string, nowMs = performance.now()): void {
    const known = this.#functions.get(functionName)
    const name = known || this.#functions.size < MAX_FUNCTIONS ? functionName : OTHERS
    const entry = known ?? this.#functions.get(name)
    if (!entry) {
      this.#functions.set(name, { count: 0, loggedMs: nowMs })
      this.#log.warn(
        `${describe(name)} is not registered on this worker: its jobs go back to the queue, for a worker that has it ` +
          '(unknownFunction: release)',
      )
      return
    }
    entry.count++
    if (nowMs - entry.loggedMs < REPEAT_MS) return
    this.#log.warn(
      `${describe(name)} is still not registered on this worker: ${entry.count} jobs went back to the queue since the last report`,
    )
    entry.count = 0
    entry.loggedMs = nowMs
  }
}

function describe(name: string): string {
  if (name === OTHERS) return 'more than 100 further functions: each'
  return `function '${name.length > MAX_NAME ? `${name.slice(0, MAX_NAME)}…` : name}'`
}
