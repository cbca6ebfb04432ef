/**
 * Sessions of users, in the Python application's keys: `canary:sticky:<alias>:<user>`, for a day.
 *
 * A user's bucket never changes, so while the share grows a user moves at most once, from old to new. A session is there
 * for two reasons: it keeps a user with the new collection when the share shrinks, and Python's router obeys it. Python
 * honours a session by its collection alone, so one that says "old" would hold a user there at any share. Where our router
 * meets such a session it moves it; for fleets in which only Python routes, the driver removes those that the new share
 * covers whenever a stage begins, and Python decides these users anew by the same rule.
 */
import { createHash } from 'node:crypto'
import type { Cluster, Redis } from 'ioredis'
import { z } from 'zod'
import { checkArguments } from './arguments.ts'
import type { Keys } from './keys.ts'

const aString = z.string('Expected a string')
const bucketSchema = z.strictObject({ alias: aString, caller: aString })
export const SESSION_S = 86_400
const SCANNED = 1_000

/**
 * The percentile of a caller, 0 to 99: the first 8 hex digits of md5 of `alias:caller`, as in Python.
 *
 * @throws ArgumentsError
 */
export function bucketOf(alias: string, caller: string): number {
  if (typeof alias !== 'string' || typeof caller !== 'string')
    checkArguments('bucketOf', bucketSchema, { alias, caller })
  return Number.parseInt(createHash('md5').update(`${alias}:${caller}`).digest('hex').slice(0, 8), 16) % 100
}

/** A session as the Python application keeps it. */
export function sessionText(collection: string, deploymentId: string, nowMs: number): string {
  return JSON.stringify({ collection, deployment_id: deploymentId, created_at: nowMs / 1_000 })
}

/** The collection of a session; null for one of another deployment, or that nobody can read. */
export function sessionCollection(
  text: string | null,
  route: { deployment_id: string; old_collection: string; new_collection: string },
): string | null {
  if (text === null) return null
  try {
    const { collection, deployment_id } = JSON.parse(text) as { collection?: unknown; deployment_id?: unknown }
    if (deployment_id !== route.deployment_id) return null
    return collection === route.old_collection || collection === route.new_collection ? collection : null
  } catch {
    return null
  }
}

/** Sessions as the driver handles them: many at once. */
export class Sessions {
  readonly #redis: Redis | Cluster
  readonly #keys: Keys

  constructor(redis: Redis | Cluster, keys: Keys) {
    this.#redis = redis
    this.#keys = keys
  }

  /** Removes every session of an alias: a deployment begins and ends without any. */
  async forget(alias: string): Promise<void> {
    await this.#each(alias, async (names) => {
      await this.#redis.unlink(...names)
    })
  }

  /** Removes sessions at the old collection of users that a share of `percentage` covers. Running it again does no harm. */
  async release(route: { alias: string; newCollection: string; percentage: number }): Promise<void> {
    const { alias, newCollection, percentage } = route
    const prefix = this.#keys.sticky(alias, '')
    await this.#each(alias, async (names) => {
      const covered = names.filter((name) => bucketOf(alias, name.slice(prefix.length)) < percentage)
      if (covered.length === 0) return
      const sessions = await this.#redis.mget(covered)
      const held = covered.filter((_, i) => !saysNew(sessions[i] ?? null, newCollection))
      if (held.length > 0) await this.#redis.unlink(...held)
    })
  }

  async #each(alias: string, handle: (names: string[]) => Promise<void>): Promise<void> {
    // Recognized by its members: core's bundle has a copy of ioredis, whose classes are its own.
    const nodes = 'nodes' in this.#redis ? this.#redis.nodes('master') : [this.#redis]
    const pattern = `${this.#keys.sticky(alias, '').replace(/[[\]*?\\]/g, String.raw`\$&`)}*`
    for (const node of nodes) {
      let cursor = '0'
      do {
        const [next, found] = await node.scan(cursor, 'MATCH', pattern, 'COUNT', SCANNED)
        if (found.length > 0) await handle(found)
        cursor = next
      } while (cursor !== '0')
    }
  }
}

function saysNew(session: string | null, newCollection: string): boolean {
  try {
    return (JSON.parse(session ?? 'null') as { collection?: unknown } | null)?.collection === newCollection
  } catch {
    return false
  }
}
