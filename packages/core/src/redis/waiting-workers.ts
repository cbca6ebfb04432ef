import type { Keys } from '@arq-ts/protocol/jobs'
import { RETRY_COUNTER_TTL_S } from '@arq-ts/protocol/jobs'
import type { ScriptName, ScriptReply, ScriptValue } from './scripts.ts'

/** Longest time a worker stays in the list without a sign of life, beyond the pause between two of them, in ms. */
const GONE_AFTER_MS = 5_000

type Run = (
  name: ScriptName,
  keys: readonly string[],
  args: ScriptValue[],
  options: {
    signal?: AbortSignal | undefined
    jobs?: number
    queueName?: string
    jobIds?: readonly string[]
  },
) => Promise<ScriptReply[]>

/** Jobs that `hand-off.lua` holds for a worker. */
export interface HeldJobs {
  token: string
  /** Time until which they are held, in unix ms. */
  untilMs: number
  jobIds: readonly string[]
}

/** The list of idle workers of each queue, and the jobs that were handed to them. */
export class WaitingWorkers {
  readonly #keys: Keys
  readonly #run: Run

  constructor(keys: Keys, run: Run) {
    this.#keys = keys
    this.#run = run
  }

  /**
   * The entry of a worker that would take this many jobs at once, under a token that no hand-off has had. The token bears the
   * worker's name, which may have any characters: its length goes before it.
   */
  entry(workerId: string, token: string, free: number): string {
    return `${free} ${Buffer.byteLength(token)} ${token} ${this.#keys.handOffChannel(workerId)}`
  }

  /**
   * Takes the jobs of a hand-off, and replaces one entry of the worker with another; '' stands for none. False for a job
   * that the worker has lost. Later calls for these jobs over the same connection find them taken.
   */
  async take(
    queueName: string,
    held: HeldJobs | undefined,
    entries: { remove: string; add: string },
    options: { leaseMs: number; pauseMs: number; signal?: AbortSignal },
  ): Promise<boolean[]> {
    const { token = '', untilMs = 0, jobIds = [] } = held ?? {}
    const keys = [this.#keys.waiting(queueName), this.#keys.queue(queueName), this.#keys.paused]
    for (const id of jobIds) keys.push(this.#keys.inProgress(id), this.#keys.retry(id))
    const { leaseMs, pauseMs, signal } = options
    const lifetimeMs = Math.round(pauseMs + GONE_AFTER_MS)
    const args = [entries.remove, entries.add, lifetimeMs, token, leaseMs, RETRY_COUNTER_TTL_S, untilMs, ...jobIds]
    const reply = await this.#run('wait', keys, args, { signal, queueName, jobIds })
    return jobIds.map((_, i) => reply[i + 1] === 1)
  }
}
