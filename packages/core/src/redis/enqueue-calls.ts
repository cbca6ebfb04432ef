import type { Keys } from '@arq-ts/protocol/jobs'
import { BatchGroups } from './batch-groups.ts'
import type { EnqueueCall } from './broker-calls.ts'
import type { ScriptValue } from './scripts.ts'

/** First argument of a script that recognizes repeated calls, for a call that may have been received before. */
export const RESENT = '1'
/** First argument of the first attempt of an enqueue whose ids were all drawn for it. */
const FRESH = '2'
/** Time a worker has to take a job that is handed to it, in ms. */
const HAND_OFF_MS = 1_000
/** Most jobs and payload bytes of one hand-off: more of them are work for several workers. */
const MAX_HANDED = 16
const MAX_HANDED_BYTES = 16_384

/** Keys and arguments of one call of a script. */
export interface ScriptCall {
  keys: string[]
  args: ScriptValue[]
}

/** The call of `enqueue.lua` for these jobs. */
export function enqueueCall(
  keys: Keys,
  calls: readonly EnqueueCall[],
  expiresExtraMs: number,
  resent: boolean,
): ScriptCall {
  const groups = new BatchGroups()
  const queues: string[] = []
  const jobKeys: string[] = []
  const jobs: ScriptValue[] = []
  let areFresh = true
  for (const { jobId, isFreshId, queueName, due, expiresMs, payload } of calls) {
    const isAt = 'at' in due
    const when = Math.round(isAt ? due.at : due.in)
    const expires = expiresMs === undefined ? '' : Math.round(expiresMs)
    const group = groups.numberOf(isAt ? 'at' : 'in', when, expires, keys.wakeChannel(queueName))
    if (group > queues.length) queues.push(keys.queue(queueName))
    jobKeys.push(keys.job(jobId), keys.result(jobId))
    jobs.push(jobId, group, payload)
    areFresh &&= isFreshId === true
  }
  const first = resent ? RESENT : areFresh ? FRESH : '0'
  const args = [first, expiresExtraMs, groups.count, ...groups.args, ...jobs]
  return { keys: [...queues, ...jobKeys, keys.abort], args }
}

/** True for a few small jobs of one queue that are due now, under ids that were drawn for them: those may be handed over. */
export function suitsHandOff(calls: readonly EnqueueCall[]): boolean {
  if (calls.length > MAX_HANDED) return false
  const { queueName } = calls[0]!
  let bytes = 0
  for (const call of calls) {
    const isDueNow = 'in' in call.due && call.due.in === 0
    if (!call.isFreshId || !isDueNow || call.expiresMs !== undefined || call.queueName !== queueName) return false
    bytes += call.payload.byteLength
  }
  return bytes <= MAX_HANDED_BYTES
}

/** The call of `hand-off.lua` for jobs that suit it. */
export function handOffCall(keys: Keys, calls: readonly EnqueueCall[], expiresExtraMs: number): ScriptCall {
  const { jobId: first, payload: its, queueName } = calls[0]!
  // Mostly one job. Lists that are written out have no room to spare, for which growing ones take hundreds of bytes.
  const call: ScriptCall = {
    keys: [keys.queue(queueName), keys.waiting(queueName), keys.job(first), keys.inProgress(first)],
    args: [expiresExtraMs, HAND_OFF_MS, keys.wakeChannel(queueName), first, its],
  }
  for (let i = 1; i < calls.length; i++) {
    const { jobId, payload } = calls[i]!
    call.keys.push(keys.job(jobId), keys.inProgress(jobId))
    call.args.push(jobId, payload)
  }
  return call
}
