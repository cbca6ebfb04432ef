import { ArgumentsError, DecodeError, EncodeError } from '../../src/errors.ts'
import { decodeJob, decodeResult, decodeValue, encodeResult, encodeValue } from '../../src/index.ts'
import { bindArguments } from '../../src/jobs/binding.ts'
import { decodeJson } from '../../src/json/json.ts'
import { decodeMsgpack } from '../../src/msgpack/msgpack.ts'
import { decodePickle } from '../../src/pickle/read.ts'
import { jsonText, repr, reprCall, showJson } from '../../src/show.ts'
import { generated, mutated, numbers } from './fuzz-inputs.ts'
import type { Numbers } from './fuzz-inputs.ts'

/** Milliseconds of processor time for one step of one input of up to 64 KiB. */
export const MAX_STEP_MS = 250
/** Bytes by which memory may grow over a run. */
export const MAX_GROWTH_BYTES = 150e6
/** The collector and the compiler slow a step down once; what is slow by itself is slow each time. */
const ATTEMPTS = 5
const CODECS = ['pickle', 'msgpack', 'json'] as const

interface Kind {
  make: (below: Numbers) => Buffer
  decode: (bytes: Uint8Array) => unknown
}

/** The kinds of inputs. */
export const KINDS = {
  'mutated pickles': { make: (below) => mutated(below, 'pickle'), decode: decodePickle },
  'mutated msgpack': { make: (below) => mutated(below, 'msgpack'), decode: decodeMsgpack },
  'mutated JSON': { make: (below) => mutated(below, 'json'), decode: decodeJson },
  'generated pickles': { make: generated, decode: decodePickle },
} satisfies Readonly<Record<string, Kind>>

export type KindName = keyof typeof KINDS

/** The slowest step of a run. */
export interface Slowest {
  ms: number
  step: string
  run: number
  bytes: number
}

/** One run of inputs of a kind, the same ones for the same seed. */
export class FuzzRun {
  read = 0
  done = 0
  bytes = 0
  slowest: Slowest = { ms: 0, step: '', run: 0, bytes: 0 }
  readonly #kind: Kind
  readonly #seed: number
  readonly #below: Numbers
  #input: Buffer = Buffer.alloc(0)

  constructor(name: KindName, seed: number) {
    this.#kind = KINDS[name]
    this.#seed = seed
    this.#below = numbers(seed)
  }

  /**
   * Takes one more input the whole way.
   * @throws Error that names the seed and the input.
   */
  next(): void {
    this.#input = this.#kind.make(this.#below)
    const kept = Buffer.from(this.#input)
    this.bytes += kept.length
    try {
      this.#travel()
      if (!kept.equals(this.#input)) throw new Error('the payload was changed')
    } catch (error) {
      const input = kept.toString('base64').slice(0, 4_000)
      throw new Error(`seed ${this.#seed}, run ${this.done}: ${(error as Error).message}: ${input}`, { cause: error })
    }
    this.done++
  }

  /** A payload's whole way through a worker and the tools that show it. */
  #travel(): void {
    const input = this.#input
    const value = this.#step('decode', () => this.#kind.decode(input))
    if (value === undefined) return
    this.read++
    this.#handle(value)
    const job = this.#step('decode as a job', () => decodeJob(input).record)
    if (job) {
      this.#step('log a call', () => reprCall(job.args, job.kwargs, 80))
      this.#step('bind a job', () => bindArguments('f', ['a', 'b', 'c'], job.args, job.kwargs, true))
      this.#step('show a job', () => showJson(job, { maxLength: 64 * 1024 }))
    }
    const result = this.#step('decode as a result', () => decodeResult(input).record)
    if (!result) return
    // As a worker hands an exception on, or a client that stores it.
    for (const codec of CODECS) this.#step(`write a result as ${codec}`, () => encodeResult(result, codec))
  }

  #handle(value: unknown): void {
    const line = this.#step('log', () => repr(value, 80))
    if (line === undefined || line.length > 160) throw new Error('the log has too much of it')
    const shown = this.#step('show', () => showJson(value, { maxLength: 64 * 1024 }))
    if (shown === undefined || /[\p{Cc}\p{Cf}]/u.test(shown)) throw new Error('JSON with a control character')
    JSON.parse(shown)
    this.#step('write for a store', () => jsonText(value, { lenient: true }))
    this.#step('bind', () => bindArguments('f', ['a'], [value], {}, false))
    for (const codec of CODECS) {
      const record = { t: 1, v: value, a: 1, b: 1, c: 1 }
      const written = this.#step(`write as ${codec}`, () => encodeValue(record, codec))
      // A written payload can be read again, unless its copies take more memory than one payload may.
      if (written) this.#step(`read again from ${codec}`, () => readAgain(written))
    }
  }

  /** Undefined where the library refuses, by an error of its own. */
  #step<T>(name: string, work: () => T): T | undefined {
    const from = performance.now()
    const result = refusable(work)
    if (performance.now() - from <= this.slowest.ms) return result
    const quickest = this.#quickest(work)
    if (quickest > this.slowest.ms)
      this.slowest = { ms: quickest, step: name, run: this.done, bytes: this.#input.length }
    if (quickest > MAX_STEP_MS)
      throw new Error(`to ${name} takes ${quickest.toFixed(0)} ms for ${this.#input.length} bytes`)
    return result
  }

  #quickest(work: () => unknown): number {
    let quickest = Infinity
    for (let i = 0; i < ATTEMPTS && quickest > this.slowest.ms; i++) {
      const from = process.cpuUsage()
      refusable(work)
      const { system, user } = process.cpuUsage(from)
      quickest = Math.min(quickest, (user + system) / 1_000)
    }
    return quickest
  }
}

function readAgain(bytes: Uint8Array): void {
  try {
    decodeValue(bytes)
  } catch (error) {
    if (error instanceof DecodeError && /memory|nests deeper|keys of one hash/.test(error.message)) return
    throw new Error('what was written cannot be read', { cause: error })
  }
}

function refusable<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if (error instanceof DecodeError || error instanceof EncodeError || error instanceof ArgumentsError)
      return undefined
    throw error
  }
}

/** A run in words. */
export function reportOf(name: string, { bytes, done, read, slowest }: FuzzRun, grownBytes: number): string {
  return (
    `${name}: ${done} inputs of ${Math.round(bytes / done)} bytes, ${read} read; slowest step: ` +
    `${slowest.step}, ${slowest.ms.toFixed(1)} ms (run ${slowest.run}, ${slowest.bytes} bytes); ` +
    `${(grownBytes / 1e6).toFixed(0)} MB more`
  )
}
