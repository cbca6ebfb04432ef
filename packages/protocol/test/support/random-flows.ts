import { decideMember, familiesOf } from '../../src/flows/index.ts'
import type { FlowGraph, FlowNode, MemberOutcome, UnknownPolicy } from '../../src/flows/index.ts'

/** Numbers from 0 to 1 by a seed (mulberry32). */
export function random(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** A graph of up to 12 members, and how each of them ends if it runs. */
export function randomFlow(
  next: () => number,
  size = 1 + Math.floor(next() * 12),
): { graph: FlowGraph; onUnknown: UnknownPolicy; outcomes: Map<string, MemberOutcome> } {
  const graph = new Map<string, FlowNode>()
  const outcomes = new Map<string, MemberOutcome>()
  for (let i = 0; i < size; i++) {
    const before = [...graph.keys()].filter(() => next() < 2 / (i + 1))
    const roll = next()
    graph.set(String(i), { after: before, on: roll < 0.6 ? 'success' : roll < 0.8 ? 'failure' : 'any' })
    const end = next()
    outcomes.set(String(i), end < 0.65 ? 'success' : end < 0.85 ? 'failure' : end < 0.92 ? 'aborted' : 'unknown')
  }
  return { graph, onUnknown: next() < 0.5 ? 'fail' : 'succeed', outcomes }
}

/** End of each member, by its graph alone: the end that a flow must reach, whatever happens on the way. */
export function expectedEnds(
  graph: FlowGraph,
  onUnknown: UnknownPolicy,
  outcomes: ReadonlyMap<string, MemberOutcome>,
): Map<string, MemberOutcome> {
  const families = familiesOf(graph.keys())
  const ends = new Map<string, MemberOutcome>()
  const endOf = (key: string): MemberOutcome => {
    const known = ends.get(key)
    if (known) return known
    const { after, on } = graph.get(key)!
    const before = after.flatMap((parent) => families.get(parent)!).map(endOf)
    const decision = decideMember(on, before, onUnknown)
    const end = decision === 'run' ? outcomes.get(key)! : decision
    ends.set(key, end)
    return end
  }
  for (const key of graph.keys()) endOf(key)
  return ends
}
