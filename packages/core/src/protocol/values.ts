/** Python values that JavaScript has no type of its own for. All inert: nothing of Python is ever run. */

/** A Python tuple. An array in every other respect. */
export class Tuple<T = unknown> extends Array<T> {
  static override get [Symbol.species](): ArrayConstructor {
    return Array
  }
}

/** A Python frozenset. */
export class FrozenSet<T = unknown> extends Set<T> {}

/** A Python deque. `maxLength` is null where it is unbounded. */
export class Deque<T = unknown> extends Array<T> {
  maxLength: number | null = null
  static override get [Symbol.species](): ArrayConstructor {
    return Array
  }
}

/** A class or function by name, not resolved. */
export class PyGlobal {
  readonly module: string
  readonly name: string

  constructor(module: string, name: string) {
    this.module = module
    this.name = name
  }

  toString(): string {
    return `<${this.module}.${this.name}>`
  }
}

/** An instance of a class this library does not know: how Python would make it, as data. It is written back as it came. */
export class PyObject {
  readonly type: PyGlobal
  /** `reduce`: type(*args). `new`: type.__new__(type, *args, **kwargs). */
  readonly made: 'reduce' | 'new'
  readonly args: readonly unknown[]
  readonly kwargs: unknown
  /** What `__setstate__` or `__dict__` gets; undefined where there is none. */
  state: unknown
  readonly items: unknown[] = []
  readonly pairs: [unknown, unknown][] = []

  constructor(type: PyGlobal, made: 'reduce' | 'new', args: readonly unknown[], kwargs?: unknown) {
    this.type = type
    this.made = made
    this.args = args
    this.kwargs = kwargs
  }

  toString(): string {
    return `<${this.type.module}.${this.type.name} object>`
  }
}

/**
 * A Python datetime as a Date, with the microseconds and the zone that a Date lacks. An aware one is its instant; a
 * naive one, or one of a zone known by name only, is read as if in UTC. It is written back exactly as it came.
 */
export class DateTime extends Date {
  /** Python's ten bytes: year, month (and fold), day, hour, minute, second, microsecond. */
  readonly raw: Uint8Array
  /** A TimeZone, an inert object for a named zone, or null for a naive datetime. */
  readonly tzinfo: unknown

  constructor(raw: Uint8Array, tzinfo: unknown = null) {
    const [y1 = 0, y2 = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, u1 = 0, u2 = 0, u3 = 0] = raw
    const micros = (u1 << 16) | (u2 << 8) | u3
    const date = new Date(0)
    date.setUTCFullYear((y1 << 8) | y2, (month & 0x7f) - 1, day)
    date.setUTCHours(hour, minute, second, Math.floor(micros / 1000))
    super(date.getTime() - (tzinfo instanceof TimeZone ? tzinfo.offset.totalMs : 0))
    this.raw = raw
    this.tzinfo = tzinfo
  }

  get isNaive(): boolean {
    return this.tzinfo === null
  }

  /** 0 to 999,999. */
  get microsecond(): number {
    return ((this.raw[7] as number) << 16) | ((this.raw[8] as number) << 8) | (this.raw[9] as number)
  }
}

/** A Python date. */
export class PlainDate {
  /** Python's four bytes: year, month, day. */
  readonly raw: Uint8Array

  constructor(raw: Uint8Array) {
    this.raw = raw
  }

  toString(): string {
    const [y1 = 0, y2 = 0, month = 0, day = 0] = this.raw
    return `${pad((y1 << 8) | y2, 4)}-${pad(month)}-${pad(day)}`
  }

  toJSON(): string {
    return this.toString()
  }
}

/** A Python time of day. */
export class PlainTime {
  /** Python's six bytes: hour (and fold), minute, second, microsecond. */
  readonly raw: Uint8Array
  readonly tzinfo: unknown

  constructor(raw: Uint8Array, tzinfo: unknown = null) {
    this.raw = raw
    this.tzinfo = tzinfo
  }

  toString(): string {
    const [hour = 0, minute = 0, second = 0, u1 = 0, u2 = 0, u3 = 0] = this.raw
    const micros = (u1 << 16) | (u2 << 8) | u3
    return `${pad(hour & 0x7f)}:${pad(minute)}:${pad(second)}${micros ? `.${pad(micros, 6)}` : ''}`
  }

  toJSON(): string {
    return this.toString()
  }
}

/** A Python timedelta. */
export class TimeDelta {
  readonly days: number
  readonly seconds: number
  readonly microseconds: number

  constructor(days = 0, seconds = 0, microseconds = 0) {
    this.days = days
    this.seconds = seconds
    this.microseconds = microseconds
  }

  get totalMs(): number {
    return this.days * 86_400_000 + this.seconds * 1_000 + this.microseconds / 1_000
  }

  toJSON(): number {
    return this.totalMs
  }
}

/** Python's `datetime.timezone`: a fixed offset, with or without a name. */
export class TimeZone {
  readonly offset: TimeDelta
  readonly label: string | null

  constructor(offset: TimeDelta, label: string | null = null) {
    this.offset = offset
    this.label = label
  }
}

/** A Python Decimal by its exact digits. */
export class Decimal {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  valueOf(): number {
    return Number(this.text)
  }

  toString(): string {
    return this.text
  }

  toJSON(): string {
    return this.text
  }
}

/** A Python UUID; its text is lower-case with dashes. */
export class Uuid {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  toString(): string {
    return this.text
  }

  toJSON(): string {
    return this.text
  }
}

function pad(value: number, width = 2): string {
  return String(value).padStart(width, '0')
}
