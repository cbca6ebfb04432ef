import type { JobRecords } from '../../redis/jobs.ts'
import { isTracing, traceRun } from '../../telemetry/tracing.ts'
import type { HandlerRun } from './handler-run.ts'

/** Calls the handler within a span where an OpenTelemetry SDK is set up; else just calls it. */
export function tracedRun(jobRecords: JobRecords, run: HandlerRun, call: () => unknown): unknown {
  return isTracing() ? withSpan(jobRecords, run, call) : call()
}

async function withSpan(jobRecords: JobRecords, run: HandlerRun, call: () => unknown): Promise<unknown> {
  const { jobId, queueName } = run.claim
  // A trace without its beginning is better than no run.
  const carrier = await jobRecords.readTrace(jobId).catch(() => ({}))
  const job = { jobId, queueName, functionName: run.task.name, jobTry: run.claim.jobTry }
  return traceRun(job, carrier, async () => call())
}
