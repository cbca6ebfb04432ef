/** The program that runs in a context without Node: it reads and writes payloads as arrays of numbers. */
import { decodeResult, decodeValue, encodeJob, encodeValue } from '../../src/index.ts'
import type { CodecName } from '../../src/index.ts'
import { repr, showJson } from '../../src/show.ts'

const attempt = (work: () => unknown): unknown => {
  try {
    return work()
  } catch (error) {
    return String(error)
  }
}

/** Everything that becomes of a payload. */
export function travel(payload: readonly number[]): unknown {
  return attempt(() => {
    const { codec, value } = decodeValue(Uint8Array.from(payload))
    const written = (by: CodecName) => attempt(() => Array.from(encodeValue({ v: value }, by)))
    return {
      codec,
      repr: repr(value, 10_000),
      json: showJson(value),
      written: [written('pickle'), written('msgpack'), written('json')],
    }
  })
}

/** A job of these arguments, in bytes. */
export function job(text: string, codec: CodecName): number[] {
  const args = [text, 2n ** 70n, -(2n ** 63n) - 1n, 1.5, -1, 2 ** 40, Uint8Array.of(1, 255)].slice(
    0,
    codec === 'pickle' ? 7 : 1,
  )
  return Array.from(
    encodeJob(
      { jobTry: null, functionName: 'f', args, kwargs: { 2024: 1, a: text }, enqueueTimeMs: 1_764_000_000_000 },
      codec,
    ),
  )
}

/** The message of a failed result. */
export function failure(payload: readonly number[]): string {
  return String((decodeResult(Uint8Array.from(payload)).record.result as Error).message)
}
