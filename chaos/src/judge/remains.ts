/** Content of a result key: enough to name the run that wrote it, in either codec. */
export interface StoredResult {
  /** The run whose value or error it is; undefined where no handler's is. */
  run: string | undefined
  /** Ending of the job, where no run is named. */
  text: string
  /** In ms; -1 for ever. */
  ttlMs: number
}

/** Content of Redis after the fleet stopped. */
export interface Remains {
  /** Queue name to members by score. */
  queues: Map<string, Map<string, number>>
  /** Ids with a payload. */
  jobs: Set<string>
  /** Holders of in-progress keys. */
  inProgress: Map<string, string>
  results: Map<string, StoredResult>
  deadLetters: Set<string>
  /** Redis's time of the scan, in unix ms. */
  nowMs: number
}

const RUN = /run:[0-9a-f]{16}/
const ENDINGS = [
  'job expired',
  'retries exceeded',
  'not found',
  'CancelledError',
  'TimeoutError',
  'unable to deserialize',
  'unable to serialize',
]

/** Reads a stored result without decoding it: names and strings are plain bytes in pickle, msgpack and JSON. */
export function readResult(bytes: Buffer, ttlMs: number): StoredResult {
  const text = bytes.toString('latin1')
  // The arguments come first and the result after them; no run's id is ever an argument.
  return {
    run: RUN.exec(text)?.[0],
    text: ENDINGS.find((ending) => text.includes(ending)) ?? 'other',
    ttlMs,
  }
}
