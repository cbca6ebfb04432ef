import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '@arq-ts/core'
import { decide, endingFailed, fail, isOver } from './plan.ts'
import type { Plan } from './plan.ts'
import type { RequestCounts } from './requests.ts'
import { countStage } from './stage-counts.ts'
import type { DeploymentStore, DriverLock } from './store.ts'
import type { Deployment, Observed, QdrantView } from './types.ts'

/** A driver that tells nothing for so long is taken for dead. */
const LOCK_MS = 5_000
/** A call of Qdrant that fails is made again at once, so often. */
const ATTEMPTS = 3
const ATTEMPT_PAUSE_MS = 100

/** What is asked of Qdrant; `AliasManager` of @arq-ts/qdrant has it. */
export interface Aliases {
  getCollectionForAlias: (alias: string) => Promise<string | null>
  /** Moves the alias in one update. Moving it where it is changes nothing. */
  switchAlias: (alias: string, collection: string) => Promise<unknown>
  collectionExists: (collection: string) => Promise<boolean>
  /**
   * Qdrant's word for how the collection is (`green` when all is well) and about how many points it has; null where there
   * is none. Left out: a new collection is ready when it exists.
   */
  collectionState?: (collection: string) => Promise<{ status: string; points: number } | null>
}

/** What came of a tick. */
export interface Ticked {
  /** Null where there is no such deployment. */
  deployment: Deployment | null
  /** True when another was at it, or took over: it may be dead, so look again. */
  isDriven: boolean
}

/**
 * Drives deployments, a tick at a time: reads, looks, decides, acts, writes. One process at a time acts for a deployment;
 * what it does may be done again, so that one that dies anywhere is followed by another.
 */
export class Driver {
  readonly #store: DeploymentStore
  readonly #counts: RequestCounts
  readonly #aliases: Aliases
  readonly #now: () => Promise<number>
  readonly #log: Logger | undefined

  constructor(options: {
    store: DeploymentStore
    counts: RequestCounts
    aliases: Aliases
    /** Unix ms. */
    now: () => Promise<number>
    log?: Logger
  }) {
    this.#store = options.store
    this.#counts = options.counts
    this.#aliases = options.aliases
    this.#now = options.now
    this.#log = options.log
  }

  /** Does what is to be done now. @throws what Redis throws. */
  async tick(id: string): Promise<Ticked> {
    const lock = await this.#store.lock(id, LOCK_MS)
    if (lock === null) return { deployment: await this.#store.read(id), isDriven: true }
    const renewing = setInterval(() => void lock.isHeld().catch(() => {}), LOCK_MS / 3)
    try {
      return await this.#tick(id, lock)
    } finally {
      clearInterval(renewing)
      await lock.release().catch(() => {}) // it lapses by itself
    }
  }

  async #tick(id: string, lock: DriverLock): Promise<Ticked> {
    for (;;) {
      const state = await this.#store.read(id)
      if (state === null || isOver(state)) return { deployment: state, isDriven: false }
      const nowMs = await this.#now()
      const plan = await this.#carryOut(state, nowMs, lock)
      if (plan === null) return { deployment: state, isDriven: true }
      const next = await this.#write(state, plan, nowMs)
      if (next === null) continue // somebody paused it, say: look again
      this.#tell(state, next)
      if (isOver(next)) {
        await this.#store.forgetSessions(next.alias).catch(() => {}) // the next deployment begins with it
        return { deployment: next, isDriven: false }
      }
      // An ending that was just written down is begun at once.
      if (plan.againMs > 0) return { deployment: next, isDriven: false }
    }
  }

  /** Decides, and does what is to be done outside of Redis. Null when the lock was lost: another drives. */
  async #carryOut(state: Deployment, nowMs: number, lock: DriverLock): Promise<Plan | null> {
    const plan = decide(state, await this.#observe(state, nowMs), nowMs)
    // Before the route is there, so that no session comes between.
    if (state.begunAtMs === null && plan.next.begunAtMs !== null) await this.#store.forgetSessions(state.alias)
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

  /** What was written; null when the state had changed meanwhile. */
  async #write(state: Deployment, plan: Plan, nowMs: number): Promise<Deployment | null> {
    const next = { ...plan.next, tick: state.tick + 1, nextTickAtMs: nowMs + plan.againMs }
    const written = await this.#store.write(state, next, plan.events, nowMs)
    if (written === 'written') return next
    if (written === 'changed') return null
    const lost = fail(state, `alias ${state.alias} has another deployment under way: ${written.takenBy}`, nowMs)
    return this.#write(state, lost, nowMs) // what is over needs no claim
  }

  async #observe(state: Deployment, nowMs: number): Promise<Observed> {
    const [qdrant, counted] = await Promise.all([
      this.#ask(state).catch((error: unknown) => {
        this.#log?.warn({ err: error }, `deployment ${state.id}: Qdrant does not answer`)
        return error instanceof Error ? error : new Error(String(error))
      }),
      countStage(this.#counts, state, nowMs),
    ])
    return { qdrant, ...counted }
  }

  async #ask({ alias, newCollection }: Deployment): Promise<QdrantView> {
    const [aliasCollection, newCollectionExists] = await Promise.all([
      patiently(() => this.#aliases.getCollectionForAlias(alias)),
      patiently(() => this.#aliases.collectionExists(newCollection)),
    ])
    return { aliasCollection, newCollectionExists }
  }

  #tell(before: Deployment, after: Deployment): void {
    const isNew = (decision: Deployment['decisions'][number]) => !before.decisions.includes(decision)
    for (const { decision } of after.decisions.filter(isNew)) {
      this.#log?.info(`deployment ${after.id} of ${after.alias}: ${decision}`)
    }
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
