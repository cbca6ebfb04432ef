import { MAX_DEPTH } from '@arq-ts/protocol'
import type { FlowCondition } from '@arq-ts/protocol/flows'
import { EncodeError, OptionsError } from '../errors.ts'
import { checkOptions } from '../options/check.ts'
import type { AnyContract, InputOf, ResultOf } from '../tasks/contract.ts'
import { FlowGroup, FlowMember } from './handles.ts'
import type { FlowHandle, FlowInput, GivenBy, MemberRef } from './handles.ts'
import { memberSchema } from './flow-options.ts'

/** Options of one member of a flow. */
export interface FlowCallOptions {
  /** Members or groups that end before this one starts, in addition to those whose results its input names. Default: none. */
  after?: FlowHandle | readonly FlowHandle[]
  /**
   * Condition on which it runs, once all before it have ended. `success` (default): all of them succeeded. `failure`: one of
   * them did not, or could not run. `any`: however they ended. A result of a member that did not succeed arrives as null.
   */
  on?: FlowCondition
  /** Its name in the graph, unique in the flow. Default: the function's name, numbered where it is taken. */
  name?: string
  /** The queue it runs from. Default: the client's. */
  queueName?: string
  /** Time between the end of those before it and its start, in ms, at most a century. Default 0. */
  delayMs?: number
}

/** A member as it was called. */
export interface CalledMember {
  handle: MemberRef
  task: AnyContract | string
  input: unknown
  /** Keys of the members that `after`, a chain or a chord put before it. */
  after: Set<string>
  on: FlowCondition
  name: string
  queueName: string | undefined
  delayMs: number
}

/** A step of a chain: members that come after what the step before gave. */
export type FlowStep<Before, Result extends FlowHandle = FlowHandle> = (before: Before) => Result

/** Calls that become members of a flow: of a new one, or of the one that a running member is in. */
export class FlowBuilder {
  /** @internal In the order of the calls, which is one that they can run in. */
  readonly members: CalledMember[] = []
  readonly #keyOf: (index: number) => string
  readonly #check: (call: CalledMember) => void
  readonly #names = new Map<string, number>()
  readonly #taken = new Set<string>()

  /** @internal `check` throws for a call that cannot be written. */
  constructor(keyOf: (index: number) => string = String, check: (call: CalledMember) => void = () => {}) {
    this.#keyOf = keyOf
    this.#check = check
  }

  /**
   * Adds a call: of a task, a contract, a function of Python's, or a function by its name. Where the input holds a member or
   * a group, the call waits for it, and its result stands there when it runs.
   *
   * @throws OptionsError
   */
  call<T extends AnyContract | string>(
    task: T,
    input: T extends AnyContract ? FlowInput<InputOf<T>> : readonly unknown[],
    options: FlowCallOptions = {},
  ): FlowMember<T extends AnyContract ? ResultOf<T> : unknown> {
    const {
      after = [],
      delayMs = 0,
      name,
      on = 'success',
      queueName,
    } = checkOptions('flow.call', memberSchema(), options)
    const functionName: unknown = typeof task === 'string' ? task : (task as AnyContract | null | undefined)?.name
    if (typeof functionName !== 'string' || functionName === '')
      throw new OptionsError('flow.call: expected a task, a contract or the name of a function')
    if (name !== undefined && this.#taken.has(name))
      throw new OptionsError(`flow.call(${functionName}): another member has the name '${name}'; give each its own`)
    const handle = new FlowMember(this.#keyOf(this.members.length), name ?? this.#freeName(functionName), this)
    const before = (Array.isArray(after) ? after : [after]) as FlowHandle[]
    const keys = new Set(before.flatMap((each) => this.#keysIn(each)))
    const member = { handle, task, input, after: keys, on, name: handle.name, queueName, delayMs }
    this.#check(member)
    this.#taken.add(handle.name)
    this.members.push(member)
    return handle as never
  }

  /** Many at a time: as an input, an array of their results, in this order. */
  all<const T extends readonly FlowHandle[]>(members: T): FlowGroup<{ -readonly [K in keyof T]: GivenBy<T[K]> }> {
    if (!Array.isArray(members)) throw new OptionsError('flow.all: expected an array of members and groups')
    for (const member of members) this.#keysIn(member)
    return new FlowGroup(members)
  }

  /** As `all`, by the name that Celery gave it. */
  group<const T extends readonly FlowHandle[]>(members: T): FlowGroup<{ -readonly [K in keyof T]: GivenBy<T[K]> }> {
    return this.all(members)
  }

  /** One after the other: each step gets what the step before it gave, and its members come after that. Returns the last. */
  chain<A extends FlowHandle>(first: A): A
  chain<A extends FlowHandle, B extends FlowHandle>(first: A, second: FlowStep<A, B>): B
  chain<A extends FlowHandle, B extends FlowHandle, C extends FlowHandle>(
    first: A,
    second: FlowStep<A, B>,
    third: FlowStep<B, C>,
  ): C
  chain(first: FlowHandle, ...steps: FlowStep<FlowHandle>[]): FlowHandle
  chain(first: FlowHandle, ...steps: FlowStep<never>[]): FlowHandle {
    return steps.reduce<FlowHandle>((before, step) => this.#after(before, step as FlowStep<FlowHandle>), first)
  }

  /** Many at a time, and a call after all of them. Returns what `body` gave. */
  chord<const T extends readonly FlowHandle[], Result extends FlowHandle>(
    members: T,
    body: FlowStep<FlowGroup<{ -readonly [K in keyof T]: GivenBy<T[K]> }>, Result>,
  ): Result {
    return this.#after(this.all(members), body)
  }

  /** Puts what a step adds after `before`: those of its members that come after no other one of the step. */
  #after<B extends FlowHandle, Result extends FlowHandle>(before: B, step: FlowStep<B, Result>): Result {
    if (typeof step !== 'function') throw new OptionsError('flow: expected each step to be a function')
    this.#keysIn(before)
    const from = this.members.length
    const result = step(before)
    this.#keysIn(result)
    const added = this.members.slice(from)
    const own = new Set(added.map(({ handle }) => handle.key))
    for (const member of added) {
      const isInner = [...member.after, ...keysInInput(member.input)].some((key) => own.has(key))
      if (!isInner) for (const key of this.#keysIn(before)) member.after.add(key)
    }
    return result
  }

  /** @throws OptionsError for a handle of another flow. */
  #keysIn(handle: FlowHandle): string[] {
    const members = handle instanceof FlowMember || handle instanceof FlowGroup ? handle.members : undefined
    if (!members)
      throw new OptionsError('flow: expected a member or a group of the flow, as `call` and `all` return them')
    for (const { builder, name } of members) {
      if (builder !== this) throw new OptionsError(`flow: the member '${name}' belongs to another flow`)
    }
    return members.map(({ key }) => key)
  }

  #freeName(functionName: string): string {
    for (;;) {
      const number = (this.#names.get(functionName) ?? 0) + 1
      this.#names.set(functionName, number)
      const name = number === 1 ? functionName : `${functionName}#${number}`
      if (!this.#taken.has(name)) return name
    }
  }
}

/**
 * Keys of the members that an input holds.
 *
 * @throws EncodeError for an input that no codec writes, since it contains itself.
 */
export function keysInInput(input: unknown, depth = 0): string[] {
  if (depth > MAX_DEPTH)
    throw new EncodeError(`flow.call: the input is nested more than ${MAX_DEPTH} levels deep, or contains itself`)
  if (input instanceof FlowMember || input instanceof FlowGroup) return input.members.map(({ key }) => key)
  if (Array.isArray(input)) return input.flatMap((each) => keysInInput(each, depth + 1))
  const isObject = typeof input === 'object' && input !== null && Object.getPrototypeOf(input) === Object.prototype
  return isObject ? Object.values(input).flatMap((each) => keysInInput(each, depth + 1)) : []
}
