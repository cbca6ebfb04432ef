import type { QdrantClient, Schemas } from '@qdrant/js-client-rest'
import { ask, QdrantError } from './qdrant.ts'

/**
 * The name of a snapshot of a collection made since a time; one is made, and waited for, where there is none: a try that
 * was cut short after its snapshot leaves it to the next.
 *
 * @returns null where there is no such collection.
 * @throws QdrantError when Qdrant refuses, fails, or needs longer than the client waits: then nothing may be deleted.
 */
export async function snapshotOf(
  qdrant: QdrantClient,
  what: string,
  collection: string,
  sinceMs: number,
): Promise<string | null> {
  const { collections } = await ask(what, () => qdrant.getCollections())
  if (!collections.some(({ name }) => name === collection)) return null
  const before = await ask(what, () => qdrant.listSnapshots(collection))
  const made = before.find((snapshot) => createdAtMs(snapshot) >= Math.floor(sinceMs / 1_000) * 1_000)
  if (made) return made.name
  const snapshot = await ask(`${what}: snapshot`, () => qdrant.createSnapshot(collection, { wait: true }))
  if (!snapshot) throw new QdrantError(`${what}: snapshot`, new NotMade('the snapshot is accepted, and not made yet'))
  return snapshot.name
}

/** Qdrant's answer to a call that it has not carried out yet. */
class NotMade extends Error {
  readonly status = 202
}

/** Qdrant gives UTC, in whole seconds and without a mark of it. */
function createdAtMs({ creation_time }: Schemas['SnapshotDescription']): number {
  if (!creation_time) return -Infinity
  return Date.parse(/Z|[+-]\d\d:?\d\d$/.test(creation_time) ? creation_time : `${creation_time}Z`)
}
