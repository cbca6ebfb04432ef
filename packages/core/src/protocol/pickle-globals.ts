/**
 * What a pickle may name. Nothing named is ever resolved or called: the allow-list below says which constructions we
 * understand as data; everything else stays an inert PyObject.
 */
import { DecodeError, RemoteError } from '../errors.ts'
import { DateTime, Decimal, Deque, FrozenSet, PlainDate, PlainTime, PyGlobal, PyObject, TimeDelta, TimeZone, Tuple, Uuid } from './values.ts'

/** Names of Python 2 that protocols 0 to 2 still write (`_compat_pickle`). */
const PYTHON2_MODULES: Readonly<Record<string, string>> = { __builtin__: 'builtins', copy_reg: 'copyreg', exceptions: 'builtins' }
const PYTHON2_NAMES: Readonly<Record<string, string>> = { xrange: 'range', unicode: 'str', long: 'int', unichr: 'chr' }

export function pythonGlobal(module: string, name: string, protocol: number): PyGlobal {
  if (protocol >= 3 || !Object.hasOwn(PYTHON2_MODULES, module)) return new PyGlobal(module, name)
  const renamed = module === '__builtin__' && Object.hasOwn(PYTHON2_NAMES, name) ? PYTHON2_NAMES[name] : undefined
  return new PyGlobal(PYTHON2_MODULES[module] as string, renamed ?? name)
}

const BUILTIN_EXCEPTIONS = new Set(
  `ArithmeticError AssertionError AttributeError BaseException BaseExceptionGroup BlockingIOError BrokenPipeError BufferError
  BytesWarning ChildProcessError ConnectionAbortedError ConnectionError ConnectionRefusedError ConnectionResetError
  DeprecationWarning EOFError EncodingWarning EnvironmentError Exception ExceptionGroup FileExistsError FileNotFoundError
  FloatingPointError FutureWarning GeneratorExit IOError ImportError ImportWarning IndentationError IndexError
  InterruptedError IsADirectoryError KeyError KeyboardInterrupt LookupError MemoryError ModuleNotFoundError NameError
  NotADirectoryError NotImplementedError OSError OverflowError PendingDeprecationWarning PermissionError ProcessLookupError
  RecursionError ReferenceError ResourceWarning RuntimeError RuntimeWarning StopAsyncIteration StopIteration SyntaxError
  SyntaxWarning SystemError SystemExit TabError TimeoutError TypeError UnboundLocalError UnicodeDecodeError
  UnicodeEncodeError UnicodeError UnicodeTranslateError UnicodeWarning UserWarning ValueError Warning ZeroDivisionError`.split(/\s+/),
)

function isException({ module, name }: PyGlobal): boolean {
  if (module === 'builtins') return BUILTIN_EXCEPTIONS.has(name)
  return /^(asyncio|arq|concurrent\.futures)(\.|$)/.test(module) && /(Error|Exception|Failed|NotFound|Retry|RetryJob|FailedJobs)$/.test(name)
}

type Construct = (args: readonly unknown[]) => unknown

/** Constructions known by name; each gives undefined for arguments it does not know, which leaves them inert. */
const KNOWN: ReadonlyMap<string, Construct> = new Map<string, Construct>([
  ['datetime.datetime', ([raw, zone]) => (isBytes(raw, 10) ? new DateTime(raw, zone ?? null) : undefined)],
  ['datetime.date', ([raw]) => (isBytes(raw, 4) ? new PlainDate(raw) : undefined)],
  ['datetime.time', ([raw, zone]) => (isBytes(raw, 6) ? new PlainTime(raw, zone ?? null) : undefined)],
  ['datetime.timedelta', (args) => (areNumbers(args, 3) ? new TimeDelta(...(args as number[])) : undefined)],
  ['datetime.timezone', ([offset, label]) => (offset instanceof TimeDelta && (label === undefined || typeof label === 'string') ? new TimeZone(offset, label ?? null) : undefined)],
  ['decimal.Decimal', ([text]) => (typeof text === 'string' ? new Decimal(text) : undefined)],
  ['builtins.set', ([items]) => (Array.isArray(items) ? new Set(items) : undefined)],
  ['builtins.frozenset', ([items]) => (Array.isArray(items) ? new FrozenSet(items) : undefined)],
  ['builtins.list', (args) => (args.length === 0 ? [] : undefined)],
  ['builtins.dict', (args) => (args.length === 0 ? {} : undefined)],
  ['builtins.tuple', ([items]) => (Array.isArray(items) ? Tuple.from(items) : undefined)],
  ['builtins.bytes', (args) => (args.length === 0 ? new Uint8Array() : isBytes(args[0]) ? args[0] : undefined)],
  ['builtins.bytearray', bytesOf],
  ['_codecs.encode', bytesOf],
  ['collections.OrderedDict', (args) => (args.length === 0 ? {} : undefined)],
  ['collections.deque', ([items = [], max]) => (Array.isArray(items) && (max === undefined || max === null || typeof max === 'number') ? deque(items, max ?? null) : undefined)],
])

function deque(items: unknown[], maxLength: number | null): Deque {
  const out = Deque.from(items) as Deque
  out.maxLength = maxLength
  return out
}

/** Protocols 0 to 2 write bytes as latin-1 text and its encoding. */
function bytesOf(args: readonly unknown[]): Uint8Array | undefined {
  const [value, encoding] = args
  if (args.length === 0) return new Uint8Array()
  if (isBytes(value)) return value
  if (typeof value !== 'string' || !/^latin-?1$/.test(String(encoding))) return undefined
  const out = new Uint8Array(value.length)
  for (let i = 0; i < value.length; i++) out[i] = value.charCodeAt(i)
  return out
}

/** `type(*args)` as data. */
export function reduce(type: unknown, args: unknown): unknown {
  if (!(type instanceof PyGlobal) || !Array.isArray(args)) throw new DecodeError('a pickle calls something that is no global with arguments')
  const known = KNOWN.get(`${type.module}.${type.name}`)?.(args)
  if (known !== undefined) return known
  if (isException(type)) return new RemoteError(`${type.module}.${type.name}`, args, { module: type.module })
  return new PyObject(type, 'reduce', args)
}

/** `type.__new__(type, *args, **kwargs)` as data. */
export function construct(type: unknown, args: unknown, kwargs?: unknown): unknown {
  if (!(type instanceof PyGlobal) || !Array.isArray(args)) throw new DecodeError('a pickle makes an instance of something that is no class')
  return new PyObject(type, 'new', args, kwargs)
}

/** Gives an object its state, as `__setstate__` would; answers the object, or what it turns out to be. */
export function build(object: unknown, state: unknown): unknown {
  if (object instanceof PyObject) {
    const uuid = object.type.module === 'uuid' && object.type.name === 'UUID' ? uuidOf(state) : undefined
    if (uuid) return uuid
    object.state = state
    return object
  }
  if (object instanceof RemoteError) return Object.assign(object, { attributes: state })
  throw new DecodeError('a pickle gives state to a value that has none')
}

function uuidOf(state: unknown): Uuid | undefined {
  const int: unknown = (state as { int?: unknown } | null)?.int
  if (typeof int !== 'bigint' && typeof int !== 'number') return undefined
  const hex = BigInt(int).toString(16).padStart(32, '0')
  return hex.length === 32 ? new Uuid(hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')) : undefined
}

function isBytes(value: unknown, length?: number): value is Uint8Array {
  return value instanceof Uint8Array && (length === undefined || value.length === length)
}

function areNumbers(values: readonly unknown[], most: number): boolean {
  return values.length <= most && values.every((value) => typeof value === 'number')
}
