/** Facts about a run that the judge needs in addition to its ledger. */
export interface JudgeOptions {
  leaseMs: number
  /** Time results of a task are kept, in ms; undefined for a task nobody knows. */
  keepResultMs: (task: string) => number | undefined
  /** Names of cron jobs. */
  tickNames: readonly string[]
  /** The cron job that ticks each second, for ticks that never came. */
  everySecond: string
  /** Faults began and ended, on the ledger's clock. */
  faultsFromMs: number
  faultsUntilMs: number
  /** Times at which workers were asked to stop. */
  stoppedMs: number
}
