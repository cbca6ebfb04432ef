import { bindArguments, missingText } from '@arq-ts/protocol/jobs'
import { ArgumentsError, ResultError } from '../errors.ts'
import type { JobContext } from './context.ts'
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
  codec?: Contract['codec'] | undefined
}

/** The two sides of a call: what a producer packs and unpacks, and what a worker binds. @internal */
export function contractOf(context: string, { name, params, returns, codec }: Parts): Contract {
  const shared = {
    name,
    ...(codec === undefined ? {} : { codec }),
    ...(returns === undefined ? {} : { returns, unpack: (result: unknown) => unpackResult(name, returns, result) }),
  }
  if (!params) return { ...shared, bind: (args) => args, pack: (input) => packArray(name, input) }
  const signature = signatureOf(params, context)
  return {
    ...shared,
    params,
    bind: (args, kwargs) => bindObject(name, params, signature, args, kwargs),
    pack: (input) => packObject(name, params, signature, input),
  }
}

/** The handler with its result checked, where the contract says what it returns. @internal */
export function returnsOf(
  { name, returns }: Contract,
  handler: (ctx: JobContext, ...args: readonly unknown[]) => unknown,
): typeof handler {
  if (!returns) return handler
  return async (ctx, ...args) => packResult(name, returns, await handler(ctx, ...args))
}

function bindObject(
  name: string,
  params: Schema,
  signature: Signature,
  args: readonly unknown[],
  kwargs: Readonly<Bound>,
): [unknown] | Promise<[unknown]> {
  const bound = bind(name, signature, args, kwargs)
  const { payload, pending } = check(params, bound)
  if (pending) return pending.then((settled) => [unwrap(name, signature, bound, settled)])
  return [unwrap(name, signature, bound, payload)]
}

function bind(name: string, signature: Signature, args: readonly unknown[], kwargs: Readonly<Bound>): Bound {
  return bindArguments(name, signature.positional, args, kwargs, signature.acceptsUnknown, signature.keywordOnly)
}

function unwrap(name: string, signature: Signature, bound: Bound, { value, issues }: Check['payload']): unknown {
  if (issues.length === 0) return value
  const isMissing = ({ path = [] }: (typeof issues)[number], parameter: string) =>
    path.length === 1 && path[0] === parameter && !Object.hasOwn(bound, parameter)
  const parameters = [...signature.positional, ...signature.keywordOnly]
  const missing = parameters.filter((parameter) => issues.some((issue) => isMissing(issue, parameter)))
  const wrong = issues.filter((issue) => !missing.some((parameter) => isMissing(issue, parameter)))
  const texts = missing.length === 0 ? [] : [missingText(missing)]
  if (wrong.length > 0) texts.push(`got wrong arguments: ${issuesText(wrong, 'arguments')}`)
  throw new ArgumentsError(`${name}() ${texts.join('; ')}`)
}

/**
 * Bound and checked as the worker will, and sent as it was given: the worker parses it again, and a transform must not
 * run twice. What a schema checks asynchronously is left to the worker.
 */
function packObject(name: string, params: Schema, signature: Signature, input: unknown): PackedCall {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw new ArgumentsError(
      `${name}() takes its parameters as one object, got \`${Array.isArray(input) ? 'an array' : truncate(String(input))}\``,
    )
  }
  const kwargs = bind(name, signature, [], input as Bound)
  for (const key of Object.keys(kwargs)) if (kwargs[key] === undefined) delete kwargs[key]
  const { payload, pending } = check(params, kwargs)
  pending?.catch(() => {})
  unwrap(name, signature, kwargs, payload)
  return { args: [], kwargs }
}

function packArray(name: string, input: unknown): PackedCall {
  if (Array.isArray(input)) return { args: input, kwargs: {} }
  throw new ArgumentsError(
    `${name}() has no schema and takes its arguments as an array, got \`${truncate(String(input))}\``,
  )
}

/** The result as the handler gave it, once it fits: the producer parses it again, and a transform must not run twice. */
function packResult(name: string, returns: Schema, result: unknown): unknown {
  const { payload, pending } = check(returns, result)
  const finish = ({ issues }: Check['payload']) => {
    if (issues.length === 0) return result
    throw new ResultError(`${name}() returned what its \`returns\` does not take: ${issuesText(issues, 'the result')}`)
  }
  return pending ? pending.then(finish) : finish(payload)
}

function unpackResult(name: string, returns: Schema, result: unknown): unknown {
  const { payload, pending } = check(returns, result)
  const finish = ({ issues, value }: Check['payload']) => {
    if (issues.length === 0) return value
    throw new ResultError(`the result of ${name}() does not fit its \`returns\`: ${issuesText(issues, 'the result')}`)
  }
  return pending ? pending.then(finish) : finish(payload)
}
