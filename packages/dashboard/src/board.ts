import { Client } from '@arq-ts/core'
import type { CodecName, DeadLetterSummary, History, Logger, RecordedFunction } from '@arq-ts/core'
import { Refusal } from './http/refusal.ts'
import type { Settings } from './options.ts'
import { Examinations } from './read/doctor.ts'
import { Pulse } from './read/pulse.ts'
import { QueueNames } from './read/queue-names.ts'
import { NO_SAMPLE, sampleFunctions } from './read/functions.ts'
import type { FunctionSample } from './read/functions.ts'
import type { Snapshot } from './read/queues.ts'
import { Shared } from './read/shared.ts'
import { Redaction } from './read/show.ts'
import type { Access } from './users/access.ts'
import type { DashboardUser } from './users/authenticators.ts'
import { Sight, Sights } from './users/sight.ts'

/** Dead letters are read as a whole, so they are shared for this long. */
const DEAD_SHARED_MS = 2_000
/** Requests within this time share one look for queues. */
const NAMES_SHARED_MS = 1_000
/** Parts of one page share one read of the recorded functions. */
const FUNCTIONS_SHARED_MS = 1_000
/** Functions of waiting jobs are read seldom: that costs a few commands for each job. */
const SAMPLE_SHARED_MS = 15_000
/** With more jobs than this, a look at many of them costs as much as a page, and begins after the first page has its data. */
export const MANY_JOBS = 50_000
export const HEAD_START_MS = 500

/** Everything that the answers of one dashboard are made from. */
export class Board {
  readonly client: Client
  readonly settings: Settings
  readonly logger: Logger
  readonly names: QueueNames
  readonly pulse = new Pulse()
  /** Answers that every tab gets alike. */
  readonly shared = new Shared()
  readonly redaction: Redaction
  readonly examinations: Examinations
  readonly #clients = new Map<CodecName, Client>()
  readonly #sights = new Sights()
  #sampled: FunctionSample | undefined
  #sampling: NodeJS.Timeout | undefined
  readonly #closing = new Set<() => unknown>()

  constructor(client: Client, settings: Settings, logger: Logger) {
    this.client = client
    this.settings = settings
    this.logger = logger
    this.names = new QueueNames(client, settings.queues)
    this.redaction = new Redaction(settings.redact)
    this.examinations = new Examinations(this)
  }

  /** Records of the workers. */
  get history(): History {
    return this.client.history
  }

  /** All dead letters without their payloads, newest first; their number is bounded. */
  deadLetters(): Promise<DeadLetterSummary[]> {
    return this.shared.of('dead', DEAD_SHARED_MS, () => this.client.deadLetters.summaries())
  }

  /** The functions of the first waiting jobs, as somebody looked at them lately. */
  sample(seen: Snapshot): Promise<FunctionSample> {
    return this.shared.of('sample', SAMPLE_SHARED_MS, async () => (this.#sampled = await sampleFunctions(this, seen)))
  }

  /** The same for a page that must not wait: with many jobs, the last sample, or one of nothing until there is one. */
  async sampleSoon(seen: Snapshot): Promise<FunctionSample> {
    const jobs = seen.queues.reduce((sum, { pending, deferred, running }) => sum + pending + deferred + running, 0)
    if (jobs <= MANY_JOBS) return this.sample(seen)
    this.#sampling ??= setTimeout(() => {
      this.#sampling = undefined
      this.sample(seen).catch(() => {}) // the next page asks again
    }, HEAD_START_MS).unref()
    return this.#sampled ?? NO_SAMPLE
  }

  /** Functions that workers have or whose jobs were recorded, with their queues. */
  functions(): Promise<RecordedFunction[]> {
    return this.shared.of('functions', FUNCTIONS_SHARED_MS, () => this.history.functions())
  }

  /**
   * A client that writes a codec: a copy of a job goes out as the job came in.
   *
   * @throws Refusal where the dashboard works with a client of the application, which writes another one.
   */
  clientOf(codec: CodecName | null): Client {
    if (codec === null || codec === this.client.codec) return this.client
    const { client, connection } = this.settings
    if (client) {
      throw new Refusal(
        'conflict',
        `the job is written in ${codec}, and the dashboard's client writes ${client.codec}: give it \`connection\` instead of \`client\``,
      )
    }
    const known = this.#clients.get(codec)
    if (known) return known
    const made = new Client({ ...connection, logger: this.logger, codec })
    this.#clients.set(codec, made)
    this.onClose(() => made.close())
    return made
  }

  /** The part of the installation that a user may see, by rights that are at most a second old; for a change, by those of now. */
  sightOf(user: DashboardUser, access: Access, { isChange = false } = {}): Promise<Sight> {
    const names = async () => (await this.shared.of('names', NAMES_SHARED_MS, () => this.names.known())).names
    return isChange ? Sight.of(access, user, names) : this.#sights.of(access, user, names)
  }

  /** Has something ended with the dashboard. */
  onClose(close: () => unknown): void {
    this.#closing.add(close)
  }

  async close(): Promise<void> {
    clearTimeout(this.#sampling)
    for (const close of this.#closing) await close()
    await this.names.settled()
  }
}
