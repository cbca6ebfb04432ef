import { unrefusedOf } from '@arq-ts/test-support'
import { expect, test } from 'vitest'
import * as protocol from '../../src/index.ts'
import * as values from '../../src/values/index.ts'

const PURE = 'any value is accepted, and described'
const job = { jobTry: 1, functionName: 'f', args: [1], kwargs: {}, enqueueTimeMs: 1 }
const result = {
  ...job,
  success: true,
  result: 1,
  startTimeMs: 1,
  finishTimeMs: 1,
  queueName: 'q',
  jobId: 'a',
}
const limits = { maxPayloadBytes: 1_000, maxDecodedBytes: 2_000_000 }
const DATA = 'is data'

test('every function of the protocol refuses wrong arguments with a code', async () => {
  // The test of refusals covers values of Python.
  const exports = Object.fromEntries(Object.entries(protocol).filter(([name]) => !(name in values)))
  const payload = protocol.encodeJob(job, 'json')
  const stored = protocol.encodeResult(result, 'json')
  const unrefused = await unrefusedOf({
    exports,
    accepted: {
      codecOf: [payload],
      decodeJob: [payload, limits],
      decodeResult: [stored, limits],
      decodeValue: [payload, limits],
      encodeJob: [job, 'json', limits],
      encodeResult: [result, 'json', stored, limits],
      encodeValue: [1, 'json', 1_000],
      healthLine: [new Date(0), { complete: 1, failed: 1, retried: 1, ongoing: 1, queued: 1 }],
      parseHealthLine: ['x'],
      retryDelayMs: [{ delayMs: 5, jitter: 0.5, maxDelayMs: 5 }, 1, null, 0.5],
      statusOf: [{ hasResult: false, inProgress: false, score: 1 }, 1],
    },
    data: ['encodeJob(0)', 'encodeResult(0)', 'statusOf(0)'],
    right: { retryDelayMs: { '`jitter` as true': 'is the usual share' } },
    codes: ['ARQ_ENCODE', 'ARQ_DECODE'],
    passed: {
      'encodeValue(0)': DATA,
      'retryDelayMs(2)': 'any value may be thrown',
      Keys: 'names keys by strings that its callers have checked',
      toRemoteError: PURE,
    },
  })
  expect(unrefused).toEqual([])
})
