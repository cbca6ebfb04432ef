import { encodeJob, encodeResult } from '@arq-ts/protocol/jobs'
import { RemoteError } from '@arq-ts/protocol/errors'
import { pythonBytes } from './python-bytes.ts'
import type { PythonFields } from './python-bytes.ts'
import type { PlannedJob } from './shape.ts'

/** Bytes that begin as a pickle does, and end too soon. */
const TORN = Buffer.from('80049549000000', 'hex')

/** Exceptions as arq-ts writes them for Python: their type, and what it was made with. */
const CANCELLED = ['asyncio.exceptions.CancelledError', []] as const
const VALUE_ERROR = ['builtins.ValueError', ['no good', 7]] as const

/** Text of the error that ended a failed or dead job. */
export const ERROR = 'ValueError: no good'

/** The payload of a job as its language writes it; null where it is gone. */
export function payloadOf(job: PlannedJob): Buffer | null {
  if (job.damage === 'no payload') return null
  if (job.damage === 'undecodable payload') return TORN
  const { call, codec, enqueuedMs, language } = job
  if (language === 'python') return pythonBytes(call.functionName, 'job', fieldsOf(job))
  return encodeJob({ jobTry: null, ...call, enqueueTimeMs: enqueuedMs }, codec)
}

/** The result of a job that has ended, in the codec its payload came in. */
export function resultOf(job: PlannedJob): Buffer {
  const { call, codec, enqueuedMs, jobId, language, queueName, startedMs, state, tries } = job
  if (job.damage === 'undecodable result') return TORN
  const finishedMs = job.finishedMs!
  if (language === 'python') {
    const ended = { jobTry: tries, startedMs, finishedMs, queueName, jobId }
    return pythonBytes(call.functionName, state as 'complete', { ...fieldsOf(job), ...ended })
  }
  const success = state === 'complete'
  const [type, args] = state === 'aborted' ? CANCELLED : VALUE_ERROR
  const result = success ? { ok: true } : new RemoteError(type, args)
  return encodeResult(
    {
      jobTry: tries,
      ...call,
      enqueueTimeMs: enqueuedMs,
      success,
      result,
      startTimeMs: startedMs,
      finishTimeMs: finishedMs,
      queueName,
      jobId,
    },
    codec,
  )
}

function fieldsOf({ call, enqueuedMs }: PlannedJob): PythonFields {
  const number = call.args.find((arg) => typeof arg === 'number')
  const address = call.functionName === 'send_mail' ? String(call.args[0]) : undefined
  return { enqueuedMs, number, address }
}
