import {
  ArgumentsError,
  JobAbortedError,
  JobFailedError,
  JobTimeoutError,
  RemoteError,
  Retry,
  RetryJob,
} from '../errors.ts'
import { isAbortError } from '../errors/abort-error.ts'
import { DETAILS, detailsOf } from './error-details.ts'
import { expectArgument } from './expect-argument.ts'
import { isConstructible, isKnownException, settableState } from './known-exceptions.ts'
import { PyGlobal } from './py-object.ts'

export { restoreDetails } from './error-details.ts'

/** An exception as a pickle makes it: a class by module and name, its args and its `__dict__`. */
export interface PythonException {
  module: string
  name: string
  args: readonly unknown[]
  state: unknown
}

/**
 * The error as an exception that Python raises. The class is named only where the program or a pickle chose it, or
 * where it is a known exception: whatever else a string says becomes the message of a RuntimeError. So does a known one
 * that Python could not make of these arguments, since that would make the whole pickle unreadable.
 */
export function toPythonException(error: Error): PythonException {
  const remote = toRemoteError(error)
  const { args, attributes, pythonClass } = remote
  // Checked, since a subclass may have shadowed it with what came as data.
  const chosen = pythonClass instanceof PyGlobal ? pythonClass : null
  const module = chosen?.module ?? remote.module
  const name = chosen?.name ?? remote.pythonType.slice(remote.pythonType.lastIndexOf('.') + 1)
  if (!isKnownException(module, name)) {
    if (chosen) return { module, name, args, state: attributes }
  } else if (isConstructible(name, args)) return { module, name, args, state: settableState(attributes) }
  return { module: 'builtins', name: 'RuntimeError', args: [textOf(remote)], state: undefined }
}

/** The message of an error whose class is lost, which begins with the name of that class. */
function textOf({ message, pythonType }: RemoteError): string {
  const name = pythonType.slice(pythonType.lastIndexOf('.') + 1)
  if (message.startsWith(pythonType)) return message
  return message.startsWith(name) ? `${pythonType}${message.slice(name.length)}` : `${pythonType}: ${message}`
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
  if (error instanceof JobTimeoutError) return new RemoteError('asyncio.exceptions.TimeoutError', [message])
  if (error instanceof Retry) {
    const args = error.deferMs === 0 ? [] : [error.deferMs / 1_000]
    return new RemoteError('arq.worker.Retry', args, { message, attributes: { defer_score: error.deferMs || null } })
  }
  if (error instanceof RetryJob) return new RemoteError('arq.worker.RetryJob', message === '' ? [] : [message])
  if (isAbortError(error)) return new RemoteError('asyncio.exceptions.CancelledError')
  if (error instanceof ArgumentsError) return new RemoteError('builtins.TypeError', [message])
  const details = detailsOf(error)
  const about = details ? { attributes: { [DETAILS]: details } } : {}
  // JavaScript's own by their names: they may come from another realm.
  if (error.name === 'TypeError') return new RemoteError('builtins.TypeError', [message], about)
  if (error.name === 'RangeError') return new RemoteError('builtins.ValueError', [message], about)
  return new RemoteError(
    'builtins.RuntimeError',
    [error.name === 'Error' ? message : `${error.name}: ${message}`],
    about,
  )
}

/** An exception read from a pickle. */
export function readException(type: PyGlobal, args: readonly unknown[], state?: unknown): RemoteError {
  const attributes = state === undefined ? {} : { attributes: state }
  return new RemoteError(type, args, attributes)
}

/** The key under which codecs without exceptions carry one. */
const MARK = '__exception__'

/** The details of an exception of JavaScript, where it has any that its Python class does not say. */
export function detailsIn(error: RemoteError): unknown {
  if (!((error as unknown) instanceof Error)) expectArgument('detailsIn', 'error', false, 'a RemoteError', error)
  const { attributes } = error
  return typeof attributes === 'object' && attributes !== null && Object.hasOwn(attributes, DETAILS)
    ? (attributes as Record<string, unknown>)[DETAILS]
    : undefined
}

/** An exception as msgpack and JSON have it. */
interface ExceptionMap {
  [MARK]: string
  args: readonly unknown[]
  message: string
  [DETAILS]?: unknown
}

/** An exception for msgpack and JSON: `{"__exception__": "builtins.ValueError", "args": […], "message": "…"}`. */
export function toExceptionMap(error: Error): ExceptionMap {
  const remote = toRemoteError(error)
  const { pythonType, args, message } = remote
  const details = detailsIn(remote)
  return { [MARK]: pythonType, args, message, ...(details === undefined ? {} : { [DETAILS]: details }) }
}

/** Reads such a map; undefined when it is none. */
export function fromExceptionMap(value: unknown): RemoteError | undefined {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, MARK)) return undefined
  const { [MARK]: type, [DETAILS]: details, args: given, message } = value as Record<string, unknown>
  if (typeof type !== 'string') return undefined
  const args = Array.isArray(given) ? (given as unknown[]) : []
  return new RemoteError(type, args, {
    ...(typeof message === 'string' ? { message } : {}),
    ...(details === undefined ? {} : { attributes: { [DETAILS]: details } }),
  })
}
