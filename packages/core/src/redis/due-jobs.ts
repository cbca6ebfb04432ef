import type { Keys } from '@arq-ts/protocol/jobs'
import type { Reservation } from './broker-calls.ts'
import type { RedisClock } from './clock.ts'
import type { Faults } from './faults.ts'
import { readId } from './id-bytes.ts'
import { Obstruction } from './obstruction.ts'
import type { Look, Member, ObstructionReport, Sifted } from './obstruction.ts'
import type { ScriptName, ScriptReply, ScriptValue } from './scripts.ts'

/** Time found jobs are set aside for the worker that found them, until it claims them, in ms. */
export const RESERVE_MS = 1_000
/** One call in this many finds due jobs by looking over all that are set aside; the others look behind those. */
const LOOK_OVER_ALL = 16
/** Members of a queue that one call looks at to find jobs, at most. */
const MAX_LOOKED_AT = 20_000
/** Number of jobs in a row that could not be claimed, or of ids to skip, from which on a queue counts as obstructed. */
const MANY_UNCLAIMED = 100
const MANY_SKIPPED = 1_000
/** Bytes of payloads that one look reads to know their functions, at most. */
const MAX_LOOK_BYTES = 4_194_304

/** Ids that a worker leaves to others: a Map or a Set of them. */
export interface SkippedIds {
  readonly size: number
  has(jobId: string): boolean
  keys(): Iterable<string>
}

/** Runs a script, and reports the faults in its reply. */
export type RunScript = (
  name: ScriptName,
  keys: readonly string[],
  args: ScriptValue[],
  options: { signal?: AbortSignal | undefined; isBrief?: boolean; queueName?: string; jobIds?: readonly string[] },
) => Promise<ScriptReply[]>

/** State of one queue. */
interface Queue {
  name: string
  /** Jobs in a row that could not be claimed. */
  unclaimed: number
  obstruction: Obstruction | undefined
}

/** Finds due jobs for a worker: at the head of a queue, or behind a stretch that holds nothing for it. */
export class DueJobs {
  readonly #keys: Keys
  readonly #clock: RedisClock
  readonly #faults: Faults
  readonly #run: RunScript
  readonly #queues = new Map<string, Queue>()
  #reserves = 0
  /** Says whether this worker has the function of a payload; unset where it takes every job. */
  canRun: ((payload: Buffer) => boolean) | undefined
  /** Gets what stands in the way, once it is known, then sparingly. */
  onObstruction: ((report: ObstructionReport) => void) | undefined

  constructor(options: { keys: Keys; clock: RedisClock; faults: Faults; run: RunScript }) {
    this.#keys = options.keys
    this.#clock = options.clock
    this.#faults = options.faults
    this.#run = options.run
  }

  /** Sets up to `want` due jobs aside that are not among those to skip. */
  async reserve(queueName: string, want: number, skip: SkippedIds, signal?: AbortSignal): Promise<Reservation> {
    const queue = this.#queue(queueName)
    if (!queue.obstruction && skip.size >= MANY_SKIPPED) queue.obstruction = new Obstruction(performance.now())
    if (queue.obstruction) return this.#reserveAround(queue, queue.obstruction, want, skip, signal)
    const found = await this.#reserve(queueName, want, skip.keys(), undefined, signal)
    if (found.jobIds.length < want) queue.unclaimed = 0
    return found
  }

  /** Takes in how many of the jobs that were found could be claimed, and have a payload. */
  claimed(queueName: string, found: number, taken: number): void {
    const queue = this.#queue(queueName)
    if (2 * taken >= found) queue.unclaimed = 0
    else if (queue.obstruction) queue.obstruction.metObstacles(performance.now())
    else {
      queue.unclaimed += found - taken
      if (queue.unclaimed >= MANY_UNCLAIMED) queue.obstruction = new Obstruction(performance.now())
    }
  }

  #queue(name: string): Queue {
    let queue = this.#queues.get(name)
    if (!queue) this.#queues.set(name, (queue = { name, unclaimed: 0, obstruction: undefined }))
    return queue
  }

  async #reserve(
    queueName: string,
    want: number,
    skip: Iterable<string>,
    anchor: Member | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Reservation> {
    const keys = [this.#keys.queue(queueName), this.#keys.reserved(queueName), this.#keys.paused]
    const overAll = this.#reserves++ % LOOK_OVER_ALL === 0 ? 1 : 0
    const args = [want, RESERVE_MS, overAll, MAX_LOOKED_AT, anchor?.score ?? '', anchor?.jobId ?? '', ...skip]
    const reply = await this.#run('reserve', keys, args, { signal, isBrief: true, queueName })
    const next = Number(reply[1])
    return {
      nowMs: Number(reply[0]),
      nextDueMs: next === -1 ? null : next,
      jobIds: reply.slice(2).map((id) => readId(id as Buffer)),
    }
  }

  async #reserveAround(
    queue: Queue,
    obstruction: Obstruction,
    want: number,
    skip: SkippedIds,
    signal: AbortSignal | undefined,
  ): Promise<Reservation> {
    const look = obstruction.next(performance.now())
    const jobIds = look ? await this.#look(queue.name, obstruction, look, want, skip, signal) : []
    let nextDueMs = Infinity
    // While the stretch grows by whole pages, there is no use in asking what comes next.
    if (jobIds.length < want && obstruction.mode === 'known') {
      const behind = await this.#reserve(queue.name, want - jobIds.length, [], obstruction.anchor, signal)
      const ours = behind.jobIds.filter((id) => !skip.has(id))
      if (ours.length < behind.jobIds.length) obstruction.metObstacles(performance.now())
      jobIds.push(...ours)
      nextDueMs = behind.nextDueMs ?? Infinity
    }
    const now = performance.now()
    jobIds.push(...obstruction.takeExpired(want - jobIds.length, now))
    const report = obstruction.report(now)
    if (report) this.onObstruction?.({ queueName: queue.name, ...report })
    if (obstruction.mode === 'clear') Object.assign(queue, { unclaimed: 0, obstruction: undefined })
    const nowMs = this.#clock.now()
    return { nowMs, nextDueMs: Math.min(nextDueMs, nowMs + Math.ceil(obstruction.pauseMs(now))), jobIds }
  }

  /** Looks at one page of a queue; returns the jobs in it that can be claimed now. */
  async #look(
    queueName: string,
    obstruction: Obstruction,
    look: Look,
    room: number,
    skip: SkippedIds,
    signal: AbortSignal | undefined,
  ): Promise<string[]> {
    const { after, count } = look
    const pageKeys = [this.#keys.queue(queueName), this.#keys.paused]
    const page = await this.#run('page', pageKeys, [after?.score ?? '', after?.jobId ?? '', count], { signal })
    const members: Member[] = []
    for (let at = 1; at < page.length; at += 2)
      members.push({ jobId: readId(page[at] as Buffer), score: String(page[at + 1]) })
    const sifted = members.length > 0 ? await this.#sift(queueName, members, skip, signal) : []
    // A page of payloads that are too large to read in one call is shorter.
    const looked = sifted.length < members.length ? { ...look, count: sifted.length } : look
    return obstruction.found(looked, sifted, room, performance.now())
  }

  async #sift(
    queueName: string,
    members: readonly Member[],
    skip: SkippedIds,
    signal: AbortSignal | undefined,
  ): Promise<Sifted[]> {
    const keys = members.flatMap(({ jobId }) => [
      this.#keys.inProgress(jobId),
      this.#keys.job(jobId),
      this.#keys.retry(jobId),
    ])
    const jobIds = members.map((member) => member.jobId)
    const verdicts = await this.#run('sift', keys, [this.canRun ? MAX_LOOK_BYTES : 0], { signal, queueName, jobIds })
    return verdicts.map((verdict, i) => {
      const { jobId, score } = members[i]!
      if (score === '-inf') {
        this.#faults.report({ queueName, jobId, key: this.#keys.queue(queueName), reason: 'the score is not finite' })
        return { jobId, score, obstacle: 'faulty' }
      }
      return { jobId, score, obstacle: this.#obstacle(verdict!, skip.has(jobId)) }
    })
  }

  #obstacle(verdict: ScriptReply, isSkipped: boolean): Sifted['obstacle'] {
    if (verdict === 1) return 'held'
    if (verdict === 2) return 'expired'
    if (verdict === 3) return 'faulty'
    const isForeign = isSkipped || (verdict instanceof Buffer && this.canRun?.(verdict) === false)
    return isForeign ? 'foreign' : undefined
  }
}

/** Ids to skip, from any list of them. */
export function asSkipped(ids: Iterable<string> | SkippedIds): SkippedIds {
  return 'has' in ids ? ids : new Set(ids)
}
