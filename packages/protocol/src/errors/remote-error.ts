import { truncate } from '../values/escape.ts'
import { repr } from '../values/repr.ts'
import { Decimal, PlainDate, PlainTime, PyGlobal, Tuple, Uuid } from '../values/values.ts'
import { ArqError } from './wire-errors.ts'

/**
 * An exception that crossed the wire: raised by a Python worker, or by a handler in another process.
 * A handler may throw one to fail with a Python exception of its choice. A builtin, or one of asyncio's or arq's, is
 * named by a string; a class of your own by a `PyGlobal`:
 *
 * ```ts
 * throw new RemoteError('builtins.KeyError', ['color'])
 * throw new RemoteError(new PyGlobal('myapp.errors', 'Declined'), ['no funds'])
 * ```
 *
 * A pickle that names a class makes its reader import and call it, and a string may come from data: from a msgpack or
 * JSON result, whose author may have written `subprocess.Popen`. A `PyGlobal` never does: only pickles and the program's
 * own code make one. So a class named by a string alone, unless it is a known exception, is written to pickles as a
 * `RuntimeError` whose message begins with that name.
 */
export class RemoteError extends ArqError {
  /** `ARQ_REMOTE`, or the code of an error of JavaScript that had one. */
  readonly code: string = 'ARQ_REMOTE'
  /** The dotted name Python knows it by, such as `builtins.ValueError`. */
  readonly pythonType: string
  /** The exception's `args`. */
  readonly args: readonly unknown[]
  /** Its module, where the rest of `pythonType` has dots of its own (a nested class). */
  readonly module: string
  /** Its `__dict__`, when it has one. */
  readonly attributes: unknown
  /** Private, so that neither data nor a copy of the public fields sets it. */
  readonly #pythonClass: PyGlobal | null

  /**
   * @param type - A `PyGlobal` is written to pickles as that class; a string only where it names a known exception.
   * @param args - The exception's `args`.
   * @param details - `module` says where the module ends in a string with further dots; a `PyGlobal` knows its own.
   */
  constructor(
    type: string | PyGlobal,
    args: readonly unknown[] = [],
    details: { message?: string; module?: string; attributes?: unknown } = {},
  ) {
    const isClass = type instanceof PyGlobal
    const pythonType = isClass ? `${type.module}.${type.name}` : type
    super(details.message ?? messageOf(pythonType.slice(pythonType.lastIndexOf('.') + 1), args))
    this.#pythonClass = isClass ? type : null
    this.pythonType = pythonType
    this.args = args
    this.module = isClass ? type.module : (details.module ?? moduleOf(pythonType))
    this.attributes = details.attributes
  }

  /** The class, where a pickle or the program itself named it; null where the name is only a string's claim. */
  get pythonClass(): PyGlobal | null {
    return #pythonClass in this ? this.#pythonClass : null
  }

  /** The same exception under another message; a class stays a class, a claim stays a claim. */
  withMessage(message: string): RemoteError {
    const { args, attributes, module, pythonType } = this
    return new RemoteError(this.pythonClass ?? pythonType, args, { message, module, attributes })
  }
}

function moduleOf(pythonType: string): string {
  return pythonType.includes('.') ? pythonType.slice(0, pythonType.lastIndexOf('.')) : 'builtins'
}

const MESSAGE_LENGTH = 1_000

/** The exception as Python prints it: `ValueError: bad`, `KeyError: 'missing'`, `ValueError: (1, 'two')`. */
function messageOf(name: string, args: readonly unknown[]): string {
  if (args.length === 0) return name
  try {
    return `${name}: ${args.length === 1 ? textOf(name, args[0]) : repr(Tuple.adopt(args.slice(0, MESSAGE_LENGTH)), MESSAGE_LENGTH)}`
  } catch {
    // Exceptions hold anything, also what throws when it is looked at.
    return name
  }
}

/** One argument as Python's `str` has it. */
function textOf(name: string, arg: unknown): string {
  if (typeof arg === 'string' && name !== 'KeyError') return truncate(arg, MESSAGE_LENGTH)
  const isText = arg instanceof Decimal || arg instanceof Uuid || arg instanceof PlainDate || arg instanceof PlainTime
  return isText ? String(arg) : repr(arg, MESSAGE_LENGTH)
}
