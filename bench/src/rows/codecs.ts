import { execFile } from 'node:child_process'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { decodeJob, decodeResult, encodeJob, encodeResult } from '@arq-ts/protocol'
import type { CodecName } from '@arq-ts/protocol'
import { Packr } from 'msgpackr'
import type { Bench, MeasureRows, Row } from '../bench.ts'
import { summarise } from '../stats.ts'
import type { Summary } from '../stats.ts'

const job = {
  jobTry: null,
  functionName: 'resize_image',
  args: ['s3://bucket/key.png'],
  kwargs: { width: 640, tags: ['a', 'b'], ratio: 0.75 },
  enqueueTimeMs: 1_764_000_000_000,
}
const result = {
  ...job,
  jobTry: 1,
  success: true,
  result: { path: 's3://bucket/out.png', width: 640 },
  startTimeMs: 1_764_000_000_100,
  finishTimeMs: 1_764_000_000_250,
  queueName: 'arq:queue',
  jobId: '0123456789abcdef0123456789abcdef',
}
/** The same as plain msgpackr packs it, without any of the wire's rules. */
const plain = { t: null, f: job.functionName, a: job.args, k: job.kwargs, et: job.enqueueTimeMs }
const plainResult = {
  ...plain,
  t: 1,
  s: true,
  r: result.result,
  st: result.startTimeMs,
  ft: result.finishTimeMs,
  q: result.queueName,
  id: result.jobId,
}

const OPERATIONS = ['jobWriteNs', 'jobReadNs', 'resultWriteNs', 'resultReadNs'] as const
const TITLES = ['write a job', 'read a job', 'write a result', 'read a result']
type Times = Record<(typeof OPERATIONS)[number], Summary>

/** Codecs alone, in one process: no Redis, no worker. */
export const codecs: MeasureRows = async function* (bench) {
  bench.say('codecs alone')
  const packr = new Packr({ useRecords: false, variableMapSize: true })
  const packed = [packr.pack(plain), packr.pack(plainResult)]
  const contenders = new Map<string, Times>([
    ['arq-ts, msgpack', ours(bench, 'msgpack')],
    ['arq-ts, pickle', ours(bench, 'pickle')],
    ['arq-ts, json', ours(bench, 'json')],
    [
      'msgpackr alone',
      times(bench, [
        () => packr.pack(plain),
        () => packr.unpack(packed[0]!),
        () => packr.pack(plainResult),
        () => packr.unpack(packed[1]!),
      ]),
    ],
  ])
  for (const [name, found] of await byPython(bench)) contenders.set(name, found)
  const both = (found: Times): Summary => {
    const sum = (of: 'median' | 'min' | 'max') => found.jobWriteNs[of] + found.jobReadNs[of]
    return { median: sum('median'), min: sum('min'), max: sum('max'), rounds: found.jobWriteNs.rounds }
  }
  yield {
    id: 'codec-job',
    group: 'Codecs alone',
    title: 'write and read a job',
    unit: 'ns',
    better: 'lower',
    limit: 'CPU',
    cells: [...contenders].map(([contender, found]) => ({ contender, figures: { value: both(found) } })),
  }
  for (const [i, operation] of OPERATIONS.entries()) {
    yield {
      id: `codec-${operation.replace('Ns', '').replace(/[A-Z]/, (letter) => `-${letter.toLowerCase()}`)}`,
      group: 'Codecs alone',
      title: `${TITLES[i]}`,
      unit: 'ns',
      better: 'lower',
      limit: 'CPU',
      cells: [...contenders].map(([contender, found]) => ({ contender, figures: { value: found[operation] } })),
    } satisfies Row
  }
}

function ours(bench: Bench, codec: CodecName): Times {
  const jobBytes = encodeJob(job, codec)
  const resultBytes = encodeResult(result, codec)
  return times(bench, [
    () => encodeJob(job, codec),
    () => decodeJob(jobBytes),
    () => encodeResult(result, codec),
    () => decodeResult(resultBytes),
  ])
}

function times({ quick }: Bench, operations: (() => unknown)[]): Times {
  const found = operations.map((operation) => {
    const rounds = Array.from({ length: 7 }, () => nanoseconds(operation, quick ? 30 : 150))
    return summarise(rounds.slice(2)) // the first two warm up
  })
  return Object.fromEntries(OPERATIONS.map((name, i) => [name, found[i]!])) as Times
}

function nanoseconds(operation: () => unknown, ms: number): number {
  let calls = 0
  const start = process.hrtime.bigint()
  const end = start + BigInt(ms) * 1_000_000n
  let now = start
  while (now < end) {
    for (let i = 0; i < 1_000; i++) operation()
    calls += 1_000
    now = process.hrtime.bigint()
  }
  return Number(now - start) / calls
}

async function byPython({ contenders: { python }, quick }: Bench): Promise<[string, Times][]> {
  if (python === undefined) return []
  const script = join(resolve(import.meta.dirname, '../..'), 'python', 'codec.py')
  const { stdout } = await promisify(execFile)(python, ['-B', script, JSON.stringify({ seconds: quick ? 0.2 : 1 })])
  const printed = JSON.parse(stdout) as Record<'pickle' | 'msgpack', Record<string, number>>
  return (['pickle', 'msgpack'] as const).map((codec) => [
    `CPython, ${codec} in C`,
    Object.fromEntries(OPERATIONS.map((name) => [name, summarise([printed[codec][name]!])])) as Times,
  ])
}
