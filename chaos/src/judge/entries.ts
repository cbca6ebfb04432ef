/** Entries that the fleet, the supervisor and the injector write into the ledger. */

/** Ending of a handler's run, as the handler reports it. `retry` and `cancelled` are not the end of the job. */
export type RunOutcome = 'returned' | 'raised' | 'retry' | 'cancelled'

/** One line of the ledger. `atMs` is the ledger server's clock: the only clock that counts. */
export type LedgerEntry = { atMs: number } & (
  | { event: 'accepted'; nonce: string; jobId: string; task: string; deferMs: string; producer: string }
  /** An enqueue that failed: the job may be there, or not. */
  | { event: 'uncertain'; nonce: string; producer: string; error: string }
  | { event: 'abort'; jobId: string; producer: string }
  /** `at`: the moment the handler began, by its process's clock, since its entry may be late where the process is stopped. */
  | { event: 'start'; nonce: string; jobId: string; task: string; at: string; run: string; worker: string }
  | { event: 'end'; nonce: string; jobId: string; run: string; worker: string; outcome: RunOutcome }
  /** A worker enqueued a tick of a cron job. */
  | { event: 'ticked'; jobId: string; worker: string }
  /** The library reported that the end is stored. `run` is empty where no handler ran. */
  | { event: 'settled'; jobId: string; run: string; worker: string; outcome: string }
  | { event: 'leaseLost'; jobId: string; run: string; worker: string }
  /** A worker of ours lost Redis, or has it back. */
  | { event: 'down'; worker: string }
  | { event: 'up'; worker: string }
  | { event: 'boot'; worker: string }
  /** `cause`: the fault that ended it, `retired`, or empty for a spontaneous exit. */
  | { event: 'exit'; worker: string; status: string; cause: string }
  | { event: 'fault'; fault: string; kind: string; target: string }
  | { event: 'healed'; fault: string }
)

/** Reads one entry of the stream; undefined for an entry of another kind. */
export function readEntry(id: string, fields: readonly string[]): LedgerEntry | undefined {
  const entry: Record<string, unknown> = { atMs: Number(id.split('-')[0]) }
  for (let i = 0; i + 1 < fields.length; i += 2) entry[fields[i]!] = fields[i + 1]
  return typeof entry.event === 'string' ? (entry as unknown as LedgerEntry) : undefined
}

/** The slot of an incarnation: `ts-worker-1` of `ts-worker-1#3`. */
export function slotOf(worker: string): string {
  return worker.slice(0, worker.indexOf('#') < 0 ? worker.length : worker.indexOf('#'))
}
