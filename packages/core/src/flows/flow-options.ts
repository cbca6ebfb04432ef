import { isWellFormed } from '@arq-ts/protocol/jobs'
import { count, duration, MAX_DEFER_MS, once } from '../options/check.ts'
import * as z from '../options/zod.ts'
import { FlowGroup, FlowMember } from './handles.ts'
import type { FlowHandle } from './handles.ts'

/** Time that a flow is kept past its end, in ms: a day. */
export const FLOW_KEEP_MS = 86_400_000

/** Options of a flow. */
export interface FlowOptions {
  /**
   * Outcome of a member that has ended and left no trace of how: one of Python's with `keep_result=0`, or one that
   * was removed. Required where Python may run a member; else the default is `fail`.
   */
  onUnknown?: 'fail' | 'succeed'
  /** Time that the flow is kept past its end, to be looked at and replayed, in ms. Default: a day. */
  keepMs?: number
}

const handle = z.custom<FlowHandle>(
  (value) => value instanceof FlowMember || value instanceof FlowGroup,
  'Expected a member or a group of the flow, as `call` and `all` return them',
)

/** @internal */
export const memberSchema = once(() =>
  z.strictObject({
    after: z.union([handle, z.array(handle)]).optional(),
    on: z.enum(['success', 'failure', 'any']).optional(),
    name: z.string().min(1).optional(),
    queueName: z.string().min(1).optional(),
    delayMs: duration(0, MAX_DEFER_MS).optional(),
  }),
)

/** @internal */
export const flowSchema = once(() =>
  z.strictObject({
    onUnknown: z.enum(['fail', 'succeed']).optional(),
    keepMs: duration(1, MAX_DEFER_MS).optional(),
  }),
)

/** @internal */
export const startSchema = once(() =>
  z.strictObject({
    flowId: z
      .custom<string>(
        (value) => typeof value === 'string' && value !== '' && isWellFormed(value),
        'Expected a string of at least one character, without half surrogate pairs',
      )
      .optional(),
  }),
)

/** @internal */
export const listSchema = once(() => z.strictObject({ limit: count(1).optional() }))

/** @internal */
export const replaySchema = once(() => z.strictObject({ only: z.enum(['all', 'failed']).optional() }))
