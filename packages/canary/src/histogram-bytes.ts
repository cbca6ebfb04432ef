/** The bytes of a minute's histogram in Redis, as `record-script.ts` writes them. Pure. */
import { endianness } from 'node:os'
import { BUCKETS, noLatencies } from './judging/latency.ts'
import type { Latencies } from './judging/latency.ts'

const HEADER = 8
const isLittleEndian = endianness() === 'LE'

export interface Histogram {
  requests: number
  errors: number
  shadowed: number
  /** Requests with numbers, which are in another key. */
  valued: number
  latency: Latencies
}

/** Counters that are not there are zero. */
export function readHistogram(bytes: Buffer | null): Histogram {
  const latency = noLatencies()
  if (bytes === null) return { requests: 0, errors: 0, shadowed: 0, valued: 0, latency }
  const cells = new Uint32Array(Math.min(Math.floor(bytes.length / 4), HEADER + BUCKETS))
  // Copied and turned as a whole: reading each number from the bytes takes three times as long.
  const copy = Buffer.from(cells.buffer)
  bytes.copy(copy)
  if (isLittleEndian) copy.swap32()
  const cell = (index: number) => cells[index] ?? 0
  latency.buckets.set(cells.subarray(HEADER))
  for (let i = HEADER; i < cells.length; i++) {
    if (cells[i] === 0) continue
    latency.first = Math.min(latency.first, i - HEADER)
    latency.count += cells[i]!
  }
  latency.maxMs = cell(3) / 100
  latency.sumMs = (cell(4) * 2 ** 32 + cell(5)) / 1_000
  return { requests: cell(0), errors: cell(1), shadowed: cell(2), valued: cell(6), latency }
}

/** The bytes of latencies alone. `requests`: the number of requests of their minute; default one for each latency. */
export function writeHistogram({ buckets, count, maxMs, sumMs }: Latencies, requests = count): Buffer {
  const last = buckets.findLastIndex((each) => each > 0)
  const bytes = Buffer.alloc((HEADER + last + 1) * 4)
  bytes.writeUInt32BE(requests, 0)
  bytes.writeUInt32BE(Math.min(2 ** 32 - 1, Math.round(maxMs * 100)), 12)
  bytes.writeBigUInt64BE(BigInt(Math.round(sumMs * 1_000)), 16)
  for (let i = 0; i <= last; i++) bytes.writeUInt32BE(buckets[i]!, (HEADER + i) * 4)
  return bytes
}
