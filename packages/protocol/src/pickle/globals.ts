/**
 * Constructions of a pickle. Nothing named in it is ever resolved or called: the table below says which constructions
 * we understand as data; everything else stays an inert PyObject.
 */
import { DecodeError, RemoteError } from '../errors.ts'
import { readException } from '../values/exceptions.ts'
import { isKnownException } from '../values/known-exceptions.ts'
import { latin1Bytes } from '../values/bytes.ts'
import { narrow } from '../values/integers.ts'
import { COST } from '../values/limits.ts'
import type { DecodeBudget } from '../values/limits.ts'
import {
  ByteArray,
  Complex,
  Counter,
  DateTime,
  Decimal,
  DefaultDict,
  Deque,
  Fraction,
  FrozenSet,
  OrderedDict,
  PlainDate,
  PlainTime,
  PyGlobal,
  PyObject,
  Range,
  TimeDelta,
  TimeZone,
  Tuple,
  Uuid,
  ZoneInfo,
} from '../values/values.ts'
import type { TzInfo } from '../values/values.ts'

type Args = readonly unknown[]
/** Uint8Array and ByteArray, by what they are made from. */
export type BytesType = { new (length: number): Uint8Array; new (bytes: ArrayLike<number>): Uint8Array }
/** Bound on the name of a global, module and name together. */
export const MAX_NAME_LENGTH = 1_000

type Construct = (args: Args, budget: DecodeBudget) => unknown

/** Constructions known by name; each gives undefined for arguments it does not know, which leaves them inert. */
const KNOWN: ReadonlyMap<string, Construct> = new Map<string, Construct>([
  ['builtins.bytes', (args, budget) => bytesOf(args, budget, Uint8Array)],
  ['builtins.bytearray', (args, budget) => bytesOf(args, budget, ByteArray)],
  ['_codecs.encode', (args, budget) => (args.length === 2 ? bytesOf(args, budget, Uint8Array) : undefined)],
  ['builtins.set', (args, budget) => copy(args, budget, (items) => addAll(new Set(), items, budget), COST.set)],
  [
    'builtins.frozenset',
    (args, budget) => copy(args, budget, (items) => addAll(new FrozenSet(), items, budget), COST.set),
  ],
  ['builtins.tuple', (args, budget) => copy(args, budget, (items) => Tuple.adopt([...items]), COST.tuple)],
  ['builtins.list', (args, budget) => copy(args, budget, (items) => [...items], COST.list)],
  ['builtins.dict', (args) => (args.length === 0 ? {} : undefined)],
  [
    'builtins.complex',
    ([re, im, ...more]) => (isNumber(re) && isNumber(im) && more.length === 0 ? new Complex(re, im) : undefined),
  ],
  [
    'builtins.range',
    (args) =>
      args.length === 3 && args.every(isInteger) ? new Range(...(args as [number, number, number])) : undefined,
  ],
  ['builtins.getattr', attribute],
  ['copyreg._reconstructor', reconstruct],
  ['collections.OrderedDict', (args) => (args.length === 0 ? new OrderedDict() : undefined)],
  ['collections.defaultdict', defaultDict],
  ['collections.Counter', counter],
  ['collections.deque', deque],
  ['datetime.datetime', dateTime],
  ['datetime.date', ([raw]) => (isBytes(raw, 4) ? new PlainDate(raw) : undefined)],
  ['datetime.time', ([raw, zone]) => (isBytes(raw, 6) && isZone(zone) ? new PlainTime(raw, zone ?? null) : undefined)],
  [
    'datetime.timedelta',
    (args) => (args.length <= 3 && args.every(isSafe) ? new TimeDelta(...(args as number[])) : undefined),
  ],
  ['datetime.timezone', timeZone],
  ['zoneinfo.ZoneInfo._unpickle', zoneInfo],
  ['zoneinfo.ZoneInfo', zoneInfo],
  ['decimal.Decimal', ([text]) => (typeof text === 'string' ? new Decimal(text) : undefined)],
  ['fractions.Fraction', fraction],
  ['uuid.UUID', ([text]) => (typeof text === 'string' && UUID.test(text) ? new Uuid(text.toLowerCase()) : undefined)],
])

/** `callee(*args)` as data. */
export function reduce(callee: unknown, args: unknown, budget: DecodeBudget): unknown {
  if (!(args instanceof Tuple))
    throw new DecodeError('not a valid pickle: it calls something with arguments that are no tuple')
  budget.take(COST.object)
  if (callee instanceof PyGlobal) {
    const known = KNOWN.get(`${callee.module}.${callee.name}`)?.(args, budget)
    if (known !== undefined) return known
    if (isKnownException(callee.module, callee.name)) {
      const error = readException(callee, args)
      budget.take(COST.error + 4 * error.message.length)
      return error
    }
    return new PyObject(callee, 'reduce', args)
  }
  if (callee instanceof PyObject) return new PyObject(callee, 'reduce', args)
  throw new DecodeError('not a valid pickle: it calls something that has no name')
}

/** `callee.__new__(callee, *args, **kwargs)` as data. */
export function construct(callee: unknown, args: unknown, budget: DecodeBudget, kwargs?: unknown): unknown {
  if (!(callee instanceof PyGlobal) || !(args instanceof Tuple))
    throw new DecodeError('not a valid pickle: it makes an instance of something that is no class')
  budget.take(COST.object)
  if (isUuid(callee) && args.length === 0) return new Uuid()
  return new PyObject(callee, 'new', args, kwargs)
}

/** Gives an object its state, as `__setstate__` would. */
export function build(object: unknown, state: unknown): void {
  if (object instanceof PyObject) object.state = state
  else if (object instanceof RemoteError) (object as { attributes: unknown }).attributes = state
  else if (object instanceof Uuid) (object as { text: string }).text = uuidText(state)
  else throw new DecodeError('not a valid pickle: it gives a state to a value that has none')
}

/** A pickle makes the UUID first and sets its number after. */
function uuidText(state: unknown): string {
  const int: unknown = (state as { int?: unknown } | null)?.int
  const number = typeof int === 'bigint' || isSafe(int) ? BigInt(int) : -1n
  if (number < 0n || number >> 128n !== 0n) throw new DecodeError('not a valid pickle: a UUID is no 128-bit number')
  const hex = number.toString(16).padStart(32, '0')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

function isUuid({ module, name }: PyGlobal): boolean {
  return module === 'uuid' && name === 'UUID'
}

/** Names an attribute of a global, as protocols 0 to 3 do for what protocol 4 gives a dotted name. */
function attribute([of, name]: Args): unknown {
  return of instanceof PyGlobal && typeof name === 'string' && of.name.length + name.length < MAX_NAME_LENGTH
    ? new PyGlobal(of.module, `${of.name}.${name}`)
    : undefined
}

/** Instances of protocols 0 and 1: (class, base, state of the base). */
function reconstruct([type, base, state]: Args): unknown {
  if (!(type instanceof PyGlobal) || !(base instanceof PyGlobal)) return undefined
  if (isUuid(type)) return new Uuid()
  return new PyObject(type, 'reconstruct', [base, state])
}

/** Copies a container and charges the budget for it: the same list may be given to a million sets. */
function copy(args: Args, budget: DecodeBudget, make: (items: unknown[]) => unknown, cost: number): unknown {
  const [items = []] = args
  if (args.length > 1 || !Array.isArray(items)) return undefined
  budget.take(cost + items.length * COST.entry)
  return make(items)
}

function addAll(set: Set<unknown>, items: unknown[], budget: DecodeBudget): Set<unknown> {
  for (const item of items) {
    budget.key(item)
    set.add(item)
  }
  return set
}

/** Protocols 0 to 2 write bytes as latin-1 text and its encoding. */
function bytesOf(args: Args, budget: DecodeBudget, type: BytesType): Uint8Array | undefined {
  const [value, encoding] = args
  if (args.length === 0) return new type(0)
  if (value instanceof Uint8Array && args.length === 1) {
    budget.take(COST.bytes + value.length)
    return new type(value)
  }
  if (typeof value !== 'string' || (encoding !== 'latin1' && encoding !== 'latin-1')) return undefined
  budget.take(COST.bytes + value.length)
  return new type(latin1Bytes(value))
}

function deque([items, max = null]: Args): unknown {
  if (!(items === undefined || (Array.isArray(items) && items.length === 0)) || !(max === null || isSafe(max)))
    return undefined
  const out = new Deque()
  out.maxLength = max as number | null
  return out
}

function defaultDict([factory, ...more]: Args): unknown {
  if (more.length > 0) return undefined
  const out = new DefaultDict()
  out.factory = factory ?? null
  return out
}

function counter([counts, ...more]: Args, budget: DecodeBudget): unknown {
  if (more.length > 0) return undefined
  const entries: Iterable<[unknown, unknown]> | undefined =
    counts === undefined ? [] : counts instanceof Map ? counts : isDict(counts) ? Object.entries(counts) : undefined
  if (!entries) return undefined
  const out = new Counter()
  for (const [key, count] of entries) {
    budget.take(COST.entry)
    budget.key(key)
    out.set(key, count)
  }
  return out
}

function dateTime([raw, zone]: Args, budget: DecodeBudget): unknown {
  if (!isBytes(raw, 10) || !isZone(zone)) return undefined
  const month = (raw[2] as number) & 0x7f
  if (month < 1 || month > 12) return undefined
  if (zone instanceof ZoneInfo) budget.take(COST.zoned)
  return new DateTime(raw, zone ?? null)
}

function zoneInfo([key]: Args): unknown {
  return typeof key === 'string' && key.length <= 100 ? new ZoneInfo(key) : undefined
}

function timeZone([offset, label = null]: Args): unknown {
  return offset instanceof TimeDelta && (label === null || typeof label === 'string')
    ? new TimeZone(offset, label)
    : undefined
}

function fraction(args: Args, budget: DecodeBudget): unknown {
  const [numerator, denominator] =
    typeof args[0] === 'string' && args.length === 1 ? fractionParts(args[0], budget) : args
  if (args.length > 2 || !isInteger(numerator) || !isInteger(denominator) || denominator <= 0) return undefined
  return new Fraction(numerator, denominator)
}

/** Python 3.11 and older write a string, `1/3` or `2`. */
function fractionParts(text: string, budget: DecodeBudget): unknown[] {
  budget.take(text.length * COST.slot)
  const [, numerator, denominator = '1'] = /^(-?\d{1,4300})(?:\/(\d{1,4300}))?$/.exec(text) ?? []
  return numerator === undefined ? [] : [narrow(BigInt(numerator)), narrow(BigInt(denominator))]
}

export function isDict(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}

function isZone(value: unknown): value is TzInfo | undefined {
  return (
    value === undefined ||
    value === null ||
    value instanceof TimeZone ||
    value instanceof ZoneInfo ||
    value instanceof PyObject ||
    value instanceof PyGlobal
  )
}

function isBytes(value: unknown, length: number): value is Uint8Array {
  return value instanceof Uint8Array && value.length === length
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number'
}

function isSafe(value: unknown): value is number {
  return Number.isSafeInteger(value)
}

function isInteger(value: unknown): value is number | bigint {
  return typeof value === 'bigint' || Number.isSafeInteger(value)
}
