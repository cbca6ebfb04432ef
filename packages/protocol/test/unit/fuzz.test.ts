import { afterAll, expect, test } from 'vitest'
import { ArgumentsError, DecodeError, EncodeError } from '../../src/errors.ts'
import { decodeJob, decodeResult, decodeValue, encodeResult, encodeValue } from '../../src/index.ts'
import { bindArguments } from '../../src/jobs/binding.ts'
import { decodeJson } from '../../src/json/json.ts'
import { decodeMsgpack } from '../../src/msgpack/msgpack.ts'
import { decodePickle } from '../../src/pickle/read.ts'
import { jsonText, repr, reprCall, showJson } from '../../src/show.ts'
import { generated, mutated, numbers } from '../support/fuzz-inputs.ts'
import type { Numbers } from '../support/fuzz-inputs.ts'

/** Inputs of each kind: `pnpm fuzz` asks for a million in all by FUZZ_RUNS. FUZZ_SEED asks for the same ones again. */
const runs = Number(process.env.FUZZ_RUNS ?? 5_000)
const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 1_000_000)

/** Processor time, which a busy machine does not stretch, per input of up to 64 KiB. The goal is 250 ms. */
const MAX_CPU_MS = 2_000
/** The goal is 150 MB; a collector that has had no reason to run yet is no leak. */
const MAX_GROWTH_MB = 400

const KINDS: Readonly<Record<string, (below: Numbers) => { input: Buffer; decode: (bytes: Uint8Array) => unknown }>> = {
  'mutated pickles': (below) => ({ input: mutated(below, 'pickle'), decode: decodePickle }),
  'mutated msgpack': (below) => ({ input: mutated(below, 'msgpack'), decode: decodeMsgpack }),
  'mutated JSON': (below) => ({ input: mutated(below, 'json'), decode: decodeJson }),
  'generated pickles': (below) => ({ input: generated(below), decode: decodePickle }),
}

const report: string[] = []
afterAll(() => console.log(`fuzz, seed ${seed}:\n${report.join('\n')}`))

test.each(Object.keys(KINDS))(
  '%s are read or refused, and whatever was read is bound, logged, shown and written, within time and memory',
  (kind) => {
    const below = numbers(seed)
    let [read, bytes, slowestMs] = [0, 0, 0]
    let slowest = ''
    const before = process.memoryUsage().rss
    const started = process.cpuUsage()
    for (let run = 0; run < runs; run++) {
      const { decode, input } = KINDS[kind]!(below)
      const kept = Buffer.from(input)
      bytes += input.length
      const from = process.cpuUsage()
      try {
        read += travel(input, decode)
      } catch (error) {
        throw new Error(`seed ${seed}, run ${run}: ${input.toString('base64').slice(0, 4_000)}`, { cause: error })
      }
      const ms = cpuMs(from)
      if (ms > slowestMs) [slowestMs, slowest] = [ms, `run ${run}, ${input.length} bytes`]
      if (!kept.equals(input)) throw new Error(`seed ${seed}, run ${run}: the payload was changed`)
    }
    const grownMb = (process.memoryUsage().rss - before) / 1e6
    report.push(
      `${kind}: ${runs} inputs of ${Math.round(bytes / runs)} bytes, ${Math.round(runs / (cpuMs(started) / 1_000))}/s, ` +
        `${read} read, slowest ${slowestMs.toFixed(1)} ms (${slowest}), +${grownMb.toFixed(0)} MB`,
    )
    expect(slowestMs).toBeLessThan(MAX_CPU_MS)
    expect(grownMb).toBeLessThan(MAX_GROWTH_MB)
  },
  120_000 + runs * 10,
)

function cpuMs(from: NodeJS.CpuUsage): number {
  const { system, user } = process.cpuUsage(from)
  return (user + system) / 1_000
}

/** A payload's whole way through a worker and the tools that show it; 1 where it could be read. */
function travel(input: Buffer, decode: (bytes: Uint8Array) => unknown): 0 | 1 {
  const value = refusable(() => decode(input))
  if (value === undefined) return 0
  handle(value)
  const job = refusable(() => decodeJob(input).record)
  if (job) {
    reprCall(job.args, job.kwargs, 80)
    refusable(() => bindArguments('f', ['a', 'b', 'c'], job.args, job.kwargs, true))
    showJson(job, { maxLength: 64 * 1024 })
  }
  const result = refusable(() => decodeResult(input).record)
  // As a worker hands an exception on, or a client that stores it.
  if (result) for (const codec of ['pickle', 'msgpack', 'json'] as const) refusable(() => encodeResult(result, codec))
  return 1
}

function handle(value: unknown): void {
  expect(repr(value, 80).length).toBeLessThanOrEqual(160)
  const shown = showJson(value, { maxLength: 64 * 1024 })
  if (/[\p{Cc}\p{Cf}]/u.test(shown)) throw new Error('JSON with a control character')
  JSON.parse(shown)
  refusable(() => jsonText(value, { lenient: true }))
  refusable(() => bindArguments('f', ['a'], [value], {}, false))
  for (const codec of ['pickle', 'msgpack', 'json'] as const) {
    const written = refusable(() => encodeValue({ t: 1, v: value, a: 1, b: 1, c: 1 }, codec))
    // What is written can be read again, unless its copies take more memory than one payload may.
    if (written) readAgain(written)
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

/** Undefined where the library refuses, by an error of its own. */
function refusable<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if (error instanceof DecodeError || error instanceof EncodeError || error instanceof ArgumentsError)
      return undefined
    throw error
  }
}
