import { count, duration, MAX_DEFER_MS } from '../options/check.ts'
import { array, custom, object, oneOf, string, union } from '../options/field.ts'
import { FlowGroup, FlowMember } from './handles.ts'
import type { FlowHandle } from './handles.ts'

/** Time that a flow is kept past its end, in ms: a day. */
export const FLOW_KEEP_MS = 86_400_000

/** Options of a flow. */
export interface FlowOptions {
  /**
   * Outcome of a member that has ended and left nothing to tell how: one of Python's with `keep_result=0`, or one that
   * was removed. Required where Python may run a member; else the default is `fail`.
   */
  onUnknown?: 'fail' | 'succeed'
  /** Time that the flow is kept past its end, to be looked at and replayed, in ms. Default: a day. */
  keepMs?: number
}

const handle = custom<FlowHandle>(
  (value) => value instanceof FlowMember || value instanceof FlowGroup,
  'a member or a group of the flow, as `call` and `all` return them',
)

/** @internal */
export const memberSchema = object({
  after: union([handle, array(handle)]).optional(),
  on: oneOf('success', 'failure', 'any').optional(),
  name: string(1).optional(),
  queueName: string(1).optional(),
  delayMs: duration(0, MAX_DEFER_MS).optional(),
})

/** @internal */
export const flowSchema = object({
  onUnknown: oneOf('fail', 'succeed').optional(),
  keepMs: duration(1, MAX_DEFER_MS).optional(),
})

/** @internal */
export const startSchema = object({ flowId: string(1).optional() })

/** @internal */
export const listSchema = object({ limit: count(1).optional() })

/** @internal */
export const replaySchema = object({ only: oneOf('all', 'failed').optional() })
