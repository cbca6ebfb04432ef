/** Meaning of exit codes, for every command. */
export const EXIT = {
  ok: 0,
  /** The command ran, and the answer is no: unhealthy, nothing found, a job that failed. */
  no: 1,
  /** It could not run: wrong arguments, wrong configuration, no Redis. */
  cannot: 2,
} as const

/** Ends the command with a message for a person, without a stack. */
export class CommandError extends Error {
  readonly exitCode: number
  /** Advice and usage: lines of ours, below the message. */
  readonly hint: string

  constructor(message: string, exitCode: number = EXIT.cannot, hint = '') {
    super(message)
    this.exitCode = exitCode
    this.hint = hint
  }
}
