import { checkName } from '../options/arguments.ts'
import { checkOptions } from '../options/check.ts'
import { FlowBuilder } from './builder.ts'
import { FLOW_KEEP_MS, flowSchema } from './flow-options.ts'
import type { FlowOptions } from './flow-options.ts'

/** A graph of calls that has not been started. Each `client.start` makes a run of its own of it. */
export class Flow extends FlowBuilder {
  /** Its name, for people. */
  readonly name: string
  /** @internal Undefined where nobody said. */
  readonly onUnknown: 'fail' | 'succeed' | undefined
  /** @internal Time that a run is kept past its end, in ms. */
  readonly keepMs: number

  /** @internal Use `flow`. */
  constructor(name: string, { keepMs = FLOW_KEEP_MS, onUnknown }: FlowOptions) {
    super()
    this.name = name
    this.onUnknown = onUnknown
    this.keepMs = keepMs
  }
}

/**
 * Begins a flow: jobs that run after each other, at a time, or by how others ended.
 *
 * ```ts
 * const f = flow('report', { onUnknown: 'fail' })
 * const parts = f.all(ids.map((id) => f.call(fetchPart, { id })))
 * const merged = f.call(mergeParts, { parts })
 * f.call(mail, { body: merged }, { after: merged, on: 'success' })
 * f.call(alert, {}, { after: merged, on: 'failure' })
 * await (await client.start(f)).result()
 * ```
 *
 * @throws OptionsError
 */
export function flow(name: string, options: FlowOptions = {}): Flow {
  checkName('flow', 'name', name)
  return new Flow(name, checkOptions('flow', flowSchema(), options) as FlowOptions)
}
