import { expectArgument, expectString } from '../values/expect-argument.ts'
import { expectCondition, expectGraph, expectOutcome, expectPolicy } from './checks.ts'

/** Condition on which a member runs, by how the members before it ended. */
export type FlowCondition = 'success' | 'failure' | 'any'

/**
 * End of a member. `skipped`: its branch was not taken. `blocked`: it could not run since a member before it did not
 * succeed. `unknown`: it is gone and left no result, as Python's with `keep_result=0`. `cancelled`: with its flow.
 */
export type MemberOutcome = 'success' | 'failure' | 'aborted' | 'unknown' | 'skipped' | 'blocked' | 'cancelled'

/** Outcome that a member counts as which ended without a trace. */
export type UnknownPolicy = 'fail' | 'succeed'

/** A member's place in its flow. */
export interface FlowNode {
  /** Members that end before it starts. */
  after: readonly string[]
  on: FlowCondition
}

/** Members by their keys. A member added by a running one is named after it: `3.0` and `3.1` are children of `3`. */
export type FlowGraph = ReadonlyMap<string, FlowNode>

/**
 * Returns what is wrong with a graph, or undefined: it has members, knows those it names, and none waits for itself.
 *
 * @throws OptionsError
 */
export function problemOfGraph(graph: FlowGraph): string | undefined {
  expectGraph('problemOfGraph', graph)
  if (graph.size === 0) return 'it has no members'
  const open = new Map<string, number>()
  for (const [key, { after }] of graph) {
    const unknown = after.find((parent) => !graph.has(parent))
    if (unknown !== undefined) return `the member '${key}' comes after '${unknown}', which is no member of the flow`
    open.set(key, new Set(after).size)
  }
  const next = successorsOf(graph)
  const ready = [...graph.keys()].filter((key) => open.get(key) === 0)
  let ended = 0
  for (let key = ready.pop(); key !== undefined; key = ready.pop()) {
    ended++
    for (const child of next.get(key) ?? []) {
      const left = open.get(child)! - 1
      open.set(child, left)
      if (left === 0) ready.push(child)
    }
  }
  if (ended === graph.size) return undefined
  const stuck = [...open].filter(([, left]) => left > 0).map(([key]) => `'${key}'`)
  return `the members ${stuck.slice(0, 5).join(', ')} wait for each other`
}

/** The members that come after each, each once. @throws OptionsError */
export function successorsOf(graph: FlowGraph): Map<string, string[]> {
  expectGraph('successorsOf', graph)
  const next = new Map<string, string[]>()
  for (const [key, { after }] of graph) {
    for (const parent of new Set(after)) {
      const known = next.get(parent)
      if (known) known.push(key)
      else next.set(parent, [key])
    }
  }
  return next
}

/** True for an outcome after which `on: 'success'` runs. @throws OptionsError */
export function isSuccess(outcome: MemberOutcome, onUnknown: UnknownPolicy): boolean {
  expectOutcome('isSuccess', outcome)
  expectPolicy('isSuccess', onUnknown)
  return outcome === 'success' || (outcome === 'unknown' && onUnknown === 'succeed')
}

/** True for an outcome after which `on: 'failure'` runs, and which makes its flow a failed one. @throws OptionsError */
export function isFailure(outcome: MemberOutcome, onUnknown: UnknownPolicy): boolean {
  expectOutcome('isFailure', outcome)
  expectPolicy('isFailure', onUnknown)
  return outcome !== 'skipped' && !isSuccess(outcome, onUnknown)
}

/** Decides what becomes of a member once all before it have ended. @throws OptionsError */
export function decideMember(
  on: FlowCondition,
  before: readonly MemberOutcome[],
  onUnknown: UnknownPolicy,
): 'run' | 'skipped' | 'blocked' {
  expectCondition('decideMember', on)
  expectArgument('decideMember', 'before', Array.isArray(before), 'an array of outcomes', before)
  for (const outcome of before) expectOutcome('decideMember', outcome)
  expectPolicy('decideMember', onUnknown)
  if (on === 'any' || before.length === 0) return 'run'
  const hasFailure = before.some((outcome) => isFailure(outcome, onUnknown))
  if (on === 'failure') return hasFailure ? 'run' : 'skipped'
  if (hasFailure) return 'blocked'
  return before.every((outcome) => isSuccess(outcome, onUnknown)) ? 'run' : 'skipped'
}

/** The member that added this one while it ran; undefined for one that was there from the start. @throws OptionsError */
export function parentByName(key: string): string | undefined {
  expectString('parentByName', 'key', key)
  const dot = key.lastIndexOf('.')
  return dot < 0 ? undefined : key.slice(0, dot)
}

/**
 * Each member with those that it added and that these added: what comes after a member waits for all of them, and counts
 * all their outcomes.
 *
 * @throws OptionsError
 */
export function familiesOf(keys: Iterable<string>): Map<string, string[]> {
  const isList = typeof keys === 'object' && keys !== null && Symbol.iterator in keys
  expectArgument('familiesOf', 'keys', isList, 'keys of members', keys)
  const families = new Map<string, string[]>()
  for (const key of keys) {
    for (let head: string | undefined = key; head !== undefined; head = parentByName(head)) {
      const family = families.get(head)
      if (family) family.push(key)
      else families.set(head, [key])
    }
  }
  return families
}
