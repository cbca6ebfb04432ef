/** Values as Python's `repr` shows them. */
import { escapeUnprintable, escaped, truncate } from './escape.ts'
import { hasOrder, orderedEntries } from './key-order.ts'
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
  Range,
  TimeDelta,
  TimeZone,
  Tuple,
  Uuid,
  ZoneInfo,
} from './values.ts'
import { expectArgument, expectNumber, isObject } from './expect-argument.ts'
import { isDate, isError } from './realms.ts'
import { TextWalk, hasErrorFields, kindOf } from './walk.ts'

const DEFAULT_LENGTH = 1_000
/** Python prints no integer of more than 4,300 digits. */
const HUGE = 10n ** 4_300n

/**
 * A value as Python's `repr` shows it, near enough to read, on one line. Characters that would move a terminal's cursor are escaped.
 *
 * @param maxLength - Characters at most; an ellipsis stands for what is left out. The time is bounded by it, however large
 *   the value is. Default 1,000.
 * @throws OptionsError
 */
export function repr(value: unknown, maxLength: number = DEFAULT_LENGTH): string {
  expectNumber('repr', 'maxLength', maxLength, 'a number of characters')
  const walk = new Repr(2 * maxLength)
  walk.value(value)
  return truncate(walk.done, maxLength)
}

/**
 * The arguments of a call as Python shows them: `1, 'a', width=2`, keywords in the order of their names as in arq's log.
 *
 * @param maxLength - Characters at most, as for `repr`.
 * @throws OptionsError
 */
export function reprCall(
  args: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>>,
  maxLength: number,
): string {
  expectArgument('reprCall', 'args', Array.isArray(args), 'an array', args)
  expectArgument('reprCall', 'kwargs', isObject(kwargs), 'an object', kwargs)
  expectNumber('reprCall', 'maxLength', maxLength, 'a number of characters')
  const walk = new Repr(2 * maxLength)
  walk.call(args, kwargs)
  return truncate(walk.done, maxLength)
}

class Repr extends TextWalk {
  get done(): string {
    return this.text
  }

  call(args: readonly unknown[], kwargs: Readonly<Record<string, unknown>>): void {
    this.#items(args)
    let isFirst = args.length === 0
    for (const key of Object.keys(kwargs).sort()) {
      if (this.isFull) return
      this.text += `${isFirst ? '' : ', '}${escapeUnprintable(key.slice(0, this.limit))}=`
      this.value(kwargs[key])
      isFirst = false
    }
  }

  value(value: unknown): void {
    if (this.isFull) return
    switch (typeof value) {
      case 'string':
        this.text += quoted(value, this.limit)
        return
      case 'number':
        this.text += floatText(value)
        return
      case 'bigint':
        this.text += value > HUGE || value < -HUGE ? '<huge integer>' : String(value)
        return
      case 'boolean':
        this.text += value ? 'True' : 'False'
        return
      case 'undefined':
        this.text += 'None'
        return
      case 'object':
        if (value === null) this.text += 'None'
        else this.#object(value)
        return
      default:
        this.text += `<${typeof value}>`
    }
  }

  #object(value: object): void {
    switch (kindOf(value)) {
      case 'list':
        return this.#list(value as unknown[])
      case 'set':
        return this.#set(value as Set<unknown>)
      case 'map':
        return this.#map(value as Map<unknown, unknown>)
      case 'dict':
        return this.#braces(value, ownPairs(value))
      case 'error':
        if (!hasErrorFields(value)) break
        this.text += value.pythonType.slice(value.pythonType.lastIndexOf('.') + 1)
        return this.#within(value, '(', ')', () => this.#items(value.args))
      default:
    }
    this.#leaf(value)
  }

  #list(value: unknown[]): void {
    if (value instanceof Tuple)
      return this.#within(value, '(', value.length === 1 ? ',)' : ')', () => this.#items(value))
    if (!(value instanceof Deque)) return this.#within(value, '[', ']', () => this.#items(value))
    const end = value.maxLength === null ? '])' : `], maxlen=${value.maxLength})`
    return this.#within(value, 'deque([', end, () => this.#items(value))
  }

  #set(value: Set<unknown>): void {
    const isFrozen = value instanceof FrozenSet
    if (value.size === 0) this.text += isFrozen ? 'frozenset()' : 'set()'
    else this.#within(value, isFrozen ? 'frozenset({' : '{', isFrozen ? '})' : '}', () => this.#items(value))
  }

  #map(value: Map<unknown, unknown>): void {
    if (value instanceof Counter) {
      this.text += 'Counter('
      if (value.size > 0) this.#braces(value, value)
    } else if (value instanceof DefaultDict) {
      this.text += 'defaultdict('
      this.value(value.factory)
      this.text += ', '
      this.#braces(value, value)
    } else if (value instanceof OrderedDict) {
      this.text += 'OrderedDict('
      if (value.size > 0) this.#within(value, '[', ']', () => this.#items(tuples(value)))
    } else return this.#braces(value, value)
    this.text += ')'
  }

  #braces(value: object, pairs: Iterable<[unknown, unknown]>): void {
    this.#within(value, '{', '}', () => {
      let isFirst = true
      for (const [key, item] of pairs) {
        if (this.isFull) return
        if (!isFirst) this.text += ', '
        isFirst = false
        this.value(key)
        this.text += ': '
        this.value(item)
      }
    })
  }

  #within(value: object, open: string, close: string, write: () => void): void {
    this.enter(
      value,
      () => {
        this.text += open
        write()
        this.text += close
      },
      () => (this.text += `${open}...${close}`),
    )
  }

  #items(items: Iterable<unknown>): void {
    let isFirst = true
    for (const item of items) {
      if (this.isFull) return
      if (!isFirst) this.text += ', '
      isFirst = false
      this.value(item)
    }
  }

  #leaf(value: object): void {
    if (value instanceof ByteArray) this.text += `bytearray(${bytesText(value, this.limit)})`
    else if (value instanceof Uint8Array) this.text += bytesText(value, this.limit)
    else if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) this.text += `<${value.byteLength} bytes>`
    else if (value instanceof DateTime) this.#datetime(value)
    else if (isDate(value)) this.text += Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString()
    else if (value instanceof PlainTime) this.#time(value)
    else if (value instanceof TimeZone) this.#zone(value)
    else if (value instanceof Decimal) this.text += `Decimal('${value.text}')`
    else if (value instanceof Uuid) this.text += `UUID('${value.text}')`
    else if (value instanceof PlainDate) this.text += `datetime.date(${value.year}, ${value.month}, ${value.day})`
    else if (value instanceof TimeDelta) this.text += deltaText(value)
    else if (value instanceof ZoneInfo) this.text += `zoneinfo.ZoneInfo(key=${quoted(value.key, this.limit)})`
    else if (value instanceof Fraction) this.#call('Fraction', value.numerator, value.denominator)
    else if (value instanceof Range)
      this.#call('range', value.start, value.stop, ...(value.step === 1 ? [] : [value.step]))
    else if (value instanceof Complex) this.text += complexText(value)
    else if (value instanceof PyGlobal) this.text += classText(value)
    else this.text += foreignText(value, this.limit)
  }

  #call(name: string, ...args: unknown[]): void {
    this.text += `${name}(`
    this.#items(args)
    this.text += ')'
  }

  #datetime(value: DateTime): void {
    const { day, fold, hour, microsecond, minute, month, second, year } = value.fields()
    this.text += `datetime.datetime(${year}, ${month}, ${day}, ${clockText([hour, minute, second, microsecond])}`
    this.#zoned(fold, value.wire().tzinfo)
  }

  #time(value: PlainTime): void {
    const { hour, microsecond, minute, second } = value
    this.text += `datetime.time(${clockText([hour, minute, second, microsecond])}`
    this.#zoned(value.fold, value.tzinfo)
  }

  #zoned(fold: number, tzinfo: unknown): void {
    if (fold === 1) this.text += ', fold=1'
    if (tzinfo !== null) {
      this.text += ', tzinfo='
      this.value(tzinfo)
    }
    this.text += ')'
  }

  #zone({ label, offset }: TimeZone): void {
    if (label === null && offset.totalMs === 0) this.text += 'datetime.timezone.utc'
    else this.text += `datetime.timezone(${deltaText(offset)}${label === null ? '' : `, ${quoted(label, this.limit)}`})`
  }
}

/** One at a time: `Object.entries` of a large object would copy all of it. */
function* ownPairs(value: object): Generator<[string, unknown]> {
  if (hasOrder(value)) yield* orderedEntries(value as Record<string, unknown>)
  else for (const key in value) if (Object.hasOwn(value, key)) yield [key, (value as Record<string, unknown>)[key]]
}

function* tuples(pairs: Iterable<[unknown, unknown]>): Generator<Tuple> {
  for (const pair of pairs) yield Tuple.adopt(pair)
}

/** Hours and minutes always, seconds and microseconds as far as Python shows them. */
function clockText([hour, minute, second, micros]: [number, number, number, number]): string {
  const rest = micros > 0 ? `, ${second}, ${micros}` : second > 0 ? `, ${second}` : ''
  return `${hour}, ${minute}${rest}`
}

function classText({ module, name }: PyGlobal): string {
  return `<class '${escapeUnprintable(module === 'builtins' ? name : `${module}.${name}`)}'>`
}

function deltaText({ days, microseconds, seconds }: TimeDelta): string {
  const parts = Object.entries({ days, seconds, microseconds }).filter(([, part]) => part !== 0)
  return `datetime.timedelta(${parts.map(([name, part]) => `${name}=${part}`).join(', ') || '0'})`
}

function complexText({ imaginary, real }: Complex): string {
  const sign = imaginary < 0 || Object.is(imaginary, -0) ? '' : '+'
  return real === 0 && !Object.is(real, -0)
    ? `${shortFloat(imaginary)}j`
    : `(${shortFloat(real)}${sign}${shortFloat(imaginary)}j)`
}

/** Python's parts of complex numbers have no `.0`. */
function shortFloat(value: number): string {
  return Object.is(value, -0) ? '-0' : floatText(value).replace(/\.0$/, '')
}

/** A number as Python shows the integer or float that it stands for. */
function floatText(value: number): string {
  if (Number.isSafeInteger(value)) return Object.is(value, -0) ? '-0.0' : String(value)
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf'
  const [digits = '', power = ''] = value.toExponential().split('e')
  const exponent = Number(power)
  if (exponent < -4 || exponent >= 16)
    return `${digits}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`
  if (exponent >= 0) return Number.isInteger(value) ? `${value}.0` : String(value)
  const sign = value < 0 ? '-' : ''
  return `${sign}0.${'0'.repeat(-exponent - 1)}${digits.replace(/[-.]/g, '')}`
}

/** As Python quotes: double quotes where the string itself has single ones only. */
function quoted(value: string, limit: number): string {
  const head = value.length > limit ? value.slice(0, limit) : value
  const mark = head.includes("'") && !head.includes('"') ? '"' : "'"
  const text = escapeUnprintable(head.includes('\\') ? head.replaceAll('\\', '\\\\') : head)
  return mark + (mark === "'" && text.includes("'") ? text.replaceAll("'", "\\'") : text) + mark
}

function bytesText(value: Uint8Array, limit: number): string {
  const text = Array.from(value.subarray(0, limit), (byte) => String.fromCharCode(byte)).join('')
  return `b${quoted(text, limit).replace(/[\x80-\xff]/g, escaped)}`
}

/** An instance of a class that Python has no counterpart for, by its own words where it has some. */
function foreignText(value: object, limit: number): string {
  if (isError(value)) return escapeUnprintable(`${value.name}: ${String(value.message).slice(0, limit)}`)
  const words: unknown = Reflect.get(value, 'toString')
  const text = typeof words === 'function' && words !== Object.prototype.toString ? String(value).slice(0, limit) : ''
  if (text !== '') return escapeUnprintable(text)
  return `<${value.constructor?.name ?? 'object'} object>`
}
