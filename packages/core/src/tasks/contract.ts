import type { CodecName } from '@arq-ts/protocol/jobs'
import type { Schema } from './schema.ts'

declare const inputType: unique symbol
declare const resultType: unique symbol
declare const needsType: unique symbol
declare const handlerType: unique symbol
declare const emitsType: unique symbol
declare const emitterType: unique symbol

/** A call as it goes to the wire. */
export interface PackedCall {
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
}

/** A function by its name on the wire, and the types it takes and gives: all that a producer needs of a task. */
export interface TaskContract<Input = unknown, Result = unknown, Emitted = unknown> {
  /** The function's name on the wire. */
  readonly name: string
  /** The codec its calls are written in; the client's where it names none. */
  readonly codec?: CodecName
  /** The arguments on the wire for an input, as `codec` (default msgpack) carries them. @throws ArgumentsError */
  pack(input: Input, codec?: CodecName): PackedCall
  /** @internal As `pack`, for an input that is not whole yet: names are checked, values are not. @throws ArgumentsError */
  readonly packUnchecked?: (input: unknown, codec: CodecName) => PackedCall
  /** @internal True for a function that Python workers run. */
  readonly isPython?: boolean
  /** The result as `returns` gives it. Without `returns`, the result as it came. @throws ResultError */
  readonly unpack?: (result: unknown) => unknown
  /** @internal A piece of the result as `emits` gives it; without `emits` it is as it came. @throws ResultError */
  readonly unpackEmitted?: (value: unknown) => unknown
  /** Types only. */
  readonly [inputType]?: (input: Input) => void
  readonly [resultType]?: Result
  readonly [emitsType]?: Emitted
}

/** Any contract, for lists of them. A task is one. */
export type AnyContract = TaskContract<never>

/** Fields that a task's handler needs in its context, in addition to the job's own. Types only. */
export interface Needs<Extra extends object> {
  readonly [needsType]?: (extra: Extra) => void
}

/** The input `enqueue` takes for a task. */
export type InputOf<T> = T extends { readonly [inputType]?: (input: infer Input) => void } ? Input : never

/** The result `job.result()` gives for a task. */
export type ResultOf<T> = T extends TaskContract<never, infer Result> ? Result : never

/** The pieces that `job.events()` gives for a task. */
export type EmittedOf<T> = T extends { readonly [emitsType]?: infer Emitted } ? Emitted : unknown

/** A contract that `implement` makes a task of. Made by `defineContract`. */
export interface Contract<
  Input = unknown,
  Result = unknown,
  Args extends readonly unknown[] = readonly unknown[],
  Given = unknown,
  Emitted = unknown,
  Emits = unknown,
> extends TaskContract<Input, Result, Emitted> {
  /** @internal Schema of the parameters. */
  readonly params?: Schema
  /** @internal Schema of the result. */
  readonly returns?: Schema
  /** The handler's arguments after `ctx`. @throws ArgumentsError */
  readonly bind: (
    args: readonly unknown[],
    kwargs: Readonly<Record<string, unknown>>,
  ) => readonly unknown[] | Promise<readonly unknown[]>
  /** @internal The result in the form that `codec` writes. @throws ResultError */
  readonly packResult?: (result: unknown, codec: CodecName) => unknown
  /** @internal Schema of the pieces of the result. */
  readonly emits?: Schema
  /** @internal A piece of the result in the form that JSON writes. @throws ResultError */
  readonly packEmitted?: (value: unknown) => unknown
  readonly [handlerType]?: (...args: Args) => Given
  readonly [emitterType]?: (value: Emits) => void
}

/** The arguments of a contract's handler after `ctx`, and what it returns. */
export interface HandlerCall<Args extends readonly unknown[] = readonly unknown[], Given = unknown> {
  args: Args
  given: Given
}

/** The call of the handler that implements a contract. */
export type CallOf<C> = C extends { readonly [handlerType]?: (...args: infer Args) => infer Given }
  ? HandlerCall<Args, Given>
  : HandlerCall

/** The values that the handler of a contract hands to `ctx.emit`. */
export type EmitsOf<C> = C extends { readonly [emitterType]?: (value: infer Emits) => void } ? Emits : unknown

/**
 * A result as the wire gives it where no schema says more: `undefined` arrives as null and is left out of objects, a Map
 * with string keys arrives as an object, a Date may arrive as a string (from JSON), a bigint as a number where it is a
 * safe one, an instance with `toJSON()` as what that gives.
 */
export type WireValue<T> = unknown extends T
  ? T
  : T extends string | number | boolean | null
    ? T
    : T extends undefined | void
      ? null
      : T extends bigint
        ? bigint | number
        : T extends symbol | ((...args: never[]) => unknown)
          ? never
          : T extends Date
            ? Date | string
            : T extends Uint8Array
              ? Uint8Array
              : T extends ReadonlyMap<infer K, infer V>
                ? WireMap<K, V>
                : T extends ReadonlySet<infer V>
                  ? Set<WireValue<V>>
                  : T extends { toJSON(): infer J }
                    ? T | WireValue<J>
                    : T extends readonly unknown[]
                      ? { [K in keyof T]: WireValue<T[K]> }
                      : T extends object
                        ? WireObject<T>
                        : T

type WireMap<K, V> = [K] extends [string] ? Record<K, WireValue<V>> : Map<WireValue<K>, WireValue<V>>

type OptionalKeys<T> = {
  [K in keyof T]-?: undefined extends T[K] ? (unknown extends T[K] ? never : K) : never
}[keyof T]

type Flat<T> = { [K in keyof T]: T[K] }

type WireObject<T> = [OptionalKeys<T>] extends [never]
  ? { [K in keyof T]: WireValue<T[K]> }
  : Flat<
      { [K in keyof T as K extends OptionalKeys<T> ? never : K]: WireValue<T[K]> } & {
        [K in keyof T as K extends OptionalKeys<T> ? K : never]?: WireValue<Exclude<T[K], undefined>>
      }
    >
