import { allocate } from '../values/bytes.ts'
import { tooLarge } from '../values/limits.ts'

/** Heads of maps: a job's five fields, a result's other seven, and all twelve. */
const JOB = 0x85
const OUTCOME = 0x87
const RESULT = 0x8c
const NIL = 0xc0
const MAX_FIXINT = 0x7f
/** The key `t`, a string of one byte, which comes first in what Python and we write. */
const TEXT_1 = 0xa1
const T = 0x74
/** Offset of `f a k et`: behind the head, the key `t`, and a try of one byte. */
const REST = 4

/**
 * A result made of the job's own bytes and what came of it: arguments, which may be large, travel as the producer wrote
 * them. Undefined where they are not laid out as nearly all are.
 *
 * @param job - A job that was decoded.
 * @param outcome - The map of `s r st ft q id ts`.
 * @throws EncodeError beyond `maxBytes`.
 */
export function joinMsgpackResult(
  job: Uint8Array,
  jobTry: number | null,
  outcome: Uint8Array,
  maxBytes: number,
): Buffer | undefined {
  const given = job[3]!
  const isUsual = job[0] === JOB && job[1] === TEXT_1 && job[2] === T && (given === NIL || given <= MAX_FIXINT)
  const isTryShort = jobTry === null || (Number.isInteger(jobTry) && jobTry >= 0 && jobTry <= MAX_FIXINT)
  if (!isUsual || !isTryShort || outcome[0] !== OUTCOME) return undefined
  const size = job.length + outcome.length - 1
  if (size > maxBytes) throw tooLarge(maxBytes)
  const bytes = allocate(size)
  bytes[0] = RESULT
  bytes[1] = TEXT_1
  bytes[2] = T
  bytes[3] = jobTry ?? NIL
  bytes.set(job.subarray(REST), REST)
  bytes.set(outcome.subarray(1), job.length)
  return bytes
}
