import type { Keys } from '@arq-ts/protocol/jobs'
import type { Call, Calls } from './calls.ts'

/** Number of flows in one sample of the list, to find those that have expired. */
const SWEEP_PAGE = 20

/** Flows that have not ended, and the lease of the worker that looks after them. */
export class FlowWatch {
  readonly #calls: Calls
  readonly #keys: Keys

  constructor(calls: Calls, keys: Keys) {
    this.#calls = calls
    this.#keys = keys
  }

  /** True while a flow is in progress. */
  async isNeeded(): Promise<boolean> {
    const [count] = await this.#calls.pipeline([['exists', this.#keys.flowWatch]])
    return count === 1
  }

  /** Flows that have not ended. */
  async flows(): Promise<string[]> {
    const [ids] = (await this.#calls.pipeline([['zrange', this.#keys.flowWatch, 0, -1]])) as [string[]]
    return ids
  }

  /** Removes a flow whose keys are gone from the watch. */
  async remove(flowId: string): Promise<void> {
    await this.#calls.pipeline([['zrem', this.#keys.flowWatch, flowId]])
  }

  /** Takes or renews the lease of the conductor; false where another worker has it, which costs one command. */
  async lead(workerId: string, leaseMs: number): Promise<boolean> {
    const key = this.#keys.flowConductor
    const [holder] = (await this.#calls.pipeline([['get', key]])) as [string | null]
    if (holder !== null && holder !== workerId) return false
    const options = holder === null ? ['NX'] : []
    const [taken] = await this.#calls.pipeline([['set', key, workerId, 'PX', leaseMs, ...options]])
    return taken === 'OK'
  }

  /** Releases the lease of the conductor. */
  async resign(workerId: string): Promise<void> {
    const [holder] = (await this.#calls.pipeline([['get', this.#keys.flowConductor]])) as [string | null]
    if (holder === workerId) await this.#calls.pipeline([['del', this.#keys.flowConductor]])
  }

  /** Removes expired flows from the list: checks one sample, and another while many of a sample have expired. */
  async sweep(): Promise<void> {
    const { flows } = this.#keys
    for (let gone = SWEEP_PAGE; gone > SWEEP_PAGE / 4;) {
      const [ids] = (await this.#calls.pipeline([['zrandmember', flows, SWEEP_PAGE]])) as [string[]]
      const found = await this.#calls.pipeline(ids.map((id): Call => ['exists', this.#keys.flow(id)]))
      const past = ids.filter((_, i) => found[i] === 0)
      if (past.length > 0) await this.#calls.pipeline([['zrem', flows, ...past]])
      gone = past.length
    }
  }
}
