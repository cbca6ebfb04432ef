import type { ReferenceTarget } from '@arq-ts/protocol/flows'

declare const givenType: unique symbol
declare const memberResult: unique symbol

/** A member or a group: what `after` and inputs of other members name. `Given` is what stands in an input for it. */
export interface FlowHandle<Given = unknown> {
  readonly [givenType]?: () => Given
}

/** @internal A member, whatever its result. */
export interface MemberRef {
  readonly key: string
  readonly name: string
  readonly builder: object
}

/** One call of a flow. As an input of another member it stands for its result. */
export class FlowMember<Result = unknown> implements FlowHandle<unknown extends Result ? never : Result> {
  declare readonly [givenType]?: () => unknown extends Result ? never : Result
  declare readonly [memberResult]?: () => Result
  /** @internal */
  readonly key: string
  /** Its name in the graph. */
  readonly name: string
  /** @internal Flow that it belongs to. */
  readonly builder: object

  /** @internal Use `flow.call`. */
  constructor(key: string, name: string, builder: object) {
    this.key = key
    this.name = name
    this.builder = builder
  }

  /** @internal */
  get members(): MemberRef[] {
    return [this]
  }

  /** @internal */
  get target(): ReferenceTarget {
    return this.key
  }
}

/** Several members. As an input of another member it stands for an array of their results. */
export class FlowGroup<Results extends readonly unknown[] = readonly unknown[]> implements FlowHandle<Results> {
  declare readonly [givenType]?: () => Results
  readonly #parts: readonly Part[]

  /** @internal Use `flow.all`. */
  constructor(parts: readonly FlowHandle[]) {
    this.#parts = parts as unknown as readonly Part[]
  }

  /** @internal */
  get members(): MemberRef[] {
    return this.#parts.flatMap((part) => part.members)
  }

  /** @internal */
  get target(): ReferenceTarget {
    return this.#parts.map((part) => part.target)
  }
}

interface Part {
  members: MemberRef[]
  target: ReferenceTarget
}

/** Value that stands in an input for a handle. */
export type GivenBy<T> = T extends FlowHandle<infer Given> ? Given : never

/** An input in which members and groups may stand for values. */
export type FlowInput<T> =
  | T
  | FlowHandle<T>
  | (T extends string | number | bigint | boolean | null | undefined | Date | Uint8Array
      ? never
      : T extends readonly unknown[] | Readonly<Record<string, unknown>> | object
        ? { readonly [K in keyof T]: FlowInput<T[K]> }
        : never)
