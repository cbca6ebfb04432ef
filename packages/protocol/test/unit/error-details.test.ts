import { describe, expect, test } from 'vitest'
import { decodeResult, encodeResult } from '../../src/jobs/index.ts'
import { RemoteError } from '../../src/errors.ts'
import { detailsIn, restoreDetails } from '../../src/values/exceptions.ts'

class PaymentError extends Error {
  readonly code = 'E_FUNDS'
  readonly amount: number
  readonly at = { account: 'a', tries: [1, 2] }
  readonly charge = () => 1

  constructor(message: string, amount: number, options?: ErrorOptions) {
    super(message, options)
    this.name = 'PaymentError'
    this.amount = amount
  }
}

const job = { jobTry: 1, functionName: 'f', args: [], kwargs: {}, enqueueTimeMs: 0 }
const stored = { success: false, startTimeMs: 0, finishTimeMs: 0, queueName: 'q', jobId: 'id' }

/** An error as a TypeScript producer gets it. */
function across(error: Error, codec: 'msgpack' | 'pickle' | 'json'): RemoteError {
  const { record } = decodeResult(encodeResult({ ...job, ...stored, result: error }, codec))
  const remote = record.result as RemoteError
  return restoreDetails(remote, detailsIn(remote))
}

describe.each(['msgpack', 'pickle', 'json'] as const)('an error that comes back by %s', (codec) => {
  test('keeps name, code, message, cause and plain fields, and the exception of Python', () => {
    const cause = new RangeError('too much', { cause: 'limit' })
    const error = across(new PaymentError('no funds', 5, { cause }), codec)
    expect(error).toBeInstanceOf(RemoteError)
    expect(error.pythonType).toBe('builtins.RuntimeError')
    expect(error.args).toEqual(['PaymentError: no funds'])
    expect(error).toMatchObject({ name: 'PaymentError', message: 'no funds', code: 'E_FUNDS', amount: 5 })
    expect(error).toMatchObject({ at: { account: 'a', tries: [1, 2] } })
    expect(error).not.toHaveProperty('charge')
    expect(error.cause).toMatchObject({ name: 'RangeError', message: 'too much', cause: 'limit' })
    expect(error.cause).toBeInstanceOf(Error)
  })

  test('is what it always was where Python says it all', () => {
    const error = across(new TypeError('bad'), codec)
    expect(error).toMatchObject({ name: 'RemoteError', message: 'TypeError: bad', code: 'ARQ_REMOTE' })
    expect(detailsIn(error)).toBeUndefined()
  })

  test('survives a cause without end, and a getter that throws', () => {
    const endless = new Error('endless')
    endless.cause = endless
    expect(across(endless, codec).message).toBe('endless')
    const hostile = Object.defineProperty(new Error('hostile'), 'reason', {
      enumerable: true,
      get() {
        throw new Error('never')
      },
    })
    expect(across(hostile, codec).args).toEqual(['hostile'])
  })
})

test('details from the wire set no field that an error has, and no prototype', () => {
  const fields = JSON.parse('{"__proto__": {"polluted": 1}, "stack": "x", "pythonType": "y", "a": 1}') as object
  const error = restoreDetails(new RemoteError('builtins.RuntimeError', ['x']), { name: 'E', fields })
  expect(error).toMatchObject({ name: 'E', pythonType: 'builtins.RuntimeError', a: 1 })
  expect(error.stack).not.toBe('x')
  expect(error).not.toHaveProperty('polluted')
})
