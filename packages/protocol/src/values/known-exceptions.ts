import { MAX_DEFER_MS } from '../errors/max-defer.ts'
import { fromEntries, orderedEntries } from './key-order.ts'

/**
 * The exceptions that a pickle may name whoever says so. All are classes of the standard library or of arq whose import
 * and construction have no effect; the list is exact, since a pattern would let data choose a module to import. Those that
 * came with Python 3.12 or later are left out: an older one could not read the pickle.
 */
export const KNOWN_EXCEPTIONS: Readonly<Record<string, readonly string[]>> = {
  builtins: names(`ArithmeticError AssertionError AttributeError BaseException BaseExceptionGroup BlockingIOError
    BrokenPipeError BufferError BytesWarning ChildProcessError ConnectionAbortedError ConnectionError
    ConnectionRefusedError ConnectionResetError DeprecationWarning EOFError EncodingWarning EnvironmentError Exception
    ExceptionGroup FileExistsError FileNotFoundError FloatingPointError FutureWarning GeneratorExit IOError ImportError
    ImportWarning IndentationError IndexError InterruptedError IsADirectoryError KeyError KeyboardInterrupt LookupError
    MemoryError ModuleNotFoundError NameError NotADirectoryError NotImplementedError OSError OverflowError
    PendingDeprecationWarning PermissionError ProcessLookupError RecursionError ReferenceError
    ResourceWarning RuntimeError RuntimeWarning StopAsyncIteration StopIteration SyntaxError SyntaxWarning SystemError
    SystemExit TabError TimeoutError TypeError UnboundLocalError UnicodeDecodeError UnicodeEncodeError UnicodeError
    UnicodeTranslateError UnicodeWarning UserWarning ValueError Warning ZeroDivisionError`),
  asyncio: names(`BrokenBarrierError CancelledError IncompleteReadError InvalidStateError LimitOverrunError QueueEmpty
    QueueFull SendfileNotAvailableError TimeoutError`),
  'asyncio.exceptions': names(`BrokenBarrierError CancelledError IncompleteReadError InvalidStateError
    LimitOverrunError SendfileNotAvailableError TimeoutError`),
  'asyncio.queues': names('QueueEmpty QueueFull'),
  'concurrent.futures': names('BrokenExecutor CancelledError InvalidStateError TimeoutError'),
  'concurrent.futures._base': names('BrokenExecutor CancelledError Error InvalidStateError TimeoutError'),
  'concurrent.futures.process': names('BrokenProcessPool'),
  'concurrent.futures.thread': names('BrokenThreadPool'),
  'arq.jobs': names('DeserializationError ResultNotFound SerializationError'),
  'arq.worker': names('FailedJobs JobExecutionFailed Retry RetryJob'),
}

const known: ReadonlySet<string> = new Set(
  Object.entries(KNOWN_EXCEPTIONS).flatMap(([module, classes]) => classes.map((name) => `${module} ${name}`)),
)

/** True for an exception of Python's standard library or of arq, by module and name. */
export function isKnownException(module: string, name: string): boolean {
  return known.has(`${module} ${name}`)
}

type Check = (...args: readonly unknown[]) => boolean

const isText: Check = (value) => typeof value === 'string'
const isIndex: Check = (value) => Number.isInteger(value)
const isSeconds: Check = (value) => typeof value === 'number' && Math.abs(value) <= MAX_DEFER_MS
const isGroup: Check = (...args) =>
  args.length === 2 &&
  isText(args[0]) &&
  Array.isArray(args[1]) &&
  args[1].length > 0 &&
  args[1].every((item) => item instanceof Error)
/** The exceptions that an ExceptionGroup refuses, since they are no `Exception`. */
const BASE_ONLY = /(^|\.)(BaseException|BaseExceptionGroup|CancelledError|GeneratorExit|KeyboardInterrupt|SystemExit)$/
const isOrdinaryGroup: Check = (...args) =>
  isGroup(...args) &&
  (args[1] as (Error & { pythonType?: unknown; code?: unknown })[]).every(
    ({ code, name, pythonType }) =>
      !BASE_ONLY.test(String(pythonType)) && name !== 'AbortError' && code !== 'ARQ_JOB_ABORTED',
  )
const isSyntax: Check = (...args) =>
  args.length !== 2 || (Array.isArray(args[1]) && (args[1].length === 4 || args[1].length === 6))

/** The classes whose constructors refuse some arguments; each other known exception takes any. */
const CONSTRUCTORS: Readonly<Record<string, Check>> = {
  BaseExceptionGroup: isGroup,
  ExceptionGroup: isOrdinaryGroup,
  FailedJobs: (...args) => args.length === 2,
  IncompleteReadError: (partial, expected, ...rest) =>
    partial instanceof Uint8Array && (expected === null || isIndex(expected)) && rest.length === 0,
  IndentationError: isSyntax,
  LimitOverrunError: (message, consumed, ...rest) => isText(message) && isIndex(consumed) && rest.length === 0,
  Retry: (...args) => args.length === 0 || (args.length === 1 && (args[0] === null || isSeconds(args[0]))),
  SyntaxError: isSyntax,
  TabError: isSyntax,
  UnicodeDecodeError: (encoding, object, start, end, reason, ...rest) =>
    isText(encoding) &&
    object instanceof Uint8Array &&
    isIndex(start) &&
    isIndex(end) &&
    isText(reason) &&
    !rest.length,
  UnicodeEncodeError: (encoding, object, start, end, reason, ...rest) =>
    isText(encoding) && isText(object) && isIndex(start) && isIndex(end) && isText(reason) && !rest.length,
  UnicodeTranslateError: (object, start, end, reason, ...rest) =>
    isText(object) && isIndex(start) && isIndex(end) && isText(reason) && !rest.length,
}

/**
 * True where Python's constructor takes these arguments. One that does not would make the whole pickle unreadable, the
 * other fields of a result with it.
 */
export function isConstructible(name: string, args: readonly unknown[]): boolean {
  return CONSTRUCTORS[name]?.(...args) ?? true
}

/** Attributes whose values Python checks: of a wrong type, they would make the whole pickle unreadable. */
const CHECKED = /^(__\w+__|args)$/

/**
 * The `__dict__` of a known exception as far as Python can set it: a dict with text keys, without what Python keeps
 * there itself. Notes are kept.
 */
export function settableState(state: unknown): unknown {
  if (typeof state !== 'object' || state === null) return undefined
  const prototype: unknown = Object.getPrototypeOf(state)
  if (prototype !== Object.prototype && prototype !== null) return undefined
  const isChecked = (key: string) => CHECKED.test(key) && key !== '__notes__'
  if (!Object.keys(state).some(isChecked)) return state
  return fromEntries(orderedEntries(state as Record<string, unknown>).filter(([key]) => !isChecked(key)))
}

function names(list: string): readonly string[] {
  return list.split(/\s+/)
}
