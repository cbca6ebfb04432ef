declare const inputType: unique symbol
declare const resultType: unique symbol

/** A function by its name on the wire and the types it takes and gives: all that a producer needs of a task. */
export interface TaskContract<Input = unknown, Result = unknown> {
  /** The function's name on the wire. */
  readonly name: string
  /** The arguments on the wire for an input. @throws ArgumentsError */
  pack(input: Input): { args: readonly unknown[]; kwargs: Readonly<Record<string, unknown>> }
  /** Types only. */
  readonly [inputType]?: (input: Input) => void
  readonly [resultType]?: Result
}

/** Any contract, for lists of them. A task is one. */
export type AnyContract = TaskContract<never>

/** The input `enqueue` takes for a task. */
export type InputOf<T> = T extends { readonly [inputType]?: (input: infer Input) => void } ? Input : never

/** The result `job.result()` gives for a task. */
export type ResultOf<T> = T extends TaskContract<never, infer Result> ? Result : never
