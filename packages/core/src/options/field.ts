/**
 * Kinds of values that options take. An option is stated once, as a field: its check, its bounds, its default and its
 * meaning; error messages, JSON Schema and reference tables follow from it. Free of zod, which belongs to the user's
 * tasks: a producer that has no schemas does not load it.
 */

/** Something that is wrong with a value, and the keys that lead to it. */
export type Issue =
  | { kind: 'value'; keys: readonly PropertyKey[]; expected: string; isOfType: boolean; wants?: string | undefined }
  | { kind: 'unknown'; keys: readonly PropertyKey[]; known: readonly string[] }

type Report = (issue: Issue) => void

/** A part of a JSON Schema. */
export type JsonSchema = Record<string, unknown>

/** Facts of a field that are not its check. */
interface Facts {
  readonly json: JsonSchema
  readonly isOptional?: boolean
  /** Bounds of a number, for the reference. */
  readonly bounds?: { readonly min: number; readonly max: number }
  /** The fields of an object, for the names that a message may suggest. */
  readonly shape?: Shape
}

type Read<Out> = (value: unknown, report: Report) => Out

/** The check of a value, its description, and its default. `In` is the type of what may be given. */
export class Field<Out, In = Out> {
  declare readonly _input?: In
  readonly facts: Facts
  readonly #read: Read<Out>

  constructor(read: Read<Out>, facts: Facts) {
    this.#read = read
    this.facts = facts
  }

  /** The value as it is used; what is reported is wrong with it, and the value returned then is not used. */
  read(value: unknown, report: Report): Out {
    return this.#read(value, report)
  }

  /** The value where nothing is wrong with it. */
  parse(value: unknown): { success: true; data: Out } | { success: false; issues: Issue[] } {
    const issues: Issue[] = []
    const data = this.#read(value, (issue) => issues.push(issue))
    return issues.length === 0 ? { success: true, data } : { success: false, issues }
  }

  optional(): Field<Out | undefined, In | undefined> {
    const read: Read<Out | undefined> = (value, report) => (value === undefined ? value : this.#read(value, report))
    return new Field(read, { ...this.facts, isOptional: true })
  }

  nullable(): Field<Out | null, In | null> {
    const read: Read<Out | null> = (value, report) => (value === null ? value : this.#read(value, report))
    return new Field(read, { ...this.facts, json: { anyOf: [this.facts.json, { type: 'null' }] } })
  }

  /** The value that is read where none is given, in the form in which it would be given. */
  default(fallback: In): Field<Out, In | undefined> {
    const read: Read<Out> = (value, report) => this.#read(value === undefined ? fallback : value, report)
    return new Field<Out, In | undefined>(read, {
      ...this.facts,
      isOptional: true,
      json: { default: fallback, ...this.facts.json },
    })
  }

  /** Its meaning, for JSON Schema and the reference. */
  describe(description: string): Field<Out, In> {
    const { default: fallback, ...json } = this.facts.json
    const described = { ...(fallback === undefined ? {} : { default: fallback }), description, ...json }
    return new Field<Out, In>(this.#read, { ...this.facts, json: described })
  }

  /** A further condition. `expected` completes "Expected `x` to be …". */
  refine(fits: (value: Out) => boolean, expected: string): Field<Out, In> {
    return this.check((value) => (fits(value) ? undefined : expected))
  }

  /** A further condition that says what was expected instead. */
  check(expectedOf: (value: Out) => string | undefined): Field<Out, In> {
    return this.#then((value, report) => {
      const expected = expectedOf(value)
      if (expected !== undefined) report({ kind: 'value', keys: [], expected, isOfType: true })
      return value
    })
  }

  /** The same value in another form. */
  transform<Next>(convert: (value: Out, refuse: (expected: string) => void) => Next): Field<Next, In> {
    return this.#then((value, report) =>
      convert(value, (expected) => report({ kind: 'value', keys: [], expected, isOfType: true })),
    )
  }

  #then<Next>(next: (value: Out, report: Report) => Next): Field<Next, In> {
    const read: Read<Next> = (value, report) => {
      let isRefused = false
      const out = this.#read(value, (issue) => {
        isRefused = true
        report(issue)
      })
      return isRefused ? (undefined as Next) : next(out, report)
    }
    return new Field<Next, In>(read, this.facts)
  }
}

type AnyField = Field<unknown, never> | Field<unknown>

/** The fields of an object, by name. */
export type Shape = Readonly<Record<string, AnyField>>

/** The type that a field gives. */
export type Output<F> = F extends Field<infer Out, infer _> ? Out : never

/** The type that a field takes. */
export type Input<F> = F extends Field<infer _, infer In> ? In : never

type Flat<T> = { [K in keyof T]: T[K] }

type OptionalKeys<T> = { [K in keyof T]: undefined extends T[K] ? K : never }[keyof T]

/** Keys that may be undefined may be left out. */
type WithOptional<T> = Flat<Omit<T, OptionalKeys<T>> & Partial<Pick<T, OptionalKeys<T>>>>

type OutputOf<S extends Shape> = WithOptional<{ -readonly [K in keyof S]: Output<S[K]> }>

type InputOf<S extends Shape> = WithOptional<{ -readonly [K in keyof S]: Input<S[K]> }>

/** An object of these fields alone. */
export class ObjectField<S extends Shape> extends Field<OutputOf<S>, InputOf<S>> {
  readonly shape: S

  constructor(shape: S) {
    super((value, report) => readObject(shape, value, report) as OutputOf<S>, { json: objectJson(shape), shape })
    this.shape = shape
  }
}

/** A field of a value that a test knows. `expected` completes "Expected `x` to be …". */
export function custom<T>(test: (value: unknown) => boolean, expected: string, json: JsonSchema = {}): Field<T> {
  return new Field<T>(
    (value, report) => {
      if (!test(value)) report(ofType(expected))
      return value as T
    },
    { json },
  )
}

/** A string of at least `min` characters. */
export function string(min = 0, json: JsonSchema = {}): Field<string> {
  const isString = custom<string>((value) => typeof value === 'string', 'a string', {
    type: 'string',
    ...(min > 0 ? { minLength: min } : {}),
    ...json,
  })
  return min === 0 ? isString : isString.refine((value) => value.length >= min, 'not empty')
}

/** A string of a form. `expected` names it. */
export function pattern(form: RegExp, expected: string): Field<string> {
  return string(0, { pattern: form.source }).refine((value) => form.test(value), expected)
}

export function boolean(): Field<boolean> {
  return custom((value) => typeof value === 'boolean', 'a boolean', { type: 'boolean' })
}

/** One of these strings. */
export function oneOf<const T extends string>(...values: readonly T[]): Field<T> {
  const expected = values.map((value) => `'${value}'`).join(' or ')
  return custom((value) => values.includes(value as T), expected, { type: 'string', enum: values })
}

/** This value alone. */
export function literal<const T extends string | number | boolean>(value: T): Field<T> {
  return custom((given) => given === value, typeof value === 'string' ? `'${value}'` : String(value), { const: value })
}

/** A number within bounds; `expected` names it where it is none. */
export function number(
  expected = 'a number',
  min = -Infinity,
  max = Infinity,
  json: JsonSchema = { type: 'number' },
): Field<number> {
  const isInteger = json.type === 'integer'
  return new Field<number>(
    (value, report) => {
      const fits = isInteger ? Number.isSafeInteger(value) : Number.isFinite(value)
      if (!fits) report({ ...ofType(expected), wants: 'number' })
      else if ((value as number) < min) report(outOfBounds(`at least ${min}`))
      else if ((value as number) > max) report(outOfBounds(`at most ${max}`))
      return value as number
    },
    {
      json: {
        ...json,
        ...(Number.isFinite(min) ? { minimum: min } : {}),
        ...(Number.isFinite(max) ? { maximum: max } : {}),
      },
      bounds: { min, max },
    },
  )
}

/** An integer from `min` to `max`. */
export function integer(expected: string, min: number, max: number = Number.MAX_SAFE_INTEGER): Field<number> {
  return number(expected, min, max, { type: 'integer' })
}

/** A number above 0. */
export function positive(): Field<number> {
  const json = { type: 'number', exclusiveMinimum: 0 }
  return number('a number', -Infinity, Infinity, json).refine((value) => value > 0, 'more than 0')
}

/** A list of at least `min` values. */
export function array<Out, In>(element: Field<Out, In>, min = 0): Field<Out[], readonly In[]> {
  return new Field<Out[], readonly In[]>(
    (value, report) => {
      if (!Array.isArray(value)) {
        report(ofType('an array'))
        return []
      }
      if (value.length < min) report(outOfBounds('not empty'))
      return value.map((each, i) => element.read(each, within(report, i)))
    },
    {
      json: { ...(min > 0 ? { minItems: min } : {}), type: 'array', items: element.facts.json },
      ...(element.facts.shape ? { shape: element.facts.shape } : {}),
    },
  )
}

/** An object of these fields; other keys are reported. */
export function object<S extends Shape>(shape: S): ObjectField<S> {
  return new ObjectField(shape)
}

/** Any keys, with values of any kind. */
export function dictionary(): Field<Record<string, unknown>> {
  return custom((value) => isObject(value), 'an object', { type: 'object', additionalProperties: {} })
}

/**
 * One of several kinds. Where a value is of one kind only, that kind says what is wrong with it; otherwise `expected` does,
 * by default what each expects.
 */
export function union<const F extends readonly AnyField[]>(
  fields: F,
  expected?: string,
): Field<Output<F[number]>, Input<F[number]>> {
  return new Field<Output<F[number]>, Input<F[number]>>(
    (value, report) => {
      const refused: Issue[][] = []
      for (const field of fields) {
        const result = (field as Field<unknown>).parse(value)
        if (result.success) return result.data as Output<F[number]>
        refused.push(result.issues)
      }
      const [fitting, ...others] = refused.filter((issues) => !issues.some(isOfAnotherType))
      if (fitting && others.length === 0) fitting.forEach(report)
      else report(ofType(expected ?? expectedOf(refused)))
      return value as Output<F[number]>
    },
    { json: { anyOf: fields.map((field) => field.facts.json) } },
  )
}

function readObject(shape: Shape, value: unknown, report: Report): Record<string, unknown> {
  if (!isObject(value)) {
    report(ofType('an object'))
    return {}
  }
  const given: Record<string, unknown> = {}
  for (const key of Object.keys(shape)) {
    const out = (shape[key] as Field<unknown>).read(value[key], within(report, key))
    if (out !== undefined || Object.hasOwn(value, key)) given[key] = out
  }
  for (const key of Object.keys(value)) {
    if (!Object.hasOwn(shape, key)) report({ kind: 'unknown', keys: [key], known: Object.keys(shape) })
  }
  return given
}

function objectJson(shape: Shape): JsonSchema {
  const properties = Object.entries(shape).map(([key, { facts }]) => [key, facts.json])
  const required = Object.keys(shape).filter((key) => !shape[key]!.facts.isOptional)
  return {
    type: 'object',
    properties: Object.fromEntries(properties) as JsonSchema,
    ...(required.length > 0 ? { required } : {}),
    additionalProperties: false,
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const ofType = (expected: string): Issue & { kind: 'value' } => ({ kind: 'value', keys: [], expected, isOfType: false })

const outOfBounds = (expected: string): Issue => ({ kind: 'value', keys: [], expected, isOfType: true })

function within(report: Report, key: PropertyKey): Report {
  return (issue) => report({ ...issue, keys: [key, ...issue.keys] })
}

function isOfAnotherType(issue: Issue): boolean {
  return issue.kind === 'value' && issue.keys.length === 0 && !issue.isOfType
}

function expectedOf(refused: readonly Issue[][]): string {
  const first = refused.flatMap(([issue]) => (issue?.kind === 'value' ? [issue.expected] : []))
  return [...new Set(first)].join(' or ')
}
