/** Checks of what the functions of this folder are given. */
import { expectArgument } from '../values/expect-argument.ts'
import { isMap } from '../values/realms.ts'
import type { FlowCondition, FlowNode, MemberOutcome } from './graph.ts'

const CONDITIONS: readonly unknown[] = ['success', 'failure', 'any'] satisfies FlowCondition[]
const OUTCOMES: readonly unknown[] = [
  'success',
  'failure',
  'aborted',
  'unknown',
  'skipped',
  'blocked',
  'cancelled',
] satisfies MemberOutcome[]

/** Refuses what is no map of members, each with an array `after`. @throws OptionsError */
export function expectGraph(where: string, graph: unknown): void {
  const isNode = (node: unknown) => Array.isArray((node as Partial<FlowNode> | null)?.after)
  const isGraph = isMap(graph) && [...(graph as Map<string, unknown>).values()].every(isNode)
  expectArgument(where, 'graph', isGraph, 'a Map of members', graph)
}

/** Refuses what is no policy. @throws OptionsError */
export function expectPolicy(where: string, onUnknown: unknown): void {
  const isPolicy = onUnknown === 'fail' || onUnknown === 'succeed'
  expectArgument(where, 'onUnknown', isPolicy, "'fail' or 'succeed'", onUnknown)
}

/** Refuses what is no end of a member. @throws OptionsError */
export function expectOutcome(where: string, outcome: unknown): void {
  expectArgument(where, 'outcome', OUTCOMES.includes(outcome), `one of ${OUTCOMES.join(', ')}`, outcome)
}

/** Refuses what is no condition of a member. @throws OptionsError */
export function expectCondition(where: string, on: unknown): void {
  expectArgument(where, 'on', CONDITIONS.includes(on), "'success', 'failure' or 'any'", on)
}
