import type { Client, DeadLetter, Logger } from '@arq-ts/core'
import type { Settings } from './options.ts'
import { Examinations } from './read/doctor.ts'
import { Pulse } from './read/pulse.ts'
import { QueueNames } from './read/queue-names.ts'
import { Redaction } from './read/show.ts'
import { recorderOf } from './recorder.ts'
import type { Recorder } from './recorder.ts'

/** Dead letters are read as a whole, so they are shared for this long. */
const DEAD_SHARED_MS = 2_000

/** Everything that the answers of one dashboard are made from. */
export class Board {
  readonly client: Client
  readonly settings: Settings
  readonly logger: Logger
  readonly names: QueueNames
  readonly pulse = new Pulse()
  readonly redaction: Redaction
  readonly examinations: Examinations
  readonly recorder: Recorder | null
  #dead: { until: number; value: Promise<DeadLetter[]> } | undefined
  readonly #closing = new Set<() => unknown>()

  constructor(client: Client, settings: Settings, logger: Logger) {
    this.client = client
    this.settings = settings
    this.logger = logger
    this.names = new QueueNames(client, settings.queues)
    this.redaction = new Redaction(settings.redact)
    this.examinations = new Examinations(this)
    this.recorder = recorderOf(client)
  }

  /** All dead letters, newest first; their number is bounded. */
  deadLetters(): Promise<DeadLetter[]> {
    if (this.#dead && performance.now() < this.#dead.until) return this.#dead.value
    const value = this.client.inspector.findDead()
    const next = { until: performance.now() + DEAD_SHARED_MS, value }
    this.#dead = next
    value.catch(() => (next.until = 0))
    return value
  }

  /** The next look at dead letters reads them again: some were replayed or removed. */
  forgetDead(): void {
    this.#dead = undefined
  }

  /** The number of dead letters of each function. */
  async deadByFunction(): Promise<Map<string, number>> {
    const counts = new Map<string, number>()
    for (const { functionName } of await this.deadLetters()) {
      counts.set(functionName, (counts.get(functionName) ?? 0) + 1)
    }
    return counts
  }

  /** Has something ended with the dashboard. */
  onClose(close: () => unknown): void {
    this.#closing.add(close)
  }

  async close(): Promise<void> {
    for (const close of this.#closing) await close()
    await this.names.settled()
  }
}
