import { createHash } from 'node:crypto'
import { isMarkedResult } from '@arq-ts/protocol/jobs'
import type { Keys } from '@arq-ts/protocol/jobs'
import type { Calls } from './calls.ts'
import { intact } from './damage.ts'

/** Keys that one step of a scan looks at. */
const SCAN_STEP = 500
/** Bytes at the end of a result that distinguish it from the one before: its finish time, queue and id. */
const TAIL_BYTES = 256
/** Results beyond this many bytes are not read: what they took is not worth the traffic. */
const MAX_BYTES = 1_048_576
/** Results whose ends are remembered, so that what was read is not read again. */
const MAX_KNOWN = 100_000

/** Kept results that no arq-ts worker wrote, found a step of a scan at a time. */
export class ForeignResults {
  readonly #calls: Calls
  readonly #keys: Keys
  readonly #known = new Map<string, string>()

  constructor(calls: Calls, keys: Keys) {
    this.#calls = calls
    this.#keys = keys
  }

  /** One step of a scan over the database: null begins, and a null cursor is the end. */
  async step(cursor: string | null): Promise<{ jobIds: string[]; cursor: string | null }> {
    const prefix = this.#keys.result('')
    const step = await this.#calls.scanStep(prefix, cursor, SCAN_STEP)
    return { jobIds: step.keys.map((key) => key.slice(prefix.length)), cursor: step.cursor }
  }

  /** Results among these that no arq-ts worker wrote and that were not read before: two commands each, one for others. */
  async read(jobIds: readonly string[]): Promise<{ jobId: string; result: Buffer }[]> {
    const keys = jobIds.map((jobId) => this.#keys.result(jobId))
    const tails = await this.#calls.attempt(keys.map((key) => ['getrangeBuffer', key, -TAIL_BYTES, -1]))
    const fresh = jobIds.flatMap((jobId, i) => {
      const tail = intact<Buffer>(tails[i], Buffer.alloc(0))
      if (tail.length === 0 || isMarkedResult(tail)) return []
      const end = createHash('sha256').update(tail).digest('base64url').slice(0, 16)
      return this.#known.get(jobId) === end ? [] : [{ jobId, end, key: keys[i]! }]
    })
    const results = await this.#calls.attempt(fresh.map(({ key }) => ['getrangeBuffer', key, 0, MAX_BYTES]))
    if (this.#known.size + fresh.length > MAX_KNOWN) this.#known.clear()
    return fresh.flatMap(({ jobId, end }, i) => {
      const result = intact<Buffer>(results[i], Buffer.alloc(0))
      this.#known.set(jobId, end)
      return result.length > 0 && result.length <= MAX_BYTES ? [{ jobId, result }] : []
    })
  }

  /** Forgets what was read: it was not counted after all. */
  forget(): void {
    this.#known.clear()
  }

  /** For each of these sets and members, true where the set has the member. */
  async counted(members: readonly { key: string; member: string }[]): Promise<boolean[]> {
    const replies = await this.#calls.attempt(members.map(({ key, member }) => ['sismember', key, member]))
    return replies.map((reply) => reply === 1)
  }

  /** Takes the lease of the collector; false where somebody else has it. A key without an expiry is no lease. */
  async takeLease(token: string, leaseMs: number): Promise<boolean> {
    const key = this.#keys.obsCollector
    const [taken, ttlMs] = await this.#calls.attempt([
      ['set', key, token, 'PX', leaseMs, 'NX'],
      ['pttl', key],
    ])
    if (taken === 'OK') return true
    if (ttlMs !== -1) return false
    await this.#calls.pipeline([['unlink', key]])
    return false
  }
}
