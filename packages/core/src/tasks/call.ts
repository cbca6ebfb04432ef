import { bindArguments, missingText } from '@arq-ts/protocol/jobs'
import type { CodecName } from '@arq-ts/protocol/jobs'
import { inThisRealm } from '@arq-ts/protocol/values'
import { ArgumentsError, ResultError } from '../errors.ts'
import { gotValue, hasFields, readingWith } from '../options/given-value.ts'
import { Refusal } from './arrival/as-is.ts'
import { arrivalOf, resultArrivalOf } from './arrival/plan.ts'
import type { Arrival } from './arrival/plan.ts'
import type { Contract, PackedCall } from './contract.ts'
import { check, issuesText, truncate } from './schema.ts'
import type { Check, Schema } from './schema.ts'
import { signatureOf } from './signature.ts'
import type { Signature } from './signature.ts'

type Bound = Record<string, unknown>

/** The parts of a contract that were checked. */
interface Parts {
  name: string
  params?: Schema | undefined
  returns?: Schema | undefined
  emits?: Schema | undefined
  codec?: Contract['codec'] | undefined
  /** True for a function that Python runs, where nothing parses a call again. */
  isPython?: boolean
}

/** A function with a schema of its parameters. */
interface Call {
  readonly name: string
  readonly params: Schema
  readonly signature: Signature
  /** Undefined for parameters that every codec gives back. */
  readonly arrival: Arrival | undefined
}

/** The two sides of a call: what a producer packs and unpacks, and what a worker binds. @internal */
export function contractOf(
  context: string,
  { name, params, returns, emits, codec, isPython = false }: Parts,
): Contract {
  const shared = {
    name,
    ...(codec === undefined ? {} : { codec }),
    ...(returns === undefined ? {} : resultOf(name, returns)),
    ...(emits === undefined ? {} : emittedOf(name, emits)),
  }
  if (!params) {
    const pack = (input: unknown) => packArray(name, input)
    return { ...shared, bind: (args) => args, pack, packUnchecked: pack }
  }
  const call: Call = { name, params, signature: signatureOf(params, context), arrival: arrivalOf(params) }
  return {
    ...shared,
    params,
    bind: (args, kwargs) => bindObject(call, args, kwargs),
    pack: (input, wire = 'msgpack') =>
      reading(name, () => (isPython ? packOutput(call, input, wire) : packObject(call, input, wire))),
    packUnchecked: (input, wire) => {
      const kwargs = named(call, input)
      return { args: [], kwargs: call.arrival ? (call.arrival.toWire(kwargs, wire) as Bound) : kwargs }
    },
  }
}

function bindObject(call: Call, args: readonly unknown[], kwargs: Readonly<Bound>): [unknown] | Promise<[unknown]> {
  const bound = bind(call, args, kwargs)
  const { payload, pending } = check(call.params, call.arrival ? call.arrival.restore(bound) : bound)
  if (pending) return pending.then((settled) => [unwrap(call, bound, settled)])
  return [unwrap(call, bound, payload)]
}

function bind({ name, signature }: Call, args: readonly unknown[], kwargs: Readonly<Bound>): Bound {
  return bindArguments(name, signature.positional, args, kwargs, signature.acceptsUnknown, signature.keywordOnly)
}

function unwrap({ name, params, signature }: Call, bound: Bound, { value, issues }: Check['payload']): unknown {
  if (issues.length === 0) return value
  const isMissing = ({ path = [] }: (typeof issues)[number], parameter: string) =>
    path.length === 1 && path[0] === parameter && !Object.hasOwn(bound, parameter)
  const parameters = [...signature.positional, ...signature.keywordOnly]
  const missing = parameters.filter((parameter) => issues.some((issue) => isMissing(issue, parameter)))
  const wrong = issues.filter((issue) => !missing.some((parameter) => isMissing(issue, parameter)))
  const texts = missing.length === 0 ? [] : [missingText(missing)]
  if (wrong.length > 0) texts.push(`got wrong arguments: ${issuesText(params, wrong, 'arguments')}`)
  throw new ArgumentsError(`${name}() ${texts.join('; ')}`)
}

/**
 * Bound and checked as the worker will, and sent as it was given: the worker parses it again, and a transform must not
 * run twice. Asynchronous checks of a schema are left to the worker.
 */
function packObject(call: Call, input: unknown, codec: CodecName): PackedCall {
  const { arrival, name } = call
  const kwargs = named(call, input)
  if (!arrival) return { args: [], kwargs: checked(call, kwargs) }
  const refuse = (problem: string) => new ArgumentsError(`${name}() cannot be sent: ${problem}`)
  const cleaned = checked(call, clean(arrival, kwargs, codec, refuse) as Bound)
  return { args: [], kwargs: arrival.toWire(cleaned, codec) as Bound }
}

/** Applies the schema with its defaults and transforms, since Python has no schema to apply. @throws ArgumentsError */
function packOutput(call: Call, input: unknown, codec: CodecName): PackedCall {
  const { arrival, name, params } = call
  const given = arrival ? (inThisRealm(named(call, input)) as Bound) : named(call, input)
  const { payload, pending } = check(params, given)
  pending?.catch(() => {})
  if (pending)
    throw new ArgumentsError(
      `${name}() cannot be sent: its schema is asynchronous, and Python would not check the call`,
    )
  const output = unwrap(call, given, payload) as Bound
  const kwargs = Object.fromEntries(Object.entries(output).filter(([, value]) => value !== undefined))
  return { args: [], kwargs: (arrival?.toWire(kwargs, codec) ?? kwargs) as Bound }
}

/** Code of the caller's runs while an input is read: a getter, the trap of a proxy, a check of the schema. @throws ArqError */
function reading<T>(name: string, read: () => T): T {
  return readingWith(read, (reason, cause) => {
    return new ArgumentsError(`${name}() cannot be sent: reading its input throws: ${truncate(reason)}`, { cause })
  })
}

/** An input by the names of its parameters. @throws ArgumentsError */
function named(call: Call, input: unknown): Bound {
  const { name } = call
  // A promise or a map has no fields, and would count as a call without arguments.
  if (!hasFields(input)) {
    throw new ArgumentsError(`${name}() takes its parameters as one object, ${gotValue(input)}`)
  }
  const kwargs = bind(call, [], input as Bound)
  for (const key of Object.keys(kwargs)) if (kwargs[key] === undefined) delete kwargs[key]
  return kwargs
}

function checked(call: Call, kwargs: Bound): Bound {
  const { payload, pending } = check(call.params, kwargs)
  pending?.catch(() => {})
  unwrap(call, kwargs, payload)
  return kwargs
}

function clean(arrival: Arrival, value: unknown, codec: CodecName, refuse: (problem: string) => Error): unknown {
  try {
    // A schema knows only the classes of its own realm.
    return arrival.clean(inThisRealm(value), codec)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    throw refuse(`\`${truncate(error.path.join('.') || 'the value')}\`: ${truncate(error.message)}`)
  }
}

function packArray(name: string, input: unknown): PackedCall {
  if (Array.isArray(input)) return { args: input, kwargs: {} }
  throw new ArgumentsError(`${name}() has no schema and takes its arguments as an array, ${gotValue(input)}`)
}

/** The two sides of a result: what a worker stores, and what a producer reads. */
function resultOf(name: string, returns: Schema): Required<Pick<Contract, 'returns' | 'unpack' | 'packResult'>> {
  const sides = sidesOf(returns, 'the result', {
    wrong: (issues) => `${name}() returned what its \`returns\` does not take: ${issues}`,
    unfit: (issues) => `the result of ${name}() does not fit its \`returns\`: ${issues}`,
  })
  return { returns, packResult: sides.pack, unpack: sides.unpack }
}

/** The two sides of a piece of a result, which JSON writes. */
function emittedOf(name: string, emits: Schema): Required<Pick<Contract, 'emits' | 'unpackEmitted' | 'packEmitted'>> {
  const sides = sidesOf(emits, 'the piece', {
    wrong: (issues) => `${name}() emitted what its \`emits\` does not take: ${issues}`,
    unfit: (issues) => `a piece of the result of ${name}() does not fit its \`emits\`: ${issues}`,
  })
  return { emits, packEmitted: (value) => sides.pack(value, 'json'), unpackEmitted: sides.unpack }
}

interface Sides {
  pack: (value: unknown, codec: CodecName) => unknown
  unpack: (value: unknown) => unknown
}

function sidesOf(schema: Schema, whole: string, texts: Record<'wrong' | 'unfit', (issues: string) => string>): Sides {
  const arrival = resultArrivalOf(schema)
  const wrong = (issues: string) => new ResultError(texts.wrong(issues))
  const unfit = (issues: string) => new ResultError(texts.unfit(issues))
  const fit = { schema, whole }
  return {
    // Sent as the handler gave it, once it fits: the producer parses it again, and a transform must not run twice.
    pack: (value, codec) => {
      const cleaned = arrival ? clean(arrival, value, codec, wrong) : value
      return whenFit(fit, cleaned, () => (arrival ? arrival.toWire(cleaned, codec) : cleaned), wrong)
    },
    unpack: (value) => whenFit(fit, arrival ? arrival.restore(value) : value, (output) => output, unfit),
  }
}

function whenFit(
  { schema, whole }: { schema: Schema; whole: string },
  value: unknown,
  give: (output: unknown) => unknown,
  refuse: (issues: string) => Error,
): unknown {
  const { payload, pending } = check(schema, value)
  const finish = ({ issues, value: output }: Check['payload']) => {
    if (issues.length === 0) return give(output)
    throw refuse(issuesText(schema, issues, whole))
  }
  return pending ? pending.then(finish) : finish(payload)
}
