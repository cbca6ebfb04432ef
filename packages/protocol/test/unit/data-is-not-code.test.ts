import { describe, expect, test } from 'vitest'
import { RemoteError } from '../../src/errors.ts'
import {
  Counter,
  DefaultDict,
  Deque,
  OrderedDict,
  PyGlobal,
  PyObject,
  Tuple,
  decodeResult,
  decodeValue,
  encodeResult,
  encodeValue,
  toRemoteError,
} from '../../src/index.ts'
import type { CodecName } from '../../src/index.ts'

/** Names that a writer of msgpack or JSON may claim. */
const CLAIMS = [
  'subprocess.Popen',
  'os.system',
  'posix.system',
  'builtins.eval',
  'builtins.exec',
  'builtins.__import__',
  'builtins.getattr',
  'builtins.Exception.__new__',
  'asyncio.__main__.ReplError',
  'asyncio.subprocess.SubprocessError',
  'arq.cli.CliError',
  'concurrent.futures.evil.EvilError',
  'arq.worker.Worker',
  'antigravity.Error',
  'myapp.errors.Declined',
  'Popen',
  'constructor.constructor',
  '__proto__.ValueError',
] as const

const fields = {
  jobTry: 1,
  functionName: 'f',
  args: [],
  kwargs: {},
  enqueueTimeMs: 1,
  startTimeMs: 1,
  finishTimeMs: 2,
  queueName: 'arq:queue',
  jobId: 'abc',
}
const failed = (result: unknown) => ({ ...fields, success: false, result })

/** A failed result as anyone may write it, read as a handler gets it. */
function claimed(type: string, codec: CodecName): RemoteError {
  const map = { __exception__: type, args: ['touch /tmp/owned'], message: `${type}: touch /tmp/owned` }
  const error = decodeResult(encodeResult(failed(map), codec)).record.result
  expect(error).toBeInstanceOf(RemoteError)
  expect(error).toMatchObject({ pythonType: type, pythonClass: null })
  return error as RemoteError
}

class AppError extends RemoteError {}

/** Values that honest code makes of an error that it caught. */
const COPIES: Readonly<Record<string, (error: RemoteError) => unknown>> = {
  'the error itself': (error) => error,
  'a new error of its type': ({ pythonType, args }) => new RemoteError(pythonType, args),
  'a new error with all of its fields': ({ pythonType, args, attributes, message, module }) =>
    new RemoteError(pythonType, args, { attributes, message, module }),
  'a new error whose details are the error': (error) => new RemoteError(error.pythonType, error.args, error),
  'an error of a subclass': ({ pythonType, args }) => new AppError(pythonType, args),
  'an error whose getter is hidden by what looks like a class': ({ pythonType, args }) =>
    Object.defineProperty(new RemoteError(pythonType, args), 'pythonClass', {
      value: JSON.parse('{"module":"subprocess","name":"Popen"}'),
    }),
  'the error under another message': (error) => error.withMessage('could not be persisted'),
  'the error by its remote form': (error) => toRemoteError(error),
  'an Error with its fields': (error) => Object.assign(new Error(error.message), error),
  'an Error with its type as name': (error) => Object.assign(new Error(error.message), { name: error.pythonType }),
  'a structured clone': (error) => structuredClone(error),
  'an object that inherits from it': (error) => Object.create(error) as unknown,
  'its fields as JSON': (error) => JSON.parse(JSON.stringify(error)) as unknown,
  'an exception group of it': (error) => new RemoteError('builtins.ExceptionGroup', ['several', [error]]),
  'another error with it as argument': (error) => new RemoteError('builtins.ValueError', [error, { error }]),
  'another error with it as attribute': (error) =>
    new RemoteError('builtins.ValueError', [], { attributes: { error, type: error.pythonType } }),
  'an error that it caused': (error) => new Error('wrapped', { cause: error }),
  'an aggregate of it': (error) => new AggregateError([error], 'several'),
  'a class of ours with it as argument': (error) => new RemoteError(new PyGlobal('app.errors', 'Wrapped'), [error]),
}

/** Places of a value in what a handler returns, throws or enqueues. */
const PLACES: Readonly<Record<string, (value: unknown) => unknown>> = {
  alone: (value) => value,
  'in a list': (value) => [1, [value]],
  'in a tuple': (value) => Tuple.of(value),
  'in a dict': (value) => ({ a: { b: value } }),
  'in a Map': (value) => new Map([[1, value]]),
  // Python hashes errors, not dicts.
  'in a set': (value) => new Set([value instanceof Error ? value : JSON.stringify(value)]),
  'in a deque': (value) => Deque.of(value),
  'in an OrderedDict': (value) => new OrderedDict([['a', value]]),
  'in a Counter': (value) => new Counter([['a', value]]),
  'as the factory of a defaultdict': (value) => Object.assign(new DefaultDict(), { factory: value }),
  'in the arguments of an object': (value) => new PyObject(new PyGlobal('app', 'Model'), 'reduce', Tuple.of(value)),
  'in the state of an object': (value) =>
    Object.assign(new PyObject(new PyGlobal('app', 'Model'), 'new', new Tuple()), { state: { value } }),
}

/** Modules and names of the classes and functions that a pickle makes its reader import, in order. */
function imported(pickle: Uint8Array): string[] {
  const found: string[] = []
  const memo: string[] = []
  let texts: string[] = []
  // A full reader would trust the code under test: this one knows the few opcodes that our writer uses for names.
  for (let at = 2; at < pickle.length;) {
    const code = pickle[at++]!
    if (code === 0x8c || code === 0x58) {
      const length =
        code === 0x8c ? pickle[at]! : new DataView(pickle.buffer, pickle.byteOffset + at).getUint32(0, true)
      at += code === 0x8c ? 1 : 4
      texts.push(Buffer.from(pickle.subarray(at, at + length)).toString())
      at += length
    } else if (code === 0x93) found.push(texts.slice(-2).join(' '))
    else if (code === 0x63) throw new Error('a GLOBAL by lines')
    else if (code === 0x94) memo.push(texts.at(-1) ?? '')
    else at += WIDTHS[code] ?? 0
    if (code === 0x42 || code === 0x43) throw new Error('bytes are not looked into')
    if (code === 0x2e && at !== pickle.length) throw new Error('lost in the pickle')
    if (texts.length > 100) texts = texts.slice(-2)
  }
  return found
}

/** Arguments of the opcodes that the writer uses, in bytes. */
const WIDTHS: Readonly<Record<number, number>> = { 0x4b: 1, 0x4a: 4, 0x8a: 9, 0x47: 8, 0x68: 1, 0x6a: 4 }

const HARMLESS =
  /^(builtins (RuntimeError|ValueError|ExceptionGroup)|app(\.errors)? (Model|Wrapped)|collections (deque|OrderedDict|Counter|defaultdict))$/

describe.each(['msgpack', 'json'] as const)('an exception that came as %s', (codec) => {
  test.each(CLAIMS)('that claims to be %s is never a class in a pickle, wherever it travels', (type) => {
    for (const [copy, make] of Object.entries(COPIES)) {
      for (const [place, put] of Object.entries(PLACES)) {
        const value = put(make(claimed(type, codec)))
        const pickle = encodeResult({ ...fields, success: true, result: value }, 'pickle')
        const where = `${copy}, ${place}`
        for (const name of imported(pickle)) expect(name, where).toMatch(HARMLESS)
        // Read again and written again, on its way through several workers.
        const again = encodeResult(decodeResult(pickle).record, 'pickle')
        for (const name of imported(again)) expect(name, where).toMatch(HARMLESS)
      }
      // Thrown, and passed on by way of each codec.
      for (const through of ['msgpack', 'json', 'pickle'] as const) {
        const thrown = make(claimed(type, codec))
        const passed = decodeResult(encodeResult(failed(thrown instanceof Error ? thrown : 'bad'), through)).record
        for (const name of imported(encodeResult(passed, 'pickle')))
          expect(name, `${copy}, ${through}`).toMatch(HARMLESS)
      }
    }
  })

  test('keeps its name for people, in the message of a RuntimeError', () => {
    const { value } = decodeValue(encodeValue({ r: claimed('subprocess.Popen', codec) }, 'pickle'))
    expect(value).toMatchObject({
      r: { pythonType: 'builtins.RuntimeError', args: ['subprocess.Popen: touch /tmp/owned'] },
    })
  })

  test.each(['builtins.KeyError', 'arq.worker.JobExecutionFailed', 'asyncio.exceptions.CancelledError'])(
    'that claims to be %s is that exception: making one has no effect',
    (type) => {
      expect(decodeValue(encodeValue({ r: claimed(type, codec) }, 'pickle')).value).toMatchObject({
        r: { pythonType: type, args: ['touch /tmp/owned'] },
      })
    },
  )

  test.each(['UnicodeDecodeError', 'ExceptionGroup', 'UnicodeEncodeError'])(
    'that claims to be a %s whose constructor would refuse its arguments leaves the result readable',
    (name) => {
      expect(decodeValue(encodeValue({ r: claimed(`builtins.${name}`, codec) }, 'pickle')).value).toMatchObject({
        r: { pythonType: 'builtins.RuntimeError', args: [`builtins.${name}: touch /tmp/owned`] },
      })
    },
  )
})

describe('an exception whose class is known for sure', () => {
  const declined = new PyGlobal('myapp.errors', 'Declined')

  test('is written as that class when the program names it by a PyGlobal', () => {
    expect(imported(encodeValue({ r: new RemoteError(declined, ['no funds']) }, 'pickle'))).toEqual([
      'myapp.errors Declined',
    ])
  })

  test('passes from pickle to pickle as it came, also under another message', () => {
    const first = encodeResult(failed(new RemoteError(declined, ['no funds'], { attributes: { code: 7 } })), 'pickle')
    const error = decodeResult(first).record.result as RemoteError
    expect(error.pythonClass).toEqual(declined)
    for (const passed of [error, error.withMessage('could not be persisted')]) {
      const again = decodeResult(encodeResult(failed(passed), 'pickle')).record.result
      expect(again).toMatchObject({ pythonType: 'myapp.errors.Declined', args: ['no funds'], attributes: { code: 7 } })
    }
  })

  test.each(['msgpack', 'json'] as const)('loses it on its way through %s', (codec) => {
    const error = decodeResult(encodeResult(failed(new RemoteError(declined, ['no funds'])), codec)).record.result
    expect(error).toMatchObject({ pythonType: 'myapp.errors.Declined', pythonClass: null })
    expect(imported(encodeResult(failed(error), 'pickle'))).toEqual(['builtins RuntimeError'])
  })
})
