/** Where a user was sent stays so for a day, and no longer than the deployment: `canary:sticky:<alias>:<user>`. */
import { Cluster } from 'ioredis'
import type { Redis } from 'ioredis'
import type { Keys } from './keys.ts'

export const SESSION_S = 86_400
const SCANNED = 1_000

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

/** Removes every session of an alias. Python's router honours one by its collection alone, whichever deployment it is of. */
export async function forgetSessions(redis: Redis | Cluster, keys: Keys, alias: string): Promise<void> {
  const nodes = redis instanceof Cluster ? redis.nodes('master') : [redis]
  const pattern = `${keys.sticky(alias, '').replace(/[[\]*?\\]/g, String.raw`\$&`)}*`
  for (const node of nodes) {
    let cursor = '0'
    do {
      const [next, found] = await node.scan(cursor, 'MATCH', pattern, 'COUNT', SCANNED)
      if (found.length > 0) await redis.unlink(...found)
      cursor = next
    } while (cursor !== '0')
  }
}
