import { ArgumentsError, JobAbortedError, JobFailedError, JobTimeoutError, RemoteError } from '../errors.ts'
import { PyGlobal, PyObject } from './py-object.ts'

const MESSAGE_LENGTH = 1_000
const LARGE = 1n << 256n

const BUILTIN_EXCEPTIONS = new Set(
  `ArithmeticError AssertionError AttributeError BaseException BaseExceptionGroup BlockingIOError BrokenPipeError
  BufferError BytesWarning ChildProcessError ConnectionAbortedError ConnectionError ConnectionRefusedError
  ConnectionResetError DeprecationWarning EOFError EncodingWarning EnvironmentError Exception ExceptionGroup
  FileExistsError FileNotFoundError FloatingPointError FutureWarning GeneratorExit IOError ImportError ImportWarning
  IndentationError IndexError InterruptedError IsADirectoryError KeyError KeyboardInterrupt LookupError MemoryError
  ModuleNotFoundError NameError NotADirectoryError NotImplementedError OSError OverflowError
  PendingDeprecationWarning PermissionError ProcessLookupError PythonFinalizationError RecursionError ReferenceError
  ResourceWarning RuntimeError RuntimeWarning StopAsyncIteration StopIteration SyntaxError SyntaxWarning SystemError
  SystemExit TabError TimeoutError TypeError UnboundLocalError UnicodeDecodeError UnicodeEncodeError UnicodeError
  UnicodeTranslateError UnicodeWarning UserWarning ValueError Warning ZeroDivisionError`.split(/\s+/),
)

/** By name alone: a class of `builtins`, or one of arq's and asyncio's that is an exception. */
export function isKnownException(module: string, name: string): boolean {
  if (module === 'builtins') return BUILTIN_EXCEPTIONS.has(name)
  return (
    /^(asyncio|arq|concurrent\.futures)(\.|$)/.test(module) &&
    /^(?=[A-Z])\w*(Error|Failed|NotFound|Retry|RetryJob|FailedJobs)$/.test(name)
  )
}

/**
 * Errors that came as a map. Their class is a mere claim: written as a global, whoever may write msgpack could have
 * `subprocess.Popen` called in a fleet that reads pickle.
 */
const claimed = new WeakSet<RemoteError>()

/** The error as an exception Python will raise: a class by module and name, and its args. */
export function toPythonException(error: Error): {
  module: string
  name: string
  args: readonly unknown[]
  state: unknown
} {
  const remote = toRemoteError(error)
  const { pythonType, module, args, attributes: state } = remote
  const name = pythonType.startsWith(`${module}.`)
    ? pythonType.slice(module.length + 1)
    : pythonType.slice(pythonType.lastIndexOf('.') + 1)
  const importable = isKnownException(module, name) || (module !== 'builtins' && !claimed.has(remote))
  if (importable) return { module, name, args, state }
  return { module: 'builtins', name: 'RuntimeError', args: [remote.message], state: undefined }
}

/**
 * An error by the Python exception that means the same. One that Python has no word for becomes a RuntimeError that
 * begins with its name.
 */
export function toRemoteError(error: Error): RemoteError {
  if (error instanceof RemoteError) return error
  const message = String(error.message)
  if (error instanceof JobFailedError) return new RemoteError('arq.worker.JobExecutionFailed', [message])
  if (error instanceof JobAbortedError) return new RemoteError('asyncio.exceptions.CancelledError')
  if (error instanceof JobTimeoutError) return new RemoteError('builtins.TimeoutError', [message])
  // JavaScript's own by their names: they may come from another realm.
  if (error instanceof ArgumentsError || error.name === 'TypeError')
    return new RemoteError('builtins.TypeError', [message])
  if (error.name === 'RangeError') return new RemoteError('builtins.ValueError', [message])
  return new RemoteError('builtins.RuntimeError', [error.name === 'Error' ? message : `${error.name}: ${message}`])
}

/** An exception read from a pickle. */
export function readException(module: string, name: string, args: readonly unknown[], state?: unknown): RemoteError {
  const attributes = state === undefined ? {} : { attributes: state }
  return new RemoteError(`${module}.${name}`, args, { message: describe(name, args), module, ...attributes })
}

/** As Python prints it, for humans and bounded: args may be shared so often that printing all of them never ends. */
function describe(name: string, args: readonly unknown[]): string {
  if (args.length === 0) return name
  if (args.length === 1) return `${name}: ${curtail(brief(args[0]), MESSAGE_LENGTH)}`
  const parts = args
    .slice(0, 10)
    .map((arg) => (typeof arg === 'string' ? `'${curtail(arg, 100)}'` : curtail(brief(arg), 100)))
  return `${name}: (${parts.join(', ')}${args.length > 10 ? ', …' : ''})`
}

function brief(value: unknown): string {
  switch (typeof value) {
    case 'bigint':
      return value > LARGE || value < -LARGE ? '<large integer>' : String(value)
    case 'object':
      break
    default:
      return String(value)
  }
  if (value === null) return 'None'
  if (value instanceof Error) return value.message
  if (value instanceof Uint8Array) return `${value.length} bytes`
  if (Array.isArray(value)) return `[${value.length} items]`
  if (value instanceof Map || value instanceof Set) return `{${value.size} items}`
  if (value instanceof PyObject || value instanceof PyGlobal) return String(value)
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype ? '{…}' : `<${(prototype as object | null)?.constructor.name ?? 'map'}>`
}

function curtail(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text
}

/** The key under which codecs without exceptions carry one. */
const MARK = '__exception__'

/** An exception for msgpack and JSON: `{"__exception__": "builtins.ValueError", "args": […], "message": "…"}`. */
export function toExceptionMap(error: Error): { [MARK]: string; args: readonly unknown[]; message: string } {
  const { pythonType, args, message } = toRemoteError(error)
  return { [MARK]: pythonType, args, message }
}

/** Reads such a map; undefined when it is none. */
export function fromExceptionMap(value: unknown): RemoteError | undefined {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, MARK)) return undefined
  const { [MARK]: type, args: given, message } = value as Record<string, unknown>
  if (typeof type !== 'string') return undefined
  const args = Array.isArray(given) ? (given as unknown[]) : []
  const name = type.slice(type.lastIndexOf('.') + 1)
  const error = new RemoteError(type, args, { message: typeof message === 'string' ? message : describe(name, args) })
  claimed.add(error)
  return error
}
