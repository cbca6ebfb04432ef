import { marksAt, since, summarise } from './metrics.ts'
import type { RequestCounts } from './requests.ts'
import type { Bucket, Deployment, Observed } from './types.ts'

/** What each collection was counted for in the current stage, and how far the counts are by now. */
export async function countStage(
  counts: RequestCounts,
  state: Deployment,
  nowMs: number,
): Promise<Omit<Observed, 'qdrant'>> {
  const { id, newCollection, oldCollection, stageMarks, stageStartedAtMs } = state
  // With a minute on either side: the clocks of those who count may differ from Redis's.
  const read = (collection: string): Promise<Bucket[]> =>
    counts.read(id, collection, (stageStartedAtMs ?? nowMs) - 60_000, nowMs + 60_000)
  const [newBuckets, oldBuckets] = await Promise.all([read(newCollection), read(oldCollection)])
  return {
    newMetrics: summarise(since(newBuckets, stageMarks.new)),
    oldMetrics: summarise(since(oldBuckets, stageMarks.old)),
    marks: { new: marksAt(newBuckets, nowMs), old: marksAt(oldBuckets, nowMs) },
  }
}
