import type { Gate, GatedJob, Pass, Verdict } from '../gates/gate.ts'
import type { ServiceLog } from '../logging/sparing-log.ts'
import type { RedisClock } from '../redis/clock.ts'
import { MAX_DUE, nameOfLimit, OF_UNIQUE_KEY, placeOf } from '../redis/limits.ts'
import type { LimitClaim, LimitRecords, Served } from '../redis/limits.ts'
import { within } from '../time/interruptible-wait.ts'
import { claimsOf } from './limit.ts'

/** Jobs of a unique key that is kept until the end: the next one waits while one runs. */
function serialClaim(key: string): LimitClaim {
  const id = `${OF_UNIQUE_KEY}${key}`
  return { id, name: nameOfLimit(id), declared: '1|||' }
}

/** Time between two looks where no task of the worker has a limit; jobs with a unique key may wait all the same. */
const SELDOM_MS = 5_000
/** Time between two looks for limits where a lease or an offer has ended unnoticed, in ms. */
const LOOK_MS = 500

/** Longest wait for the time of an offer, in ms; the looks find what is due later. */
const LONGEST_WAIT_MS = 1_000

interface Leaving {
  places: string[]
  jobs: { jobId: string; queueName: string }[]
  /** True where nothing leaves: the time of an offer has come. */
  isTimed?: boolean
}

export interface LimitGateOptions {
  records: LimitRecords
  clock: RedisClock
  leaseMs: number
  /** True where a task of the worker has limits. */
  isUsed: boolean
  log: ServiceLog
}

/**
 * Limits at the start and the end of jobs: a job takes a place in each of its limits or waits, and what it gives back is
 * offered to the next that waits. It also looks after limits whose jobs ended with their worker.
 *
 * idle → looking (from `start`, each `LOOK_MS`) → stopped
 */
export class LimitGate implements Gate {
  readonly #options: LimitGateOptions
  /** Limits that are being filled, and what leaves them meanwhile. */
  readonly #fills = new Map<string, { leaving: Leaving | undefined; done: Promise<void> }>()
  /** Limits whose next offer has to wait for its time. */
  readonly #waits = new Map<string, NodeJS.Timeout>()
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> | undefined
  #isStopped = false

  constructor(options: LimitGateOptions) {
    this.#options = options
  }

  start(): void {
    this.#timer = setInterval(
      () => {
        this.#looking ??= this.#look().finally(() => (this.#looking = undefined))
      },
      this.#options.isUsed ? LOOK_MS : SELDOM_MS,
    )
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    clearInterval(this.#timer)
    for (const timer of this.#waits.values()) clearTimeout(timer)
    await Promise.all([this.#looking, this.settled()])
  }

  async settled(): Promise<void> {
    while (this.#fills.size > 0) await Promise.all([...this.#fills.values()].map(({ done }) => done))
  }

  passFor(job: GatedJob): Pass | undefined {
    const { limits = [] } = job.task
    const key = job.record.mark?.['unique']
    const serial = typeof key === 'string' ? [serialClaim(key)] : []
    if (limits.length + serial.length === 0) return undefined
    const claims = async () => {
      if (limits.length === 0) return serial
      return [...serial, ...claimsOf(limits, await job.task.bind(job.record.args, job.record.kwargs))]
    }
    return new LimitPass(job, claims, {
      ...this.#options,
      fill: (limit, leaving) => this.#fill(limit, leaving),
    })
  }

  /** Jobs that leave a limit while it is being filled are sent with the next call. Never rejects. */
  #fill(id: string, leaving: Leaving): Promise<void> {
    const under = this.#fills.get(id)
    if (under) {
      under.leaving ??= { places: [], jobs: [], isTimed: true }
      under.leaving.places.push(...leaving.places)
      under.leaving.jobs.push(...leaving.jobs)
      if (!leaving.isTimed) under.leaving.isTimed = false
      return under.done
    }
    const fill = { leaving: leaving as Leaving | undefined, done: Promise.resolve() }
    this.#fills.set(id, fill)
    fill.done = this.#fillAll(id, fill)
    return fill.done
  }

  async #fillAll(id: string, fill: { leaving: Leaving | undefined }): Promise<void> {
    const { log, records } = this.#options
    // Jobs that end in one turn leave together.
    await Promise.resolve()
    while (fill.leaving) {
      const { leaving } = fill
      fill.leaving = undefined
      try {
        this.#wait(id, await records.serve({ id, name: nameOfLimit(id) }, leaving), leaving)
      } catch (error) {
        log.error({ err: error }, `filling the limit '${id}' failed: its places are free when their leases end`)
      }
    }
    // In the same turn as the last look at what leaves, so that nothing leaves unseen.
    this.#fills.delete(id)
  }

  /** Fills a limit again when the next offer can be made. Of several workers that wait, the one that makes it waits on. */
  #wait(id: string, { againMs, offers }: Served, leaving: Leaving): void {
    if (againMs === undefined || againMs > LONGEST_WAIT_MS || this.#waits.has(id)) return
    if (this.#isStopped || (leaving.isTimed && offers === 0)) return
    const atMs = performance.now() + againMs
    const arm = () => {
      // Timers count from the start of their turn: they may be early.
      const leftMs = atMs - performance.now()
      if (leftMs > 0) return void this.#waits.set(id, setTimeout(arm, Math.ceil(leftMs)))
      this.#waits.delete(id)
      void this.#fill(id, { places: [], jobs: [], isTimed: true })
    }
    arm()
  }

  /** Looks at one page of limits after the other: those that no script can move stay, and hold up none behind them. */
  async #look(): Promise<void> {
    const { clock, log, records } = this.#options
    const endMs = performance.now() + LOOK_MS
    const seen = new Set<string>()
    let [ids, behind] = [[] as string[], 0]
    try {
      do {
        ids = await records.due(clock.now(), behind)
        const fresh = ids.filter((id) => !seen.has(id))
        behind += ids.length - fresh.length
        for (const id of fresh) seen.add(id)
        const fills = fresh.map((id) => this.#fill(id, { places: [], jobs: [] }))
        // One that Redis does not answer holds up no other: their keys may lie on several nodes.
        await within(Promise.all(fills), LOOK_MS)
      } while (ids.length >= MAX_DUE && performance.now() < endMs)
    } catch (error) {
      log.error({ err: error }, `looking for limits with free places failed, trying again in ${LOOK_MS} ms`)
    }
  }
}

/** The places of one job: created → asking → admitted or held → ended. */
class LimitPass implements Pass {
  readonly #job: GatedJob
  readonly #claims: () => Promise<LimitClaim[]>
  readonly #options: LimitGateOptions & { fill: (id: string, leaving: Leaving) => Promise<void> }
  #limits: readonly LimitClaim[] = []
  #phase: 'created' | 'admitted' | 'held' = 'created'

  constructor(
    job: GatedJob,
    claims: () => Promise<LimitClaim[]>,
    options: LimitGateOptions & { fill: (id: string, leaving: Leaving) => Promise<void> },
  ) {
    this.#job = job
    this.#claims = claims
    this.#options = options
  }

  get limitIds(): readonly string[] {
    return this.#phase === 'admitted' ? this.#limits.map(({ id }) => id) : []
  }

  async admit(): Promise<Verdict> {
    const { claim, record } = this.#job
    const { leaseMs, records } = this.#options
    this.#limits = await this.#claims()
    const turn = Math.min(claim.score, record.enqueueTimeMs)
    const { kind, waiting } = await records.admit(claim, this.#limits, { leaseMs, turn })
    for (const number of waiting) void this.#options.fill(this.#limits[number]!.id, { places: [], jobs: [] })
    if (kind === 'lost') return { kind: 'lost' }
    this.#phase = kind
    return kind === 'held' ? { kind: 'held' } : { kind: 'admit' }
  }

  async renew(untilMs: number, leaseMs: number): Promise<void> {
    if (this.#phase === 'admitted') await this.#options.records.renew(this.#job.claim, this.#limits, untilMs, leaseMs)
  }

  /** A job that ends without having been admitted, an aborted one say, may wait in a limit or be offered a place. */
  async end(): Promise<void> {
    const { claim } = this.#job
    if (this.#phase === 'held') return
    const isAdmitted = this.#phase === 'admitted'
    if (!isAdmitted && this.#limits.length === 0) this.#limits = await this.#claims().catch(() => [])
    const leaving = isAdmitted ? { places: [placeOf(claim)], jobs: [] } : { places: [], jobs: [claim] }
    await Promise.all(
      this.#limits.map(({ id }) => this.#options.fill(id, { places: [...leaving.places], jobs: [...leaving.jobs] })),
    )
  }
}
