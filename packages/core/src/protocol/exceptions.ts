import { RemoteError } from '../errors.ts'

/** JavaScript's and our own errors, by the Python exceptions that mean the same. */
const PYTHON_TYPES: Readonly<Record<string, string>> = {
  TypeError: 'builtins.TypeError',
  ArgumentsError: 'builtins.TypeError',
  RangeError: 'builtins.ValueError',
  SyntaxError: 'builtins.ValueError',
  JobFailedError: 'arq.worker.JobExecutionFailed',
  JobAbortedError: 'asyncio.exceptions.CancelledError',
  JobTimeoutError: 'builtins.TimeoutError',
  Error: 'builtins.RuntimeError',
  NonRetryableError: 'builtins.RuntimeError',
}

/** An error as Python will raise it. One Python has no word for becomes a RuntimeError that begins with its name. */
export function toRemoteError(error: Error): RemoteError {
  if (error instanceof RemoteError) return error
  const type = Object.hasOwn(PYTHON_TYPES, error.name) ? PYTHON_TYPES[error.name] : undefined
  if (type === 'asyncio.exceptions.CancelledError') return new RemoteError(type)
  if (type !== undefined) return new RemoteError(type, [error.message])
  return new RemoteError('builtins.RuntimeError', [`${error.name}: ${error.message}`])
}

/** The key under which codecs without exceptions carry one. */
const MARK = '__exception__'

/** An exception for msgpack and JSON: `{"__exception__": "builtins.ValueError", "args": […], "message": "…"}`. */
export function toExceptionMap(error: Error): Record<string, unknown> {
  const { pythonType, args, message } = toRemoteError(error)
  return { [MARK]: pythonType, args, message }
}

/** Reads such a map; undefined when it is none. */
export function fromExceptionMap(value: unknown): RemoteError | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { [MARK]: type, args, message } = value as Record<string, unknown>
  if (typeof type !== 'string') return undefined
  return new RemoteError(type, Array.isArray(args) ? args : [], typeof message === 'string' ? { message } : {})
}
