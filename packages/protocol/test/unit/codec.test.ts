import { describe, expect, test } from 'vitest'
import {
  ArgumentsError,
  DecodeError,
  EncodeError,
  JobAbortedError,
  JobFailedError,
  JobTimeoutError,
  NonRetryableError,
  RemoteError,
} from '../../src/errors.ts'
import {
  codecOf,
  decodeJob,
  decodeResult,
  decodeValue,
  encodeJob,
  encodeResult,
  encodeValue,
  PyGlobal,
  PyObject,
  Tuple,
} from '../../src/index.ts'
import type { CodecName, JobRecord, ResultRecord } from '../../src/index.ts'
import { isMarkedResult } from '../../src/jobs/index.ts'

const codecs: CodecName[] = ['pickle', 'msgpack', 'json']
const job: JobRecord = {
  jobTry: null,
  functionName: 'resize',
  args: ['a.png', 800],
  kwargs: { quality: 85 },
  enqueueTimeMs: 1_732_446_000_123,
}
const result: ResultRecord = {
  ...job,
  jobTry: 2,
  success: true,
  result: { ok: true },
  startTimeMs: 1_732_446_000_223,
  finishTimeMs: 1_732_446_000_323,
  queueName: 'arq:queue',
  jobId: 'abc',
}
const wire = { t: null, f: 'resize', a: ['a.png', 800], k: { quality: 85 }, et: 1_732_446_000_123 }
const wireResult = { ...wire, s: true, r: 1, st: 1, ft: 2, q: 'arq:queue', id: 'abc' }

describe.each(codecs)('%s', (codec) => {
  test('carries a job there and back', () => {
    const decoded = decodeJob(encodeJob(job, codec))
    expect(decoded).toEqual({ codec, record: { ...job, args: codec === 'pickle' ? Tuple.from(job.args) : job.args } })
    expect(decodeJob(encodeJob({ ...job, jobTry: 3 }, codec)).record.jobTry).toBe(3)
  })

  test('carries a result there and back', () => {
    expect(decodeResult(encodeResult(result, codec))).toEqual({
      codec,
      record: { ...result, args: codec === 'pickle' ? Tuple.from(job.args) : job.args },
    })
  })

  test('marks a result as written by arq-ts, whatever it holds, and no other map', () => {
    for (const value of [true, 'ts', { ts: true }, null, [1.5, 'ts'], 'ts":true}']) {
      const marked = encodeResult({ ...result, result: value, jobId: 'ts', queueName: 'ts' }, codec)
      expect(isMarkedResult(marked.subarray(-11))).toBe(true)
      const { ts: _, ...unmarked } = decodeValue(marked).value as Record<string, unknown>
      expect(isMarkedResult(encodeValue(unmarked, codec))).toBe(false)
    }
  })

  test('writes the fields that arq writes, in its order', () => {
    expect(Object.keys(decodeValue(encodeJob(job, codec)).value as object)).toEqual(['t', 'f', 'a', 'k', 'et'])
    expect(Object.keys(decodeValue(encodeResult(result, codec)).value as object)).toEqual([
      't',
      'f',
      'a',
      'k',
      'et',
      's',
      'r',
      'st',
      'ft',
      'q',
      'id',
      'ts',
    ])
  })

  test('reads results of old versions, which lack the queue and the id', () => {
    const { q, id, ...old } = wireResult
    expect([q, id]).toHaveLength(2)
    expect(decodeResult(encodeValue(old, codec)).record).toMatchObject({
      queueName: '<unknown>',
      jobId: '<unknown>',
      success: true,
      result: 1,
    })
  })

  test.each([
    ['a job without a function', { ...wire, f: null, g: 1 }, /`f` to be a function name, got null/],
    ['a function that is no text', { ...wire, f: 5 }, /`f` to be a function name, got a number/],
    ['arguments that are no list', { ...wire, a: 'abc' }, /`a` to be the positional arguments, got a string/],
    ['arguments that are a map', { ...wire, a: {} }, /`a` to be the positional arguments, got a map/],
    ['keywords that are a list', { ...wire, k: [] }, /`k` to be a map with text keys, got a Array/],
    ['keywords that are null', { ...wire, k: null }, /`k` to be a map with text keys, got null/],
    ['a try that is a string', { ...wire, t: '1' }, /`t` to be a number, got a string/],
    ['an enqueue time that is null', { ...wire, et: null }, /`et` to be a number, got null/],
    ['a list', ['a', 'b', 'c', 'd', 'e'], /expected/],
  ])('refuses %s', (_, value, message) => {
    expect(() => decodeJob(encodeValue(value, codec))).toThrow(DecodeError)
    expect(() => decodeJob(encodeValue(value, codec))).toThrow(message)
  })

  test.each(['t', 'f', 'a', 'k', 'et'])('refuses a job that lacks `%s`, as Python does', (name) => {
    const { [name]: left, ...rest } = { ...wire, x: 1 } as Record<string, unknown>
    expect(left).toBeDefined()
    expect(() => decodeJob(encodeValue(rest, codec))).toThrow(`lacks \`${name}\``)
  })

  test.each(['s', 'r', 'st', 'ft'])('refuses a result that lacks `%s`', (name) => {
    const { [name]: left, ...rest } = wireResult as Record<string, unknown>
    expect(left).toBeDefined()
    expect(() => decodeResult(encodeValue(rest, codec))).toThrow(`lacks \`${name}\``)
  })

  test('rounds times that sloppy producers write as floats', () => {
    expect(decodeJob(encodeValue({ ...wire, et: 1_732_446_000_122.6 }, codec)).record.enqueueTimeMs).toBe(
      1_732_446_000_123,
    )
  })

  test.each([
    ['an Error', new Error('bad'), 'builtins.RuntimeError', ['bad']],
    ['a TypeError', new TypeError('bad'), 'builtins.TypeError', ['bad']],
    ['a RangeError', new RangeError('bad'), 'builtins.ValueError', ['bad']],
    ['a SyntaxError', new SyntaxError('bad'), 'builtins.RuntimeError', ['SyntaxError: bad']],
    [
      'an error with a name of its own',
      Object.assign(new Error('bad'), { name: 'PaymentError' }),
      'builtins.RuntimeError',
      ['PaymentError: bad'],
    ],
    [
      'an error with the name of one of ours',
      Object.assign(new Error('bad'), { name: 'JobAbortedError' }),
      'builtins.RuntimeError',
      ['JobAbortedError: bad'],
    ],
    ['ArgumentsError', new ArgumentsError('bad'), 'builtins.TypeError', ['bad']],
    ['NonRetryableError', new NonRetryableError('bad'), 'builtins.RuntimeError', ['NonRetryableError: bad']],
    ['JobFailedError', new JobFailedError('bad'), 'arq.worker.JobExecutionFailed', ['bad']],
    ['JobAbortedError', new JobAbortedError('bad'), 'asyncio.exceptions.CancelledError', []],
    ['JobTimeoutError', new JobTimeoutError('bad'), 'asyncio.exceptions.TimeoutError', ['bad']],
    ['RemoteError', new RemoteError('builtins.KeyError', ['k', 1]), 'builtins.KeyError', ['k', 1]],
  ])('carries %s as the exception of Python that means it', (_, error, pythonType, args) => {
    const back = decodeResult(encodeResult({ ...result, success: false, result: error }, codec)).record
      .result as RemoteError
    expect(back).toBeInstanceOf(RemoteError)
    expect([back.pythonType, [...back.args]]).toEqual([pythonType, args])
  })

  test('leaves the text that Python writes for what it cannot serialize', () => {
    const failed = encodeResult({ ...result, success: false, result: 'unable to serialize result' }, codec)
    expect(decodeResult(failed).record.result).toBe('unable to serialize result')
  })

  test('says what stands in the way when a value cannot be read', () => {
    const broken = Object.defineProperty({}, 'x', {
      enumerable: true,
      get: () => {
        throw new Error('no getter')
      },
    })
    expect(() => encodeJob({ ...job, kwargs: { broken } }, codec)).toThrow(EncodeError)
    expect(() => encodeJob({ ...job, kwargs: { broken } }, codec)).toThrow(/no getter/)
  })

  test('refuses more than 64 MiB', () => {
    expect(() => encodeJob({ ...job, args: ['x'.repeat(70_000_000)] }, codec)).toThrow(/at most 67108864 bytes/)
  })
})

describe('the first byte', () => {
  test.each([
    ['80 02', 'pickle'],
    ['80 05', 'pickle'],
    ['28 64', 'pickle'],
    ['7d 71', 'pickle'],
    ['85', 'msgpack'],
    ['8f', 'msgpack'],
    ['de', 'msgpack'],
    ['df', 'msgpack'],
    ['7b', 'json'],
    ['80', undefined],
    ['80 06', undefined],
    ['84', undefined],
    ['90', undefined],
    ['5b', undefined],
    ['78 9c', undefined],
    ['', undefined],
  ])('%s identifies %s', (start, codec) => {
    expect(codecOf(Buffer.from(start.replace(' ', ''), 'hex'))).toBe(codec)
  })

  test('is reported where no codec reads it', () => {
    expect(() => decodeJob(Buffer.from('789c0102', 'hex'))).toThrow(
      'expected a pickle, a msgpack map or a JSON object, got 4 bytes that start with `78 9c 01 02`; is another serializer at work, or compression?',
    )
    expect(() => decodeJob(Buffer.alloc(0))).toThrow(/got no bytes/)
  })
})

test('an unknown codec is refused', () => {
  expect(() => encodeJob(job, 'yaml' as CodecName)).toThrow(
    "Expected `codec` to be 'msgpack', 'pickle' or 'json', got `'yaml'`",
  )
})

describe('an exception', () => {
  const written = (error: Error) => encodeValue({ error }, 'pickle').toString('latin1')

  test('of a class that the program names by a PyGlobal goes out as that class', () => {
    expect(written(new RemoteError(new PyGlobal('app.errors', 'Boom'), ['bad']))).toMatch(/app\.errors.*Boom/s)
  })

  test.each(['ValueError', 'builtins.ValueError'])('named %s is a builtin', (name) => {
    expect(decodeValue(encodeValue({ r: new RemoteError(name, ['x']) }, 'pickle')).value).toMatchObject({
      r: { pythonType: 'builtins.ValueError', args: ['x'] },
    })
  })

  test('that Python does not have is a RuntimeError, so that Python can read the rest', () => {
    expect(decodeValue(encodeValue({ r: new RemoteError('Boom', ['x']) }, 'pickle')).value).toMatchObject({
      r: { pythonType: 'builtins.RuntimeError', args: ['Boom: x'] },
    })
  })

  test('of another class is an error where a job failed, and inert elsewhere', () => {
    const boom = new PyObject(new PyGlobal('app.errors', 'Boom'), 'reduce', Tuple.of('bad'))
    const failed = decodeResult(encodeResult({ ...result, success: false, result: boom }, 'pickle')).record
    expect(failed.result).toMatchObject({ pythonType: 'app.errors.Boom', message: 'Boom: bad' })
    expect(failed.result).toBeInstanceOf(RemoteError)
    expect(decodeResult(encodeResult({ ...result, result: boom }, 'pickle')).record.result).toBeInstanceOf(PyObject)
  })

  test('with arguments that a codec cannot carry goes out with its message', () => {
    const error = new RemoteError('builtins.ValueError', [new Set([1])], { message: 'ValueError: {1}' })
    const back = decodeResult(encodeResult({ ...result, success: false, result: error }, 'msgpack')).record
      .result as RemoteError
    expect([back.pythonType, [...back.args]]).toEqual(['builtins.ValueError', ['ValueError: {1}']])
  })
})
