import { describe, expect, test } from 'vitest'
import {
  decideMember,
  familiesOf,
  FlowMachine,
  membersOf,
  planReplay,
  problemOfGraph,
  putResults,
  takeReferences,
} from '../../src/flows/index.ts'
import type { FlowGraph, FlowNode, MemberOutcome } from '../../src/flows/index.ts'
import { Tuple } from '../../src/values/index.ts'
import { expectedEnds, randomFlow, random } from '../support/random-flows.ts'

function graphOf(nodes: Record<string, Partial<FlowNode>>): FlowGraph {
  return new Map(Object.entries(nodes).map(([key, { after = [], on = 'success' }]) => [key, { after, on }]))
}

describe('a graph', () => {
  test.each([
    [{}, 'no members'],
    [{ a: { after: ['b'] } }, "'a' comes after 'b', which is no member"],
    [{ a: {}, b: { after: ['a', 'c'] }, c: { after: ['b'] } }, "'b', 'c' wait for each other"],
    [{ a: { after: ['a'] } }, "'a' wait for each other"],
  ])('is refused: %j', (nodes, problem) => {
    expect(problemOfGraph(graphOf(nodes))).toContain(problem)
  })

  test('may name a member twice', () => {
    expect(problemOfGraph(graphOf({ a: {}, b: { after: ['a', 'a'] } }))).toBeUndefined()
  })

  test('counts those that a member has added as its family, to any depth', () => {
    const families = familiesOf(['1', '1.0', '1.0.3', '10', '1.2'])
    expect(families.get('1')).toEqual(['1', '1.0', '1.0.3', '1.2'])
    expect(families.get('10')).toEqual(['10'])
  })
})

describe('a member', () => {
  test.each<[on: 'success' | 'failure' | 'any', before: MemberOutcome[], decision: string]>([
    ['success', [], 'run'],
    ['success', ['success', 'success'], 'run'],
    ['success', ['success', 'failure'], 'blocked'],
    ['success', ['blocked'], 'blocked'],
    ['success', ['success', 'skipped'], 'skipped'],
    ['success', ['skipped', 'aborted'], 'blocked'],
    ['failure', ['success', 'success'], 'skipped'],
    ['failure', ['success', 'failure'], 'run'],
    ['failure', ['blocked'], 'run'],
    ['failure', ['skipped'], 'skipped'],
    ['any', ['failure', 'skipped', 'cancelled'], 'run'],
    ['success', ['unknown'], 'blocked'],
    ['failure', ['unknown'], 'run'],
  ])('on %s after %j: %s', (on, before, decision) => {
    expect(decideMember(on, before, 'fail')).toBe(decision)
  })

  test('takes an unknown end for a success where the flow says so', () => {
    expect(decideMember('success', ['unknown'], 'succeed')).toBe('run')
    expect(decideMember('failure', ['unknown'], 'succeed')).toBe('skipped')
  })
})

describe('results as arguments', () => {
  const handle = (of: string | readonly string[]) => ({ handle: of })
  const targetOf = (value: unknown) => (value as { handle?: string } | null)?.handle

  test('stand where the handles stood, at any depth, and alone', () => {
    const call = {
      args: Tuple.adopt([handle('1'), [handle('2'), 'x']]),
      kwargs: { all: handle(['1', '2']), deep: { list: [{ of: handle('1') }] }, plain: 7 },
    }
    const { args, kwargs, references } = takeReferences(call, targetOf)
    expect({ args: [...args], kwargs }).toEqual({
      args: [null, [null, 'x']],
      kwargs: { all: null, deep: { list: [{ of: null }] }, plain: 7 },
    })
    expect(membersOf(references).sort()).toEqual(['1', '2'])
    const filled = putResults({ args, kwargs }, references, (key) => `r${key}`)
    expect(filled.args).toBeInstanceOf(Tuple)
    expect([...filled.args]).toEqual(['r1', ['r2', 'x']])
    expect(filled.kwargs).toEqual({ all: ['r1', 'r2'], deep: { list: [{ of: 'r1' }] }, plain: 7 })
    // The call is as it was: a replay fills it again.
    expect(kwargs.deep).toEqual({ list: [{ of: null }] })
  })

  test('keep a key that JavaScript gives another meaning or order', () => {
    const { args, kwargs, references } = takeReferences(
      { args: [], kwargs: JSON.parse('{"__proto__": 1, "b": 2}') as object as Record<string, unknown> },
      targetOf,
    )
    expect(references).toEqual([])
    expect(Object.keys(putResults({ args, kwargs }, references, () => 0).kwargs)).toEqual(['__proto__', 'b'])
  })
})

describe('a replay of what failed', () => {
  test('opens what failed and all after it, and leaves what succeeded', () => {
    const graph = graphOf({
      a: {},
      b: {},
      c: { after: ['a', 'b'] },
      d: { after: ['c'], on: 'failure' },
      e: { after: ['a'] },
    })
    const ends = new Map<string, MemberOutcome>([
      ['a', 'success'],
      ['b', 'failure'],
      ['c', 'blocked'],
      ['d', 'success'],
      ['e', 'success'],
    ])
    const plan = planReplay(graph, ends, 'fail', 'failed')
    expect([...plan.reopen]).toEqual([
      ['b', 'start'],
      ['c', 'hold'],
      ['d', 'hold'],
    ])
  })

  test('is planned even if more members follow one than a call can take as arguments', () => {
    const kids = Array.from({ length: 130_000 }, (_, i) => [String(i + 1), { after: ['0'] }] as const)
    const graph = graphOf({ '0': {}, ...Object.fromEntries(kids) })
    const ends = new Map<string, MemberOutcome>([...graph.keys()].map((key) => [key, 'blocked']))
    expect(planReplay(graph, ends, 'fail', ['0']).reopen.size).toBe(130_001)
  })

  test('drops what a member had added that runs again, and opens what was added where only that failed', () => {
    const graph = graphOf({ '0': {}, '0.0': {}, '0.1': { after: ['0.0'] }, '1': { after: ['0'] } })
    const end = (own: MemberOutcome, kid: MemberOutcome) =>
      new Map<string, MemberOutcome>([
        ['0', own],
        ['0.0', kid],
        ['0.1', 'success'],
        ['1', 'success'],
      ])
    expect(planReplay(graph, end('failure', 'success'), 'fail', 'failed')).toEqual({
      reopen: new Map([
        ['0', 'start'],
        ['1', 'hold'],
      ]),
      drop: ['0.0', '0.1'],
    })
    expect(planReplay(graph, end('success', 'failure'), 'fail', 'failed')).toEqual({
      reopen: new Map([
        ['0.0', 'start'],
        ['0.1', 'hold'],
        ['1', 'hold'],
      ]),
      drop: [],
    })
  })
})

/** Runs, kills and replays flows at random until each has ended; returns the ends. */
function runAtRandom(seed: number): void {
  const next = random(seed)
  const pick = <T>(items: readonly T[]): T => items[Math.floor(next() * items.length)]!
  const { graph, onUnknown, outcomes } = randomFlow(next)
  const machine = new FlowMachine(graph, onUnknown)
  const runs = new Map<string, number>()
  /** Members whose job has ended, and whose end nobody has noted: a kill, until the conductor looks. */
  const unnoted = new Map<string, MemberOutcome>()
  /** Members that running members have added; a run that is killed adds them again. */
  const drafts = new Map<string, Map<string, FlowNode>>()
  const end = (key: string, outcome: MemberOutcome) => {
    const added = drafts.get(key)
    const isAdding = machine.open.has(key) && outcome === 'success' && machine.state === 'running'
    machine.end(key, outcome, added)
    for (const kid of added?.keys() ?? []) if (isAdding) expect(machine.open.has(kid)).toBe(true)
    drafts.delete(key)
  }
  let replays = Math.floor(next() * 3)
  let isCancelled = false
  const runsInOrder = (key: string) => {
    const { after } = machine.graph.get(key)!
    const families = familiesOf(machine.graph.keys())
    for (const parent of after.flatMap((each) => families.get(each)!)) expect(machine.open.has(parent)).toBe(false)
  }
  for (let steps = 0; steps < 100_000; steps++) {
    if (machine.open.size === 0) {
      expect([...machine.graph.keys()].every((key) => machine.ends.has(key))).toBe(true)
      if (!isCancelled) {
        expect(machine.ends).toEqual(expectedEnds(machine.graph, onUnknown, outcomes))
        const fine = [...machine.ends.values()].every(
          (end) => end === 'success' || end === 'skipped' || (end === 'unknown' && onUnknown === 'succeed'),
        )
        expect(machine.state).toBe(fine ? 'complete' : 'failed')
      } else expect(machine.state).toBe('cancelled')
      if (replays-- === 0) return
      const before = new Map(machine.ends)
      machine.replay(next() < 0.5 ? 'all' : 'failed')
      isCancelled &&= machine.open.size === 0
      for (const key of outcomes.keys()) {
        if (machine.ends.has(key)) continue
        runs.delete(key)
        if (next() < 0.3) outcomes.set(key, 'success')
      }
      for (const [key, end] of before)
        if (!machine.open.has(key) && machine.graph.has(key)) expect(machine.ends.get(key)).toBe(end)
      continue
    }
    const roll = next()
    const todo = [...machine.todo.keys()]
    const running = [...machine.out].filter((key) => !unnoted.has(key))
    if (roll < 0.45 && todo.length > 0 && machine.state === 'running') {
      const key = pick(todo)
      const task = machine.todo.get(key)
      if (task !== 'hold') runsInOrder(key)
      const action = machine.place(key)
      if (action === 'run') {
        runs.set(key, (runs.get(key) ?? 0) + 1)
        expect(runs.get(key)).toBe(1)
      } else if (action !== 'held') unnoted.set(key, action as MemberOutcome)
    } else if (roll < 0.85 && running.length > 0) {
      const key = pick(running)
      if (next() < 0.2 && machine.graph.size < 40 && machine.state === 'running') {
        const added = drafts.get(key) ?? new Map<string, FlowNode>()
        const siblings = [...added.keys()]
        const kid = `${key}.${siblings.length}`
        drafts.set(key, added.set(kid, { after: next() < 0.5 ? siblings.slice(0, 1) : [], on: 'any' }))
        expect(machine.graph.has(kid)).toBe(false)
        outcomes.set(kid, next() < 0.7 ? 'success' : 'failure')
        continue
      }
      // A worker that dies loses the members that its run has added; the next run adds its own.
      if (next() < 0.1) drafts.delete(key)
      // Running members of a cancelled flow are aborted; a kill loses the steps after an end.
      const outcome = machine.state === 'cancelling' ? 'aborted' : outcomes.get(key)!
      if (next() < 0.3) unnoted.set(key, outcome)
      else end(key, outcome)
    } else if (roll < 0.98 && unnoted.size > 0) {
      const [key, outcome] = pick([...unnoted])
      unnoted.delete(key)
      end(key, outcome)
      machine.end(key, 'failure')
    } else if (roll > 0.995) {
      isCancelled = true
      machine.cancel()
    }
  }
  throw new Error(`the flow of seed ${seed} did not end`)
}

describe('a flow at random, with kills, members added, cancels and replays', () => {
  const count = Number(process.env['FLOW_RUNS'] ?? 2_000)
  const first = Number(process.env['FLOW_SEED'] ?? 1)

  test(`ends as its graph and its members say, each member once and none early: ${count} flows from seed ${first}`, () => {
    for (let seed = first; seed < first + count; seed++) {
      try {
        runAtRandom(seed)
      } catch (error) {
        throw new Error(`FLOW_SEED=${seed} FLOW_RUNS=1 repeats it`, { cause: error })
      }
    }
  })
})
