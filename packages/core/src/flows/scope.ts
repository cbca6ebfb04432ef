import { FlowError } from '../errors.ts'
import { FlowBuilder } from './builder.ts'
import type { CalledMember, FlowCallOptions } from './builder.ts'
import type { FlowInput, FlowMember } from './handles.ts'
import type { AnyContract, InputOf, ResultOf } from '../tasks/contract.ts'

/**
 * The flow that a running job is a member of: `ctx.flow`. What a handler adds starts when the handler has returned, and
 * what comes after its job waits for that too. A run that fails adds nothing.
 */
export class FlowScope extends FlowBuilder {
  /** The id of the flow; null where the job is in none. */
  readonly flowId: string | null

  /** @internal */
  constructor(mark: { id: string; member: string } | undefined, check?: (call: CalledMember) => void) {
    super((index) => `${mark?.member ?? ''}.${index}`, check)
    this.flowId = mark?.id ?? null
  }

  /**
   * Adds a call to the flow.
   *
   * @throws FlowError where the job is in no flow; ArgumentsError, EncodeError; OptionsError.
   */
  override call<T extends AnyContract | string>(
    task: T,
    input: T extends AnyContract ? FlowInput<InputOf<T>> : readonly unknown[],
    options: FlowCallOptions = {},
  ): FlowMember<T extends AnyContract ? ResultOf<T> : unknown> {
    if (this.flowId === null)
      throw new FlowError('ctx.flow.call: this job is no member of a flow; use ctx.client.enqueue')
    return super.call(task, input, options)
  }
}
