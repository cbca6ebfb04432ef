import { isPromise } from '@arq-ts/protocol/values'
import type { z } from 'zod'

/**
 * A schema of zod 4 or zod mini, whichever copy made it: only the parts that are read here, so that the types of two
 * releases never have to be compared.
 */
export interface Schema<Output = unknown, Input = unknown> {
  readonly _zod: {
    readonly output: Output
    readonly input: Input
    readonly def: { readonly type: string }
  }
}

/** The value a schema gives once it has parsed. */
export type SchemaOutput<S extends Schema> = S['_zod']['output']

/** The value a schema takes. */
export type SchemaInput<S extends Schema> = S['_zod']['input']

/** The parts of a schema's definition that this folder reads, of all types together. @internal */
export interface SchemaDefinition {
  readonly type: string
  readonly shape?: Readonly<Record<string, Schema>>
  readonly catchall?: Schema
  readonly left?: Schema
  readonly right?: Schema
  readonly options?: readonly Schema[]
  readonly discriminator?: string
  readonly in?: Schema
  readonly out?: Schema
  readonly innerType?: Schema
  readonly getter?: () => Schema
  readonly element?: Schema
  readonly items?: readonly Schema[]
  readonly rest?: Schema | null
  readonly keyType?: Schema
  readonly valueType?: Schema
  readonly values?: readonly unknown[]
  readonly coerce?: boolean
}

interface Payload {
  value: unknown
  issues: z.core.$ZodRawIssue[]
}

interface Runnable extends Schema {
  readonly _zod: Schema['_zod'] & {
    readonly def: SchemaDefinition
    readonly bag?: { readonly Class?: unknown }
    run(payload: Payload, context: { async: boolean }): Payload | Promise<Payload>
  }
}

/** @internal */
export function isSchema(value: unknown): value is Schema {
  const internals = (value as { _zod?: { def?: { type?: unknown }; run?: unknown } } | null | undefined)?._zod
  return typeof internals?.def?.type === 'string' && typeof internals.run === 'function'
}

/** @internal */
export function definitionOf(schema: Schema): SchemaDefinition {
  return (schema as Runnable)._zod.def
}

/** The class of `z.instanceof(…)`; undefined for other schemas. @internal */
export function classOf(schema: Schema): unknown {
  return (schema as Runnable)._zod.bag?.Class
}

/** The outcome of a check that may still be running. `issues` has what is known at once. @internal */
export interface Check {
  readonly payload: Payload
  readonly pending: Promise<Payload> | undefined
}

/**
 * Synchronous unless the schema has asynchronous parts. zod's own `safeParse` would call those too, find a promise, and
 * throw: they would run twice, and a rejection that nobody hears would end the process.
 *
 * @internal
 */
export function check(schema: Schema, value: unknown): Check {
  const payload: Payload = { value, issues: [] }
  const checked = (schema as Runnable)._zod.run(payload, { async: true })
  return isPromise(checked)
    ? { payload, pending: checked as Promise<Payload> }
    : { payload: checked, pending: undefined }
}

/** The output of a schema, or `undefined` where the value does not fit or cannot be checked at once. @internal */
export function parsed(schema: Schema, value: unknown): { readonly value: unknown } | undefined {
  try {
    const { payload, pending } = check(schema, value)
    pending?.catch(() => {})
    return pending || payload.issues.length > 0 ? undefined : payload
  } catch {
    // A transform, or an intersection whose sides give what cannot be merged.
    return undefined
  }
}

/** Wrong elements of a large array each have an issue of their own. */
const MAX_ISSUES_NAMED = 5
const MAX_TEXT_NAMED = 200

/** Names the first issues, each with its path, in the words of the schema's own zod. @internal */
export function issuesText(schema: Schema, issues: readonly z.core.$ZodRawIssue[], whole: string): string {
  const named = finalized(schema, issues.slice(0, MAX_ISSUES_NAMED)).map((issue) => issueText(issue, whole))
  if (issues.length > MAX_ISSUES_NAMED) named.push(`and ${issues.length - MAX_ISSUES_NAMED} more`)
  return named.join('; ')
}

interface FinalIssue {
  readonly message: string
  readonly path?: readonly PropertyKey[] | undefined
}

interface Standard {
  validate(value: unknown): { issues?: readonly FinalIssue[] } | Promise<unknown>
}

/**
 * Issues with their messages: the schema's own, those of the user's locale, or zod's. zod makes them at the end of a
 * parse; a schema of the same class, whose parse gives these issues, leads there without a zod of ours and without
 * parsing twice.
 */
function finalized(schema: Schema, issues: readonly z.core.$ZodRawIssue[]): readonly FinalIssue[] {
  const { constr, def } = (schema as Constructed)._zod
  const messenger = new constr(def)
  messenger._zod.run = () => ({ value: undefined, issues: [...issues] })
  const result = messenger['~standard'].validate(undefined)
  return ('issues' in result && result.issues) || issues.map(({ path }) => ({ path, message: 'Invalid input' }))
}

interface Constructed extends Schema {
  readonly _zod: Schema['_zod'] & {
    readonly constr: new (def: unknown) => { _zod: { run: () => Payload }; readonly '~standard': Standard }
  }
}

function issueText({ path, message }: FinalIssue, whole: string): string {
  return `\`${truncate((path ?? []).map(String).join('.') || whole)}\`: ${truncate(message)}`
}

/** @internal */
export function truncate(text: string): string {
  return text.length > MAX_TEXT_NAMED ? `${text.slice(0, MAX_TEXT_NAMED)}…` : text
}
