import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '@arq-ts/core'
import { asError } from '@arq-ts/protocol/errors'
import { askChecks } from './look-checks.ts'
import type { CheckFunction } from './look-checks.ts'
import { decide, endingFailed, fail } from './plan.ts'
import type { Plan } from './plan.ts'
import type { RequestCounts } from './requests.ts'
import type { Sessions } from './sessions.ts'
import { countStage, figuresOf } from './stage-counts.ts'
import { withLostTime } from './lost-time.ts'
import { isOver, newDecisions, sealed, shareOf } from './state.ts'
import type { DeploymentStore, DriverLock } from './store.ts'
import type { Deployment, Observed, QdrantView } from './types.ts'

/** Attempts of a call to Qdrant, one right after the other. */
const ATTEMPTS = 3
const ATTEMPT_PAUSE_MS = 100

/** The calls to Qdrant; `AliasManager` of @arq-ts/qdrant has them. */
export interface Aliases {
  getCollectionForAlias: (alias: string) => Promise<string | null>
  /** Moves the alias in one update. Moving it where it is changes nothing. */
  switchAlias: (alias: string, collection: string) => Promise<unknown>
  collectionExists: (collection: string) => Promise<boolean>
  /**
   * Qdrant's status of the collection (`green` when all is well) and its approximate number of points; null where there
   * is none. Left out: a new collection is ready when it exists.
   */
  collectionState?: (collection: string) => Promise<{ status: string; points: number } | null>
}

/** The outcome of a tick. */
export interface TickResult {
  /** Null where there is no such deployment. */
  deployment: Deployment | null
  /** True when another was at it, or took over: it may be dead, so look again. */
  isDriven: boolean
}

/** A state as it was read, and the time of that. */
interface Look {
  known: Deployment | null
  /** Unix ms. */
  nowMs: number
}

/** Dependencies of a driver. */
export interface DriverOptions {
  store: DeploymentStore
  counts: RequestCounts
  sessions: Sessions
  aliases: Aliases
  checks: Readonly<Record<string, CheckFunction>>
  /** A driver that is silent for this long is taken for dead; in ms. */
  lockMs: number
  /** Unix ms. */
  now: () => Promise<number>
  log?: Logger
}

/**
 * Drives deployments, a tick at a time: reads, looks, decides, acts, writes. One process at a time acts for a deployment;
 * what it does may be done again, so that one that dies anywhere is followed by another.
 */
export class Driver {
  readonly #store: DeploymentStore
  readonly #counts: RequestCounts
  readonly #sessions: Sessions
  readonly #aliases: Aliases
  readonly #checks: Readonly<Record<string, CheckFunction>>
  readonly #lockMs: number
  readonly #now: () => Promise<number>
  readonly #log: Logger | undefined

  constructor({ aliases, checks, counts, lockMs, log, now, sessions, store }: DriverOptions) {
    this.#store = store
    this.#counts = counts
    this.#sessions = sessions
    this.#aliases = aliases
    this.#checks = checks
    this.#lockMs = lockMs
    this.#now = now
    this.#log = log
  }

  /**
   * Does what is to be done now. `notify` is called with each state before it is replaced, and with the last one: it
   * enqueues what the state's outbox holds, however often it is called.
   *
   * @throws what Redis throws.
   */
  async tick(id: string, notify: (state: Deployment) => Promise<void>): Promise<TickResult> {
    // Sent behind the lock, in the same round trip: read once the lock is taken. A state that is older is not written.
    const locking = this.#store.lock(id, this.#lockMs)
    const looking = this.#look(id)
    looking.catch(() => {}) // thrown below
    const lock = await locking
    if (lock === null) return { deployment: (await looking).known, isDriven: true }
    const renewing = setInterval(() => void lock.isHeld().catch(() => {}), this.#lockMs / 3)
    try {
      return await this.#tick(id, await looking, lock, notify)
    } finally {
      clearInterval(renewing)
      await lock.release().catch(() => {}) // it lapses
    }
  }

  async #look(id: string): Promise<Look> {
    const [known, nowMs] = await Promise.all([this.#store.read(id), this.#now()])
    return { known, nowMs }
  }

  async #tick(
    id: string,
    first: Look,
    lock: DriverLock,
    notify: (state: Deployment) => Promise<void>,
  ): Promise<TickResult> {
    for (let look = first; ; look = await this.#look(id)) {
      const { known, nowMs } = look
      if (known !== null) await notify(known)
      if (known === null || isOver(known)) return { deployment: known, isDriven: false }
      const state = withLostTime(known, nowMs)
      const observed = await this.#observe(state, nowMs)
      const plan = await this.#carryOut(state, observed, nowMs, lock)
      if (plan === null) return { deployment: known, isDriven: true }
      const next = await this.#write(known, plan, observed, nowMs)
      if (next === null) continue // somebody paused it, say: look again
      for (const { decision } of newDecisions(known, next)) {
        this.#log?.info(`deployment ${next.id} of ${next.alias}: ${decision}`)
      }
      if (isOver(next)) await this.#sessions.forget(next.alias).catch(() => {}) // the next deployment begins with it
      // An ending that was just written down is begun at once.
      if (!isOver(next) && plan.againMs === 0) continue
      await notify(next)
      return { deployment: next, isDriven: false }
    }
  }

  /** Decides, and does what is to be done outside of the state. Null when the lock was lost: another drives. */
  async #carryOut(state: Deployment, observed: Observed, nowMs: number, lock: DriverLock): Promise<Plan | null> {
    const plan = decide(state, observed, nowMs)
    // Before the route is there, so that no session comes between.
    if (state.begunAtMs === null && plan.next.begunAtMs !== null) await this.#sessions.forget(state.alias)
    const { switchTo } = plan
    if (switchTo === null) return plan
    if (!(await lock.isHeld())) return null
    try {
      await patiently(() => this.#aliases.switchAlias(state.alias, switchTo))
      return plan
    } catch (error) {
      this.#log?.warn({ err: error }, `deployment ${state.id}: its ${state.ending} failed, trying again`)
      return endingFailed(state, (error as Error).message, nowMs)
    }
  }

  /** The state that was written; null when it had changed meanwhile. */
  async #write(state: Deployment, plan: Plan, observed: Observed, nowMs: number): Promise<Deployment | null> {
    const final = isOver(plan.next) ? figuresOf(observed.minutes) : null
    const next = sealed(state, { ...plan.next, final }, nowMs + plan.againMs)
    const written = await this.#store.write(state, next, plan.events, nowMs)
    if (written === 'changed') return null
    if (written !== 'written') {
      const lost = fail(state, `alias ${state.alias} has another deployment under way: ${written.takenBy}`, nowMs)
      return this.#write(state, lost, observed, nowMs) // what is over needs no claim
    }
    const share = shareOf(next)
    if (share !== null && share > (shareOf(state) ?? 0)) await this.#release(next, share)
    return next
  }

  /** After the new share is written: a session that is made in between is made by the new share. */
  async #release({ alias, id, newCollection }: Deployment, percentage: number): Promise<void> {
    await this.#sessions.release({ alias, newCollection, percentage }).catch((error: unknown) => {
      this.#log?.warn({ err: error }, `deployment ${id}: sessions of Python's routers could not be released`)
    })
  }

  async #observe(state: Deployment, nowMs: number): Promise<Observed> {
    const isWatched = state.stageStartedAtMs !== null && state.ending === null && state.status === 'running'
    const [qdrant, counted, checks] = await Promise.all([
      this.#ask(state).catch((error: unknown) => {
        this.#log?.warn({ err: error }, `deployment ${state.id}: Qdrant does not answer`)
        return asError(error)
      }),
      countStage(this.#counts, state, nowMs),
      isWatched ? askChecks(state, shareOf(state) ?? 0, this.#checks) : [],
    ])
    return { qdrant, checks, ...counted }
  }

  async #ask({ alias, newCollection }: Deployment): Promise<QdrantView> {
    const [aliasCollection, newCollectionExists] = await Promise.all([
      patiently(() => this.#aliases.getCollectionForAlias(alias)),
      patiently(() => this.#aliases.collectionExists(newCollection)),
    ])
    return { aliasCollection, newCollectionExists }
  }
}

async function patiently<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call()
    } catch (error) {
      if (attempt === ATTEMPTS) throw error
      await sleep(ATTEMPT_PAUSE_MS)
    }
  }
}
