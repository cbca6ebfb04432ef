import { DEFAULT_QUEUE_NAME, parseHealthLine, showId } from '@arq-ts/protocol/jobs'
import type { HealthCounts } from '@arq-ts/protocol/jobs'
import { OptionsError } from '../errors.ts'
import { checkMethodOptions, checkName, checkNames, checkNumbers, methodSchemas } from '../options/arguments.ts'
import { noteEvent } from '../recorder/note-event.ts'
import type { FoundQueues, ScanBounds } from '../redis/key-survey.ts'
import type { RedisContext } from '../redis/context.ts'
import type { StoredHealth } from '../redis/worker-registry.ts'
import { liveWorkers } from '../fleet/live-workers.ts'
import type { WorkerInfo } from '../fleet/worker-info.ts'
import { damageText, isDate } from '../jobs/condition.ts'
import { DEFAULT_LEASE_MS } from '../jobs/listing.ts'

/** Keys of the database looked at to find queues that nobody names; a million take Redis about half a second. */
const DEFAULT_SCAN_KEYS = 2_000_000
/** Number of keys from which on a look takes long enough that its findings are worth keeping. */
const REMEMBERED_FROM = 50_000

/** Queues that are counted at the same time. */
const COUNTED_AT_ONCE = 64

/** Options of the search for queues. */
export interface QueueSearch {
  /** Names that are known already. Default: arq's default queue. */
  known?: readonly string[]
  /** Keys of the database that are looked at; 0 for none. Default: 2,000,000. */
  scanKeys?: number
  /** Time after which the look ends, once it has seen 20,000 keys, in ms. Default: none. */
  scanMs?: number
  /** Queues that have jobs alone (`waiting`), or those with a worker's health line (`served`), by half the cost. */
  only?: 'waiting' | 'served'
}

/** A queue in numbers, for jobs of both languages. */
export interface QueueStats {
  /** Its name, which is its Redis key. */
  queueName: string
  /** Due, and not at work. */
  pending: number
  /** Not due yet, and not at work. */
  deferred: number
  /** At work on workers of either language. */
  running: number
  /** Ended well: counted by arq-ts workers since the queue was first used, and by Python's according to `python`. */
  complete: number
  /** Ended badly, counted likewise. */
  failed: number
  /** Ended by an abort, on arq-ts workers; Python counts them as failed. */
  aborted: number
  /** Dead letters of this queue. */
  dead: number
  /** Time at which the oldest pending job became due; null when none is. */
  oldestDue: Date | null
  /** The score of that job as Redis has it: unix ms, or infinite. */
  oldestDueMs: number | null
  /** Due time of the next deferred job. */
  nextDue: Date | null
  /** The score of that job as Redis has it. */
  nextDueMs: number | null
  /** True while arq-ts workers leave it alone, until it is resumed. */
  paused: boolean
  /** Live arq-ts workers that serve it. */
  workers: number
  /**
   * Last report of a Python worker in the queue's health key; each counts since its start. Null when there is none, or an
   * arq-ts worker of the queue has reported since: both write the same key.
   */
  python: HealthCounts | null
  /**
   * False where `running` is a lower bound, and `pending` and `deferred` are upper ones: of the jobs that are due, or
   * that a lease may have moved, the first 5,000 each are looked at, and no due ones behind a thousand of which none runs.
   */
  exact: boolean
  /** False where its key holds no sorted set: its jobs are not known, and are counted as 0. */
  readable: boolean
  /** Everything that is wrong with the keys of the queue, a sentence each; what they would say is missing above. */
  problems: string[]
}

/** Queues as a whole, whichever language uses them. Use `client.queues`. */
export class Queues {
  readonly #link: RedisContext
  readonly #own: string

  /** @internal @param own - the client's queue, which it knows of however large the database is. */
  constructor(link: RedisContext, own: string) {
    this.#link = link
    this.#own = own
  }

  /**
   * Names of queues: those given (default: arq's default), the client's own, those that live workers serve, paused ones,
   * those that producers of arq-ts have used lately or earlier looks have found, and what a look at the database finds. `complete` is false where the look ended
   * at a bound: after `scanKeys` keys (default 2,000,000), or, once it has seen 20,000, after `scanMs` (default: never).
   */
  async names(options: QueueSearch = {}): Promise<{ names: string[]; complete: boolean }> {
    checkMethodOptions('queues.names', methodSchemas.queueSearch, options)
    await this.#link.syncClock()
    const [found, near] = await Promise.all([
      this.#link.survey.queues(boundsOf(options), options.only),
      this.#near(options.known),
    ])
    return { names: await this.#joined(found, near, options.only === undefined), complete: found.complete }
  }

  /**
   * Names of queues as they become known: first those that cost nothing, then what a look at the database adds. Whoever
   * has enough before that spares Redis the look. `complete` is that of all names so far.
   */
  async *discover(options: QueueSearch = {}): AsyncGenerator<{ names: string[]; complete: boolean }> {
    checkMethodOptions('queues.discover', methodSchemas.queueSearch, options)
    await this.#link.syncClock()
    const near = await this.#near(options.known)
    yield { names: [...near].sort(), complete: false }
    const found = await this.#link.survey.queues(boundsOf(options), options.only)
    const names = await this.#joined(found, near, options.only === undefined)
    yield { names: names.filter((name) => !near.has(name)), complete: found.complete }
  }

  async #near(known: readonly string[] = [DEFAULT_QUEUE_NAME]): Promise<Set<string>> {
    const { queues } = this.#link
    const [paused, workers, remembered, noted] = await Promise.all([
      queues.paused(),
      liveWorkers(this.#link),
      queues.remembered(),
      queues.noted(),
    ])
    const served = workers.flatMap((worker) => worker.queues)
    return new Set([...known, this.#own, ...served, ...paused, ...remembered, ...noted])
  }

  /**
   * All names, sorted. After a look at many keys they are remembered, so that a shorter look knows them too; a whole one
   * forgets the queues that are gone.
   */
  async #joined(found: FoundQueues, near: ReadonlySet<string>, isWhole: boolean): Promise<string[]> {
    const names = [...new Set([...near, ...found.names])].sort()
    if (isWhole && found.complete && found.looked > 0) await this.#link.queues.forgetNoted(new Set(found.names))
    if (found.looked >= REMEMBERED_FROM)
      await this.#link.queues.remember(isWhole && found.complete ? found.names : names)
    return names
  }

  /** @internal Names of queues by a walk over all keys that has been made. */
  async namesBy(found: FoundQueues, known?: readonly string[]): Promise<string[]> {
    return this.#joined(found, await this.#near(known), true)
  }

  /** Counts a queue at a cost that does not grow with its length: its head and its lease window are looked at. */
  async stats(queueName: string): Promise<QueueStats> {
    checkName('queues.stats', 'queueName', queueName)
    return (await this.statsOf([queueName]))[0]!
  }

  /** Counts several queues, each as `stats` does. */
  async statsOf(queueNames: readonly string[]): Promise<QueueStats[]> {
    checkNames('queues.statsOf', 'queueNames', queueNames)
    const workers = await liveWorkers(this.#link)
    const [dead, lines] = await Promise.all([
      this.#link.deadLetters.countByQueue(),
      this.#link.registry.readHealth(queueNames),
    ])
    const stats: QueueStats[] = []
    // A few at a time: thousands of queues at once would wait for each other longer than a command may take.
    for (let from = 0; from < queueNames.length; from += COUNTED_AT_ONCE) {
      const page = queueNames.slice(from, from + COUNTED_AT_ONCE)
      const counted = page.map((name, i) => {
        return this.#statsOf(name, { workers, dead: dead.get(name) ?? 0, health: lines[from + i] ?? null })
      })
      stats.push(...(await Promise.all(counted)))
    }
    return stats
  }

  async #statsOf(
    queueName: string,
    { workers, dead, health }: { workers: readonly WorkerInfo[]; dead: number; health: StoredHealth | null },
  ): Promise<QueueStats> {
    const leaseMs = Math.max(DEFAULT_LEASE_MS, ...workers.map((worker) => worker.leaseMs))
    const counts = await this.#link.queues.counts(queueName, leaseMs)
    const line = health?.line ?? null
    const isOurs = health === null || health.isOurs || workers.some((worker) => worker.healthLine === health.line)
    const python = isOurs ? null : (parseHealthLine(health.line) ?? null)
    return {
      queueName,
      // Each is counted at a moment of its own: jobs that start or end meanwhile must not make a number negative.
      pending: Math.max(0, counts.due - counts.runningDue),
      deferred: Math.max(0, counts.total - counts.due - counts.runningLater),
      running: counts.runningDue + counts.runningLater,
      complete: counts.ended.complete + (python?.complete ?? 0),
      failed: counts.ended.failed + (python?.failed ?? 0),
      aborted: counts.ended.aborted,
      dead,
      oldestDue: dateOf(counts.oldestDueMs),
      oldestDueMs: counts.oldestDueMs,
      nextDue: dateOf(counts.nextDueMs),
      nextDueMs: counts.nextDueMs,
      paused: counts.paused,
      workers: workers.filter((worker) => worker.queues.includes(queueName)).length,
      python,
      exact: counts.exact,
      readable: counts.readable,
      problems: [...counts.damaged.map(damageText), ...lineProblems(queueName, line)],
    }
  }

  /** For each time (unix ms), the number of jobs of the queue that are due by then, running ones included. */
  async dueBy(queueName: string, timesMs: readonly number[]): Promise<number[]> {
    checkName('queues.dueBy', 'queueName', queueName)
    checkNumbers('queues.dueBy', 'timesMs', timesMs)
    return this.#link.jobPages.dueBy(queueName, timesMs)
  }

  /**
   * Lets arq-ts workers start no more jobs of this queue, cron ticks included, until `resume`; running jobs continue.
   * Python workers know of no pause. False when it was paused before.
   */
  async pause(queueName: string): Promise<boolean> {
    checkName('queues.pause', 'queueName', queueName)
    const isNew = await this.#link.queues.pause(queueName)
    if (isNew) await noteEvent(this.#link, { kind: 'paused', queueName })
    return isNew
  }

  /** Ends a pause. False when there was none. */
  async resume(queueName: string): Promise<boolean> {
    checkName('queues.resume', 'queueName', queueName)
    const wasPaused = await this.#link.queues.resume(queueName)
    if (wasPaused) await noteEvent(this.#link, { kind: 'resumed', queueName })
    return wasPaused
  }

  /** True when Redis has a queue of this name: one that has members. */
  async exists(queueName: string): Promise<boolean> {
    checkName('queues.exists', 'queueName', queueName)
    return this.#link.queues.exists(queueName)
  }

  /** Queues among these whose keys hold no sorted set, each with a sentence that says so. */
  async unreadable(queueNames: readonly string[]): Promise<{ queueName: string; problem: string }[]> {
    checkNames('queues.unreadable', 'queueNames', queueNames)
    const damaged = await this.#link.damaged.amongQueues(queueNames)
    return damaged.map((damage) => ({ queueName: damage.queueName, problem: damageText(damage) }))
  }

  /** Names of paused queues. */
  paused(): Promise<string[]> {
    return this.#link.queues.paused()
  }

  /**
   * Removes all jobs of a queue that are not at work, for good; returns their number. `onProgress` gets the number so far.
   *
   * @throws OptionsError unless `{ all: true }` is given.
   */
  async purge(queueName: string, options: { all: true; onProgress?: (removed: number) => void }): Promise<number> {
    checkName('queues.purge', 'queueName', queueName)
    const { all } = checkMethodOptions('queues.purge', methodSchemas.purge, options)
    if (!all)
      throw new OptionsError(`queues.purge: give \`{ all: true }\` to remove every job of "${showId(queueName)}"`)
    return this.#link.queues.purge(queueName, options.onProgress)
  }
}

/** A line that arq does not read says nothing of any worker, though `arq --check` takes it for a sign of life. */
function lineProblems(queueName: string, line: string | null): string[] {
  if (line === null || parseHealthLine(line)) return []
  return [
    `the health key of "${showId(queueName)}" holds ${JSON.stringify(line.slice(0, 100))}, which is no line of arq's`,
  ]
}

function dateOf(ms: number | null): Date | null {
  return ms === null || !isDate(ms) ? null : new Date(ms)
}

function boundsOf({ scanKeys, scanMs }: QueueSearch): ScanBounds {
  return { maxKeys: scanKeys ?? DEFAULT_SCAN_KEYS, ...(scanMs === undefined ? {} : { maxMs: scanMs }) }
}
