import { decodeResult, encodeJob } from '@arq-ts/protocol/jobs'
import { JobFailedError, ResultNotFoundError } from '../errors.ts'
import type { RedisContext } from '../redis/context.ts'

/**
 * @internal Puts a failed job back into its queue with its tries counted anew. `isQueued` answers for a job that is
 * neither a dead letter nor has a kept result.
 */
export async function retryJob(
  link: RedisContext,
  jobId: string,
  delayMs: number,
  isQueued: () => Promise<boolean>,
): Promise<boolean> {
  const { deadLetters: letters, jobs, expiresExtraMs } = link
  const delay = Math.round(delayMs)
  const dead = await letters.read(jobId)
  if (dead) {
    if (!dead.payload?.length || dead.queueName === null) {
      throw new JobFailedError(`the payload of dead letter ${jobId} is gone; enqueue the job anew`)
    }
    return letters.replay(jobId, dead.queueName, dead.payload, delay, expiresExtraMs)
  }
  const { result } = await jobs.readResult(jobId, '')
  if (!result && (await isQueued())) return false
  if (!result) throw new ResultNotFoundError(`job ${jobId} is no dead letter and has no kept result; enqueue it anew`)
  const { record, codec } = decodeResult(result, link.limits)
  if (record.success) throw new JobFailedError(`job ${jobId} succeeded; enqueue it anew to run it again`)
  const payload = encodeJob({ ...record, jobTry: null }, codec, link.limits)
  return letters.replay(jobId, record.queueName, payload, delay, expiresExtraMs)
}
