import type { FlowMemberRow } from '@arq-ts/dashboard/api'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { depthsOf, nodesOf } from '../../src/charts/flow-folds.ts'
import { layered, NODE_HEIGHT, stacked } from '../../src/charts/flow-layout.ts'
import { flowTitle, tally } from '../../src/pages/flow-words.ts'

const member = (name: string, after: string[] = [], more: Partial<FlowMemberRow> = {}): FlowMemberRow => ({
  name,
  after,
  functionName: name,
  jobId: `flow-${name}`,
  queueName: 'q',
  state: 'held',
  on: 'success',
  waitsFor: after,
  addedBy: null,
  error: null,
  ...more,
})
const graph = (members: FlowMemberRow[]) => nodesOf(members, Infinity)
const width = () => 100

/** Graphs without circles: each member comes after some of those before it, and may have been added by one of them. */
const graphs = fc
  .array(fc.tuple(fc.array(fc.nat(), { maxLength: 4 }), fc.option(fc.nat(), { freq: 6 })), {
    minLength: 1,
    maxLength: 30,
  })
  .map((rows) =>
    rows.map(([after, added], i) =>
      member(`m${i}`, i === 0 ? [] : [...new Set(after.map((n) => `m${n % i}`))], {
        functionName: `f${i % 3}`,
        addedBy: added === null || i === 0 ? null : `m${added % i}`,
      }),
    ),
  )

/** The points of a path, by its commands: M, H, V, C and Q. */
function endsOf(path: string): { start: [number, number]; end: [number, number] } {
  let at: [number, number] = [NaN, NaN]
  let start: [number, number] | undefined
  for (const [, command, rest] of path.matchAll(/([MHVCQ])([^MHVCQ]*)/g)) {
    const numbers = rest!.trim().split(/\s+/).map(Number)
    if (command === 'H') at = [numbers[0]!, at[1]]
    else if (command === 'V') at = [at[0], numbers[0]!]
    else at = [numbers.at(-2)!, numbers.at(-1)!]
    start ??= at
  }
  return { start: start!, end: at }
}

describe('the drawing of a flow', () => {
  test('puts each node right of all before it, lets no two overlap, and ends each edge at its nodes', () => {
    fc.assert(
      fc.property(graphs, (members) => {
        const nodes = graph(members)
        const { edges, height, places, width: wide } = layered(nodes, width)
        const at = new Map(places.map((place) => [place.id, place]))
        for (const { before, id } of nodes)
          for (const each of before) expect(at.get(id)!.x).toBeGreaterThan(at.get(each)!.x + 100)
        for (const [i, a] of places.entries()) {
          expect(a.y).toBeGreaterThanOrEqual(0)
          expect(a.y + NODE_HEIGHT).toBeLessThanOrEqual(height + 1)
          expect(a.x + a.width).toBeLessThanOrEqual(wide)
          for (const b of places.slice(i + 1)) if (a.x === b.x) expect(Math.abs(a.y - b.y)).toBeGreaterThan(NODE_HEIGHT)
        }
        for (const { from, path, to } of edges) {
          const { end, start } = endsOf(path)
          expect(start).toEqual([at.get(from)!.x + 100, at.get(from)!.y + NODE_HEIGHT / 2])
          expect(end).toEqual([at.get(to)!.x, at.get(to)!.y + NODE_HEIGHT / 2])
        }
      }),
      { numRuns: 60 },
    )
  })

  test('has no crossing where none is needed, whatever the order of the members', () => {
    const chains = ['c', 'a', 'b'].flatMap((name) => [
      member(`${name}1`),
      member(`${name}2`, [`${name}1`]),
      member(`${name}3`, [`${name}2`]),
    ])
    const mixed = [
      chains[0]!,
      chains[4]!,
      chains[8]!,
      chains[1]!,
      chains[3]!,
      chains[2]!,
      chains[7]!,
      chains[5]!,
      chains[6]!,
    ]
    const { places } = layered(graph(mixed), width)
    const y = new Map(places.map((place) => [place.id, place.y]))
    for (const name of ['a', 'b', 'c']) expect(new Set([1, 2, 3].map((n) => y.get(`${name}${n}`))).size).toBe(1)
  })

  test('leads an edge that skips a layer around the nodes there', () => {
    const { edges, places } = layered(graph([member('a'), member('b', ['a']), member('c', ['a', 'b'])]), width)
    const b = places.find(({ id }) => id === 'b')!
    const long = edges.find(({ from, to }) => from === 'a' && to === 'c')!
    const across = /H(\d+)C/.exec(long.path.slice(long.path.indexOf('C')))
    expect(across).not.toBeNull()
    const level = Number(/C[^C]* ([\d.]+)H/.exec(long.path)![1])
    expect(Math.abs(level - (b.y + NODE_HEIGHT / 2))).toBeGreaterThan(NODE_HEIGHT / 2)
  })

  test('stacks the nodes of a narrow screen below those before them, within its width', () => {
    fc.assert(
      fc.property(graphs, (members) => {
        const nodes = graph(members)
        const { places } = stacked(nodes, 360)
        const at = new Map(places.map((place) => [place.id, place]))
        expect(new Set(places.map(({ y }) => y)).size).toBe(nodes.length)
        for (const { id, x, width: wide } of places) {
          expect(x).toBeGreaterThanOrEqual(0)
          expect(x + wide).toBeLessThanOrEqual(360)
          for (const each of nodes.find((node) => node.id === id)!.before)
            expect(at.get(id)!.y).toBeGreaterThan(at.get(each)!.y)
        }
      }),
      { numRuns: 60 },
    )
  })

  test('draws a chain of thousands, and a cycle, which no flow has', () => {
    const chain = Array.from({ length: 5_000 }, (_, i) => member(`m${i}`, i === 0 ? [] : [`m${i - 1}`])).toReversed()
    expect(depthsOf(graph(chain)).get('m4999')).toBe(4_999)
    expect(layered(graph([member('a', ['b']), member('b', ['a'])]), width).places).toHaveLength(2)
  })
})

describe('members that are drawn as one', () => {
  const fan = [
    member('split'),
    ...Array.from({ length: 50 }, (_, i) => [
      member(`load ${i}`, ['split'], { functionName: 'load' }),
      member(`store ${i}`, [`load ${i}`], { functionName: 'store', state: i === 7 ? 'failure' : 'success' }),
    ]).flat(),
    member(
      'sum',
      Array.from({ length: 50 }, (_, i) => `store ${i}`),
    ),
  ]

  test('run the same function between the same members', () => {
    const nodes = nodesOf(fan)
    expect(nodes.map(({ before, id, members }) => [id, members.length, before])).toEqual([
      ['split', 1, []],
      ['load 0', 50, ['split']],
      ['store 0', 50, ['load 0']],
      ['sum', 1, ['store 0']],
    ])
    expect(tally(nodes[2]!.members)).toEqual([
      ['failure', 1],
      ['success', 49],
    ])
  })

  test('are drawn apart if one has another neighbor, and in small flows always', () => {
    const odd = [...fan, member('note', ['store 3'])]
    expect(nodesOf(odd).map(({ id, members }) => [id, members.length])).toEqual([
      ['split', 1],
      ['load 0', 49],
      ['store 0', 49],
      ['load 3', 1],
      ['store 3', 1],
      ['sum', 1],
      ['note', 1],
    ])
    expect(nodesOf(fan.slice(0, 20))).toHaveLength(20)
  })
})

describe('the sentence of a flow', () => {
  const flow = (state: string, members: FlowMemberRow[]) =>
    flowTitle({ state, members, startedMs: 0, endedMs: null, nowMs: 0 } as never)

  test('names what failed, while it runs too', () => {
    const members = [member('a', [], { state: 'failure' }), member('b', [], { state: 'running' })]
    expect(flow('running', members)).toBe(' runs on, though a did not succeed.')
    expect(flow('failed', [members[0]!])).toBe(' failed: a did not succeed.')
    expect(flow('running', [member('a', [], { state: 'success' }), member('b')])).toBe(
      ' is running: one of two members has ended.',
    )
    expect(flow('complete', [])).toBe(' is complete.')
  })
})
