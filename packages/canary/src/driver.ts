import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '@arq-ts/core'
import type { CanaryRouter } from './router.ts'
import type { DeploymentStore, DriverLock } from './store.ts'
import { decide, endingFailed, isOver } from './plan.ts'
import type { Plan } from './plan.ts'
import type { Action, Deployment, Observed } from './types.ts'

/** A driver that tells nothing for so long is taken for dead. */
const LOCK_MS = 5_000
/** Whoever finds a driver at work comes back: that one may be dead. */
const DRIVEN_MS = 2_000
/** A call of Qdrant that fails is made again at once, so often. */
const ATTEMPTS = 3
const ATTEMPT_PAUSE_MS = 100

/** What is asked of Qdrant; `AliasManager` of @arq-ts/qdrant has it. */
export interface Aliases {
  getCollectionForAlias: (alias: string) => Promise<string | null>
  /** Moves the alias in one update. Moving it where it is changes nothing. */
  switchAlias: (alias: string, collection: string) => Promise<unknown>
  collectionExists: (collection: string) => Promise<boolean>
}

/** What came of a tick. */
export interface Ticked {
  /** Null where there is no such deployment. */
  deployment: Deployment | null
  /** When to tick again, in ms; null for never. */
  againMs: number | null
  /** True when another was at it. */
  isDriven: boolean
}

/**
 * Drives deployments, a tick at a time: reads, looks, decides, acts, writes. One process at a time acts for a deployment;
 * what it does may be done again, so that one that dies anywhere is followed by another.
 */
export class Driver {
  readonly #store: DeploymentStore
  readonly #router: CanaryRouter
  readonly #aliases: Aliases
  readonly #now: () => Promise<number>
  readonly #log: Logger | undefined

  constructor(options: {
    store: DeploymentStore
    router: CanaryRouter
    aliases: Aliases
    /** Unix ms. */
    now: () => Promise<number>
    log?: Logger
  }) {
    this.#store = options.store
    this.#router = options.router
    this.#aliases = options.aliases
    this.#now = options.now
    this.#log = options.log
  }

  /** Does what is to be done now. @throws what Qdrant or Redis throws, unless an ending is under way: that is tried again. */
  async tick(id: string): Promise<Ticked> {
    const lock = await this.#store.lock(id, LOCK_MS)
    if (lock === null) {
      const deployment = await this.#store.read(id)
      const isOpen = deployment !== null && !isOver(deployment)
      return { deployment, againMs: isOpen ? DRIVEN_MS : null, isDriven: true }
    }
    const renewing = setInterval(() => void lock.isHeld().catch(() => {}), LOCK_MS / 3)
    try {
      return { ...(await this.#tick(id, lock)), isDriven: false }
    } finally {
      clearInterval(renewing)
      await lock.release().catch(() => {}) // it lapses by itself
    }
  }

  async #tick(id: string, lock: DriverLock): Promise<Omit<Ticked, 'isDriven'>> {
    for (;;) {
      const state = await this.#store.read(id)
      if (state === null || isOver(state)) return { deployment: state, againMs: null }
      const nowMs = await this.#now()
      const plan = await this.#carryOut(state, nowMs, lock)
      if (plan === null) return { deployment: state, againMs: DRIVEN_MS }
      const next = { ...plan.next, tick: state.tick + 1, nextTickAtMs: nowMs + (plan.againMs ?? 0) }
      if (!(await this.#store.write(state, next, plan.events, nowMs))) continue // somebody paused it, say: look again
      this.#tell(state, next)
      // An ending that was just written down is begun at once.
      if (plan.againMs !== 0 || isOver(next)) return { deployment: next, againMs: plan.againMs }
    }
  }

  /** Null when the lock was lost: another drives. */
  async #carryOut(state: Deployment, nowMs: number, lock: DriverLock): Promise<Plan | null> {
    try {
      const plan = decide(state, await this.#observe(state), nowMs)
      for (const action of plan.actions) {
        if (!(await lock.isHeld())) return null
        await this.#act(state, action)
      }
      return plan
    } catch (error) {
      if (state.ending === null) throw error
      this.#log?.warn({ err: error }, `deployment ${state.id}: its ${state.ending} failed, trying again`)
      return endingFailed(state, (error as Error).message, nowMs)
    }
  }

  async #observe(state: Deployment): Promise<Observed> {
    const { alias, id, newCollection, oldCollection, stageStartedAtMs } = state
    const [aliasCollection, newCollectionExists, newMetrics, oldMetrics] = await Promise.all([
      patiently(() => this.#aliases.getCollectionForAlias(alias)),
      patiently(() => this.#aliases.collectionExists(newCollection)),
      this.#router.metrics(id, newCollection, stageStartedAtMs),
      this.#router.metrics(id, oldCollection, stageStartedAtMs),
    ])
    return { aliasCollection, newCollectionExists, newMetrics, oldMetrics }
  }

  async #act(state: Deployment, action: Action): Promise<void> {
    const { alias, id, newCollection, oldCollection } = state
    if (action.kind === 'switch') await patiently(() => this.#aliases.switchAlias(alias, action.collection))
    else if (action.kind === 'unroute') await this.#router.removeRoute(alias, id)
    else {
      const { percentage } = action
      const route = { deployment_id: id, alias, old_collection: oldCollection, new_collection: newCollection }
      await this.#router.setRoute({ ...route, percentage, status: 'running' })
    }
  }

  #tell(before: Deployment, after: Deployment): void {
    for (const { decision } of after.decisions.slice(before.decisions.length)) {
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
