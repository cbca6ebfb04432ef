import type { PayloadLimits } from '@arq-ts/protocol'
import { encodeResult } from '@arq-ts/protocol/jobs'
import type { CodecName, Ending, ResultRecord } from '@arq-ts/protocol/jobs'
import * as lines from '../../logging/log-lines.ts'
import type { Logger } from '../../logging/logger.ts'
import type { EndedJob } from './reporter.ts'

/** The record of a job that has ended for good. */
export function resultOf(job: EndedJob, ending: Extract<Ending, { kind: 'finish' }>): ResultRecord {
  const { claim, record } = job
  // Spelled out: a spread costs as much as all the rest of a settlement.
  return {
    functionName: record.functionName,
    args: record.args,
    kwargs: record.kwargs,
    enqueueTimeMs: record.enqueueTimeMs,
    jobTry: job.jobTry,
    success: ending.success,
    result: ending.success ? ending.value : ending.error,
    startTimeMs: job.startedMs,
    finishTimeMs: job.finishedMs,
    queueName: claim.queueName,
    jobId: claim.jobId,
  }
}

/**
 * Encodes a result in the codec of its job. As in arq, a result that cannot be written becomes a failure that says so.
 * Returns null when not even that can be written: no result is stored then.
 */
export function encodeOutcome(
  result: ResultRecord,
  codec: CodecName,
  payload: Uint8Array | undefined,
  limits: PayloadLimits,
  isCron: boolean,
  log: Logger,
): Uint8Array | null {
  const { functionName, jobId } = result
  try {
    return encodeResult(result, codec, payload, limits)
  } catch (error) {
    // A value may throw anything when it is read; the job has ended all the same.
    log.warn({ err: error, jobId }, lines.unserializable(lines.jobRef(jobId, functionName, isCron)))
  }
  try {
    return encodeResult({ ...result, success: false, result: 'unable to serialize result' }, codec, payload, limits)
  } catch (error) {
    log.fatal({ err: error, jobId }, lines.unserializable(lines.jobRef(jobId, functionName, isCron), true))
    return null
  }
}
