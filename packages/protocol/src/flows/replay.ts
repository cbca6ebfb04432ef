import { expectArgument, isStrings } from '../values/expect-argument.ts'
import { isMap } from '../values/realms.ts'
import { expectPolicy } from './checks.ts'
import { familiesOf, isFailure, parentByName, successorsOf } from './graph.ts'
import type { FlowGraph, MemberOutcome, UnknownPolicy } from './graph.ts'

/** Plan of a replay; members that it does not name keep their ends. */
export interface ReplayPlan {
  /** Members that run again: `start` at once, `hold` until those before them have ended. */
  reopen: Map<string, 'start' | 'hold'>
  /** Members that go: who added them runs again, and adds its own. */
  drop: string[]
}

/**
 * Plans a replay of an ended flow: of all of it, or of what did not succeed. With a member goes all that comes after it,
 * also what had run because of its failure.
 *
 * @param only - `all`, `failed`, or the members to begin with.
 * @throws OptionsError
 */
export function planReplay(
  graph: FlowGraph,
  ends: ReadonlyMap<string, MemberOutcome>,
  onUnknown: UnknownPolicy,
  only: 'all' | 'failed' | readonly string[],
): ReplayPlan {
  expectArgument('planReplay', 'ends', isMap(ends), 'a Map of outcomes', ends)
  expectPolicy('planReplay', onUnknown)
  const isChoice = only === 'all' || only === 'failed' || isStrings(only)
  expectArgument('planReplay', 'only', isChoice, "'all', 'failed' or keys of members", only)
  const next = successorsOf(graph)
  const seeds =
    only === 'all'
      ? [...graph.keys()]
      : only === 'failed'
        ? [...ends].filter(([, outcome]) => isFailure(outcome, onUnknown)).map(([key]) => key)
        : only
  const families = familiesOf(graph.keys())
  const again = new Set<string>()
  const dropped = new Set<string>()
  const stack = seeds.filter((key) => graph.has(key))
  for (let key = stack.pop(); key !== undefined; key = stack.pop()) {
    if (again.has(key)) continue
    again.add(key)
    for (const kin of families.get(key) ?? []) if (kin !== key) dropped.add(kin)
    // Members after the one that added it wait for this one too.
    for (let head: string | undefined = key; head !== undefined; head = parentByName(head)) {
      // One by one: there may be more than a call can take as arguments.
      for (const child of next.get(head) ?? []) stack.push(child)
    }
  }
  for (const key of dropped) again.delete(key)
  const isAgain = (key: string) => (families.get(key) ?? []).some((kin) => again.has(kin))
  const reopen = new Map<string, 'start' | 'hold'>()
  for (const key of graph.keys()) {
    if (again.has(key)) reopen.set(key, graph.get(key)!.after.some(isAgain) ? 'hold' : 'start')
  }
  return { reopen, drop: [...dropped] }
}
