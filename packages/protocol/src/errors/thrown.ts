/**
 * Takes in what a handler or a callback has thrown, before anything else looks at it. JavaScript can throw anything: a getter that throws
 * at its third call, a Proxy, a message of 50 MB. All that settles, logs, records and writes the error comes after this.
 */
import { isError } from '../values/realms.ts'

/** Characters of a message, a stack or a code that are kept; the log and dead letters show fewer. */
const MAX_TEXT = 65_536
/** Length of a string that was shortened, with the words behind it that say so. */
const MAX_SHORTENED = MAX_TEXT + 50
/** Characters of a name that are kept. */
const MAX_NAME = 200
/** Errors within errors that are looked at; nothing of ours reads as many. */
const MAX_CAUSES = 10
/** Own fields of an error that a copy keeps. */
const MAX_FIELDS = 50
const UNREADABLE = 'an error that cannot be read was thrown'

/** Members of an error that are read where a job ends. */
const MEMBERS = ['name', 'message', 'stack', 'code', 'cause', 'deferMs', 'pythonType', 'module', 'args', 'attributes']

/** Newer engines have the stack behind a getter, which is the same one for all errors. */
// oxlint-disable-next-line typescript/unbound-method -- it is compared, never called
const STACK_GETTER = Object.getOwnPropertyDescriptor(new Error(), 'stack')?.get
const DOM_EXCEPTION: object | undefined = globalThis.DOMException?.prototype

/**
 * Converts a thrown value to an Error that can be read any number of times, in bounded time. An error whose members are
 * plain data of a bounded length is returned itself. Of any other each member is read once: a copy of the same class holds
 * what came of it, and says of a long string how long it was. Never throws.
 */
export function asError(thrown: unknown): Error {
  return toError(thrown, 0)
}

function toError(thrown: unknown, depth: number): Error {
  try {
    if (isError(thrown)) return isPlain(thrown, depth) ? thrown : copyOf(thrown, depth)
    if (typeof thrown !== 'object' || thrown === null) {
      const text = String(thrown)
      return new Error(shorten(text), text.length > MAX_TEXT ? undefined : { cause: thrown })
    }
    const { name, message } = thrown as { name?: unknown; message?: unknown }
    if (typeof message !== 'string') return new Error('an object that is no Error was thrown', { cause: thrown })
    const error = new Error(shorten(message), { cause: thrown })
    return typeof name === 'string' ? define(error, 'name', name.slice(0, MAX_NAME)) : error
  } catch {
    return new Error(UNREADABLE)
  }
}

/** True where no member of an error is behind a getter or a Proxy, or of a type or a length that it should not have. */
function isPlain(error: Error, depth: number): boolean {
  if (isDisguised(error)) return false
  const seen = new Set<string>()
  for (let level: object | null = error; level && level !== Object.prototype; level = Object.getPrototypeOf(level)) {
    if (level === DOM_EXCEPTION) continue
    for (const name of MEMBERS) {
      const member = seen.has(name) ? undefined : Object.getOwnPropertyDescriptor(level, name)
      if (member === undefined) continue
      seen.add(name)
      if (member.get === undefined && member.set === undefined) {
        if (!isFit(name, member.value, depth)) return false
      } else if (name !== 'stack' || member.get !== STACK_GETTER || !isFit(name, error.stack, depth)) return false
    }
  }
  // An error without a class, or an object that claims to be one, has neither.
  return typeof error.name === 'string' && typeof error.message === 'string'
}

/**
 * True for a Proxy of an error, and for what only has the class of one. The engine names an error by what it is, unless its
 * class has a name for its instances (`Symbol.toStringTag`, as Prisma's have): a copy of such an error is an error, and a
 * Proxy cannot be copied.
 */
function isDisguised(error: Error): boolean {
  const brand = brandOf(error)
  if (brand === '[object Error]' || brand === '[object DOMException]') return false
  try {
    return brand === '[object Object]' || brandOf(structuredClone(error)) !== '[object Error]'
  } catch {
    return true
  }
}

function brandOf(value: unknown): string {
  return Object.prototype.toString.call(value)
}

function isFit(name: string, value: unknown, depth: number): boolean {
  switch (name) {
    case 'name':
      return typeof value === 'string' && value.length <= MAX_NAME
    case 'message':
      return typeof value === 'string' && value.length <= MAX_SHORTENED
    case 'stack':
      return value === undefined || (typeof value === 'string' && value.length <= 2 * MAX_SHORTENED)
    case 'code':
      return value == null || typeof value === 'number' || (typeof value === 'string' && value.length <= MAX_TEXT)
    case 'cause':
      return isFitCause(value, depth + 1)
    case 'args':
    case 'attributes':
      return isAlive(value)
    default:
      return typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol'
  }
}

/** False for a Proxy that was revoked: nothing can be asked of it. */
function isAlive(value: unknown): boolean {
  try {
    Object.getPrototypeOf(Object(value))
    return true
  } catch {
    return false
  }
}

function isFitCause(cause: unknown, depth: number): boolean {
  if (typeof cause === 'string') return cause.length <= MAX_SHORTENED
  if (typeof cause !== 'object' || cause === null || depth > MAX_CAUSES) return true
  // Readers take a cause that is no error as far as they can read it.
  return isAlive(cause) && (!isError(cause) || isPlain(cause, depth))
}

function copyOf(error: Error, depth: number): Error {
  const read = (name: string): unknown => {
    try {
      return (error as unknown as Record<string, unknown>)[name]
    } catch {
      return undefined
    }
  }
  const message = textIn(read('message')) ?? UNREADABLE
  const name = (textIn(read('name')) ?? 'Error').slice(0, MAX_NAME)
  const copy = new Error(shorten(message))
  if (error instanceof Error && !isDisguised(error)) Object.setPrototypeOf(copy, Object.getPrototypeOf(error) as object)
  define(copy, 'message', copy.message)
  define(copy, 'name', name)
  const stack = read('stack')
  define(copy, 'stack', typeof stack === 'string' ? shortStack(stack, name, message) : `${name}: ${copy.message}`)
  copyFields(error, copy)
  for (const member of MEMBERS.slice(MEMBERS.indexOf('code'))) {
    const value = read(member)
    const kept = member === 'cause' ? causeOf(value, depth + 1) : isFit(member, value, depth) ? value : undefined
    // One without a value still hides the getter of its class.
    const isField = member !== 'cause' && kept !== undefined
    if (kept !== undefined || member in copy) define(copy, member, kept, isField)
  }
  return copy
}

/** Fields that are data; one with a getter is left out, and an error with too many of them or of a Proxy has none. */
function copyFields(error: Error, copy: Error): void {
  try {
    for (const key of Object.keys(error).slice(0, MAX_FIELDS)) {
      const field = MEMBERS.includes(key) ? undefined : Object.getOwnPropertyDescriptor(error, key)
      if (field && 'value' in field) Object.defineProperty(copy, key, field)
    }
  } catch {
    // The members of the error have been read.
  }
}

function causeOf(cause: unknown, depth: number): unknown {
  if (depth > MAX_CAUSES) return undefined
  try {
    if (typeof cause === 'string') return shorten(cause)
    return isFitCause(cause, depth) ? cause : toError(cause, depth)
  } catch {
    return new Error(UNREADABLE)
  }
}

function textIn(value: unknown): string | undefined {
  try {
    return value === undefined ? '' : String(value)
  } catch {
    return undefined
  }
}

/** The frames of a stack stand behind the message. */
function shortStack(stack: string, name: string, message: string): string {
  if (stack.length <= 2 * MAX_SHORTENED) return stack
  const at = message.length > MAX_TEXT ? stack.indexOf(message) : -1
  if (at < 0) return shorten(stack)
  return `${name}: ${shorten(message)}${shorten(stack.slice(at + message.length))}`
}

function shorten(text: string): string {
  if (text.length <= MAX_TEXT) return text
  // Half of a pair of surrogates would be no text.
  return `${text.slice(0, MAX_TEXT).replace(/[\ud800-\udbff]$/, '')}… (${text.length} characters)`
}

function define(error: Error, name: string, value: unknown, enumerable = false): Error {
  return Object.defineProperty(error, name, { value, writable: true, configurable: true, enumerable })
}
