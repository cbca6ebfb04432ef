import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeResult, encodeJob, encodeResult } from '../../src/index.ts'
import type { JobRecord, ResultRecord } from '../../src/index.ts'

const job: JobRecord = { jobTry: null, functionName: 'f', args: ['a', 1], kwargs: { b: [2.5] }, enqueueTimeMs: 1_764e9 }
const ended = (of: JobRecord, changes: Partial<ResultRecord> = {}): ResultRecord => ({
  ...of,
  jobTry: 2,
  success: true,
  result: { ok: true },
  startTimeMs: 1_764e9 + 1,
  finishTimeMs: 1_764e9 + 2,
  queueName: 'arq:queue',
  jobId: 'id',
  ...changes,
})

describe("a msgpack result made of the job's own bytes", () => {
  test('is byte for byte what is written anew', () => {
    const value = fc.jsonValue()
    fc.assert(
      fc.property(
        fc.array(value),
        fc.dictionary(fc.string(), value),
        value,
        fc.integer({ min: 1, max: 300 }),
        (...of) => {
          const [args, kwargs, result, jobTry] = of
          const record = { ...job, args, kwargs }
          const end = ended(record, { result, jobTry })
          expect(encodeResult(end, 'msgpack', encodeJob(record, 'msgpack'))).toEqual(encodeResult(end, 'msgpack'))
        },
      ),
    )
  })

  test.each([null, 0, 1, 127])('takes the place of a try the producer asked for: %s', (jobTry) => {
    const payload = encodeJob({ ...job, jobTry }, 'msgpack')
    expect(encodeResult(ended(job), 'msgpack', payload)).toEqual(encodeResult(ended(job), 'msgpack'))
  })

  test('is written anew where the job is laid out in another way', () => {
    const odd = [
      encodeJob({ ...job, jobTry: 128 }, 'msgpack'),
      Buffer.from(`de0005${encodeJob(job, 'msgpack').toString('hex').slice(2)}`, 'hex'),
      encodeJob(job, 'pickle'),
      Buffer.alloc(0),
    ]
    for (const payload of odd) {
      const { record } = decodeResult(encodeResult(ended(job), 'msgpack', payload))
      expect(record).toEqual(ended(job))
    }
  })

  test('keeps what the producer wrote as it wrote it', () => {
    // 5.0 is a float in Python, and would become an integer when written anew.
    const payload = Buffer.from('85a174c0a166a166a16191cb4014000000000000a16b80a26574cf0000019ab3a0b000', 'hex')
    const bytes = encodeResult(ended({ ...job, args: [5], kwargs: {} }), 'msgpack', payload)
    expect(bytes.includes(Buffer.from('cb4014000000000000', 'hex'))).toBe(true)
  })
})
