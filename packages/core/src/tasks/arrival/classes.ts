import type { CodecName } from '@arq-ts/protocol/jobs'
import { ByteArray, Decimal, Fraction, Uuid } from '@arq-ts/protocol/values'
import { arrivesAsIs, Refusal } from './as-is.ts'
import type { Path } from './as-is.ts'

/** The ISO form in which JSON carries dates, ours and Python's. */
const ISO_DATE = /^[+-]?\d{4,6}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/

export function toDate(value: unknown): unknown {
  if (typeof value !== 'string' || !ISO_DATE.test(value)) return value
  const date = new Date(value)
  return Number.isNaN(date.getTime()) ? value : date
}

/** A safe integer as a bigint. */
export function toBigInt(value: unknown): unknown {
  return typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value
}

/** An instance made of its text, or the value itself where the text is none of its kind. */
function fromText(make: (text: string) => unknown): (value: unknown) => unknown {
  return (value) => {
    if (typeof value !== 'string') return value
    try {
      return make(value)
    } catch {
      return value
    }
  }
}

function toFraction(text: string): Fraction {
  const [, numerator, denominator = '1'] = /^(-?\d+)(?:\/(\d+))?$/.exec(text) ?? []
  return new Fraction(BigInt(numerator!), BigInt(denominator))
}

/** Classes for `z.instanceof(…)` that come through every codec, and what makes an instance of what a codec gives. */
const CARRIED = new Map<unknown, (value: unknown) => unknown>([
  [Uint8Array, (value) => value],
  [Date, toDate],
  [Decimal, fromText((text) => new Decimal(text))],
  [Fraction, fromText(toFraction)],
  [Uuid, fromText((text) => new Uuid(text))],
  [URL, fromText((text) => new URL(text))],
  [ByteArray, (value) => (value instanceof Uint8Array && !(value instanceof ByteArray) ? new ByteArray(value) : value)],
  [
    Buffer,
    (value) =>
      value instanceof Uint8Array && !Buffer.isBuffer(value)
        ? Buffer.from(value.buffer, value.byteOffset, value.byteLength)
        : value,
  ],
  [Map, (value) => (isDict(value) ? new Map(Object.entries(value)) : value)],
  [Set, (value) => (Array.isArray(value) ? new Set(value) : value)],
])

function isDict(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}

/** Makes an instance of the class from what a codec gives of one. */
export function toInstance(type: unknown, value: unknown): unknown {
  return CARRIED.get(type)?.(value) ?? value
}

/** @throws Refusal for an instance that no codec, or not this one, gives back. */
export function checkInstance(type: unknown, value: unknown, codec: CodecName, path: Path): void {
  if (value instanceof Map) for (const [key, item] of value) checkBoth(key, item, codec, path)
  else if (value instanceof Set) for (const item of value) arrivesAsIs(item, codec, path)
  if (CARRIED.has(type) || !(value instanceof (type as new () => unknown))) return
  const name = (type as { name: string }).name
  const isOfPython = PYTHON_ONLY.has(name)
  if (isOfPython && codec === 'pickle') return
  const remedy = isOfPython ? "use codec 'pickle'" : 'send its fields as an object, or use z.codec()'
  throw new Refusal(path, `an instance of ${name} does not arrive as one; ${remedy}`)
}

function checkBoth(key: unknown, item: unknown, codec: CodecName, path: Path): void {
  arrivesAsIs(key, codec, path)
  arrivesAsIs(item, codec, path)
}

/** Values of Python that only a pickle has a form for. */
const PYTHON_ONLY: ReadonlySet<string> = new Set(
  `Complex Counter DateTime DefaultDict Deque FrozenSet OrderedDict PlainDate PlainTime PyGlobal PyObject Range TimeDelta
  TimeZone Tuple ZoneInfo`.split(/\s+/),
)
