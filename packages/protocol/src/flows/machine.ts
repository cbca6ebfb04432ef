import { expectArgument, expectString } from '../values/expect-argument.ts'
import { expectGraph, expectOutcome, expectPolicy } from './checks.ts'
import { decideMember, familiesOf, isFailure, successorsOf } from './graph.ts'
import type { FlowGraph, FlowNode, MemberOutcome, UnknownPolicy } from './graph.ts'
import { planReplay } from './replay.ts'

/** State of a flow. `cancelling`: nothing more of it starts, and what runs is being aborted. */
export type FlowState = 'running' | 'cancelling' | 'complete' | 'failed' | 'cancelled'

/**
 * Task on a member: `hold` puts it into its queue to wait, `start` hands it out anew, `free` hands out
 * one that is held.
 */
export type FlowTask = 'hold' | 'start' | 'free'

/**
 * The state machine of a flow, without Redis; the scripts do the same on keys.
 *
 * A member is open until it has ended. An open one is held, in `todo` or out (with the workers):
 * todo `hold` → held → todo `free` → out → ended, and todo `start` → out → ended for one that waits for nobody.
 * Members that the handler of a member adds are open from the end of that member on.
 * The flow ends with its last open member, and begins anew when a replay opens members.
 */
export class FlowMachine {
  readonly onUnknown: UnknownPolicy
  readonly open = new Set<string>()
  readonly out = new Set<string>()
  readonly todo = new Map<string, FlowTask>()
  readonly ends = new Map<string, MemberOutcome>()
  state: FlowState = 'running'
  readonly #graph: Map<string, FlowNode>

  /** @throws OptionsError */
  constructor(graph: FlowGraph, onUnknown: UnknownPolicy) {
    expectGraph('FlowMachine', graph)
    expectPolicy('FlowMachine', onUnknown)
    this.#graph = new Map(graph)
    this.onUnknown = onUnknown
    for (const [key, { after }] of graph) {
      this.open.add(key)
      this.todo.set(key, after.length === 0 ? 'start' : 'hold')
    }
  }

  get graph(): FlowGraph {
    return this.#graph
  }

  /** Does what is to be done about a member: returns what became of it, or undefined where there is nothing to do. @throws OptionsError */
  place(key: string): 'held' | 'run' | 'skipped' | 'blocked' | undefined {
    expectString('place', 'key', key)
    const task = this.todo.get(key)
    if (this.state !== 'running' || task === undefined) return undefined
    this.todo.delete(key)
    if (task === 'hold') return 'held'
    this.out.add(key)
    return this.decide(key)
  }

  /** The decision about a member all before which have ended. @throws OptionsError for one that the graph lacks */
  decide(key: string): 'run' | 'skipped' | 'blocked' {
    expectArgument('decide', 'key', this.#graph.has(key), 'a member of the flow', key)
    const families = familiesOf(this.#graph.keys())
    const { after, on } = this.#graph.get(key)!
    const before = after.flatMap((parent) => families.get(parent) ?? [])
    return decideMember(
      on,
      before.map((parent) => this.ends.get(parent)!),
      this.onUnknown,
    )
  }

  /**
   * Notes the end of a member; a repetition changes nothing. `added` are members that its handler has added: where it
   * succeeded, what comes after it waits for them too.
   *
   * @throws OptionsError
   */
  end(key: string, outcome: MemberOutcome, added: FlowGraph = new Map()): void {
    expectString('end', 'key', key)
    expectOutcome('end', outcome)
    expectGraph('end', added)
    if (!this.open.has(key) || this.todo.has(key)) return
    if (outcome === 'success' && this.state === 'running') for (const [kid, node] of added) this.#add(kid, node)
    this.open.delete(key)
    this.out.delete(key)
    this.ends.set(key, outcome)
    for (const child of this.#waitingFor(key)) {
      const task = this.todo.get(child)
      const isHeld = this.open.has(child) && !this.out.has(child) && (task === undefined || task === 'hold')
      if (isHeld && this.#isReady(child)) this.todo.set(child, task === 'hold' ? 'start' : 'free')
    }
    if (this.open.size === 0) this.state = this.#finalState()
  }

  /** Starts no more members; returns those that are out. */
  cancel(): string[] {
    if (this.state === 'running') this.state = 'cancelling'
    if (this.state !== 'cancelling') return []
    for (const key of [...this.open].filter((each) => !this.out.has(each))) {
      this.todo.delete(key)
      this.end(key, 'cancelled')
    }
    // Ends of others may have made tasks of what is cancelled now.
    this.todo.clear()
    return [...this.out]
  }

  /** Opens members of an ended flow again; false while it has not ended. @throws OptionsError */
  replay(only: 'all' | 'failed'): boolean {
    expectArgument('replay', 'only', only === 'all' || only === 'failed', "'all' or 'failed'", only)
    if (this.open.size > 0) return false
    const { drop, reopen } = planReplay(this.#graph, this.ends, this.onUnknown, only)
    for (const key of drop) {
      this.#graph.delete(key)
      this.ends.delete(key)
    }
    for (const [key, task] of reopen) {
      this.ends.delete(key)
      this.open.add(key)
      this.todo.set(key, task)
    }
    if (reopen.size > 0) this.state = 'running'
    return true
  }

  #add(key: string, node: FlowNode): void {
    if (this.#graph.has(key)) return
    this.#graph.set(key, node)
    this.open.add(key)
    this.todo.set(key, this.#isReady(key) ? 'start' : 'hold')
  }

  #waitingFor(key: string): string[] {
    const next = successorsOf(this.#graph)
    const heads = [...familiesOf(this.#graph.keys())].filter(([, family]) => family.includes(key))
    return heads.flatMap(([head]) => next.get(head) ?? [])
  }

  #isReady(key: string): boolean {
    const families = familiesOf(this.#graph.keys())
    return this.#graph.get(key)!.after.every((parent) => families.get(parent)!.every((kin) => !this.open.has(kin)))
  }

  #finalState(): FlowState {
    if (this.state === 'cancelling') return 'cancelled'
    return [...this.ends.values()].some((outcome) => isFailure(outcome, this.onUnknown)) ? 'failed' : 'complete'
  }
}
