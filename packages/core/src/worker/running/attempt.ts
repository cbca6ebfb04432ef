import { dueTimeOf } from '../../jobs/due-time.ts'
import type { Attempt } from '../../middleware/middleware.ts'
import { metadataIn } from '../../middleware/run-side.ts'
import type { HandlerRun } from './handler-run.ts'

/** A run as those who observe it see it. */
export function attemptOf({ claim, record, startedMs, task }: HandlerRun): Attempt {
  const { jobId, jobTry, queueName, score } = claim
  const { args, enqueueTimeMs, functionName, kwargs, mark } = record
  return {
    jobId,
    functionName,
    queueName,
    jobTry,
    isCron: task.isCron,
    args,
    kwargs,
    metadata: metadataIn(mark),
    enqueueTimeMs,
    dueMs: dueTimeOf(score, record),
    startedMs,
  }
}
