import { depthsOf, type FlowNode } from './flow-folds.ts'

/** The place of a node, in px. */
export interface FlowPlace {
  id: string
  x: number
  y: number
  width: number
}

/** A line from one node to another, as the path of an SVG. */
export interface FlowEdge {
  from: string
  to: string
  path: string
  /** True if the first has added the second; false if it only comes before it. */
  added: boolean
}

/** A drawn graph. */
export interface FlowDrawing {
  width: number
  height: number
  places: FlowPlace[]
  edges: FlowEdge[]
}

/** Height of a node, and its distance from the next one. */
export const NODE_HEIGHT = 36
const GAP = 12
const COLUMN_GAP = 56
const MOST_COLUMN_GAP = 112
const SWEEPS = 12

/** A node, or a bend of an edge that crosses a layer. */
interface Spot {
  id: string
  layer: number
  /** Centre, in px. */
  y: number
  height: number
  left: Spot[]
  right: Spot[]
}

interface Link {
  from: string
  to: string
  added: boolean
  /** Spots from node to node, including the bends between them. */
  spots: Spot[]
}

/**
 * A layered drawing from left to right: each node stands right of all before it, edges bend around the layers that they cross,
 * and nodes stand as near to their neighbours as they can without crossing their order. Layers move apart to use the `room`, in
 * px. Pure.
 */
export function layered(nodes: readonly FlowNode[], widthOf: (node: FlowNode) => number, room = 0): FlowDrawing {
  const depths = depthsOf(nodes)
  const spots = new Map<string, Spot>()
  const layers: Spot[][] = []
  const add = (id: string, layer: number, height: number): Spot => {
    const spot = { id, layer, y: 0, height, left: [], right: [] }
    ;(layers[layer] ??= []).push(spot)
    return spot
  }
  for (const { id } of nodes) spots.set(id, add(id, depths.get(id)!, NODE_HEIGHT))
  const links = linksOf(nodes, depths).map(([from, to, added]): Link => {
    const chain = [spots.get(from)!]
    for (let layer = chain[0]!.layer + 1; layer < spots.get(to)!.layer; layer++) chain.push(add('', layer, 0))
    chain.push(spots.get(to)!)
    for (const [i, spot] of chain.entries()) {
      const after = chain[i + 1]
      if (after) {
        spot.right.push(after)
        after.left.push(spot)
      }
    }
    return { from, to, added, spots: chain }
  })
  order(layers)
  place(layers)
  const xs: number[] = []
  const widths = layers.map((_, layer) =>
    Math.max(0, ...nodes.filter(({ id }) => depths.get(id) === layer).map((node) => widthOf(node))),
  )
  const spare = (room - widths.reduce((sum, each) => sum + each, 0)) / Math.max(1, layers.length - 1)
  const gap = Math.max(COLUMN_GAP, Math.min(MOST_COLUMN_GAP, Math.floor(spare)))
  let width = 0
  for (const [layer, each] of widths.entries()) {
    xs[layer] = width
    width += each + gap
  }
  const top = Math.min(...layers.flat().map(({ height, y }) => y - height / 2))
  const bottom = Math.max(...layers.flat().map(({ height, y }) => y + height / 2))
  for (const spot of layers.flat()) spot.y = Math.round(spot.y - top)
  const widthAt = new Map(nodes.map((node) => [node.id, widthOf(node)]))
  return {
    width: width - gap,
    height: Math.ceil(bottom - top),
    places: nodes.map(({ id }) => {
      const { layer, y } = spots.get(id)!
      return { id, x: xs[layer]!, y: y - NODE_HEIGHT / 2, width: widthAt.get(id)! }
    }),
    edges: links.map(({ added, from, spots: chain, to }) => ({
      from,
      to,
      added,
      path: pathOf(chain, { xs, widths, gap }, widthAt.get(from)!),
    })),
  }
}

/** The edges of a graph: from each node to those after it. Those that would lead back are left out. */
function linksOf(
  nodes: readonly FlowNode[],
  depths: ReadonlyMap<string, number>,
): [from: string, to: string, added: boolean][] {
  return nodes.flatMap(({ addedBy, before, id }) => {
    const sources = before.map((from): [string, string, boolean] => [from, id, false])
    if (addedBy !== null && !before.includes(addedBy)) sources.push([addedBy, id, true])
    return sources.filter(([from]) => (depths.get(from) ?? Infinity) < depths.get(id)!)
  })
}

/** Orders each layer by the middle of the neighbours on one side, then on the other, and keeps the order with the fewest crossings. */
function order(layers: Spot[][]): void {
  let best = layers.map((layer) => [...layer])
  let fewest = crossings(layers)
  for (let sweep = 0; sweep < SWEEPS && fewest > 0; sweep++) {
    const isForth = sweep % 2 === 0
    const side = isForth ? 'left' : 'right'
    for (const layer of isForth ? layers : layers.toReversed()) {
      const at = new Map(layers.flatMap((each) => each.map((spot, i) => [spot, i] as const)))
      const middle = new Map(layer.map((spot) => [spot, median(spot[side].map((each) => at.get(each)!))]))
      const own = new Map(layer.map((spot, i) => [spot, i]))
      // A spot without neighbours on this side stays where it is among the others.
      layer.sort((a, b) => (middle.get(a) ?? own.get(a)!) - (middle.get(b) ?? own.get(b)!) || own.get(a)! - own.get(b)!)
    }
    const now = crossings(layers)
    if (now < fewest) {
      fewest = now
      best = layers.map((layer) => [...layer])
    }
  }
  for (const [i, layer] of best.entries()) layers[i] = layer
}

function median(values: number[]): number | null {
  if (values.length === 0) return null
  const sorted = values.toSorted((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
}

/** Pairs of edges that cross between neighbouring layers. */
function crossings(layers: readonly Spot[][]): number {
  let count = 0
  for (const [at, layer] of layers.entries()) {
    const next = new Map(layers[at + 1]?.map((spot, i) => [spot, i]))
    const ends = layer.flatMap((spot) => spot.right.map((each) => next.get(each)!).toSorted((a, b) => a - b))
    for (let i = 1; i < ends.length; i++) for (let k = 0; k < i; k++) if (ends[k]! > ends[i]!) count++
  }
  return count
}

/** Sets the height of each spot as near to the middle of its neighbours as its order and the gaps allow. */
function place(layers: readonly Spot[][]): void {
  for (const layer of layers)
    settle(
      layer,
      layer.map((_, i) => i * (NODE_HEIGHT + GAP)),
    )
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    for (const layer of sweep % 2 === 0 ? layers : layers.toReversed()) {
      const wanted = layer.map(({ left, right, y }) => {
        const around = sweep === SWEEPS - 1 ? [...left, ...right] : sweep % 2 === 0 ? left : right
        return around.length === 0 ? y : around.reduce((sum, each) => sum + each.y, 0) / around.length
      })
      settle(layer, wanted)
    }
  }
}

/** Least squares under the order and the gaps: neighbours that would come too near move as one block. */
function settle(layer: readonly Spot[], wanted: readonly number[]): void {
  const offsets: number[] = []
  for (const [i, spot] of layer.entries()) {
    const before = layer[i - 1]
    offsets[i] = before ? offsets[i - 1]! + (before.height + spot.height) / 2 + GAP : 0
  }
  const blocks: { sum: number; size: number }[] = []
  for (const [i, at] of wanted.entries()) {
    blocks.push({ sum: at - offsets[i]!, size: 1 })
    while (blocks.length > 1) {
      const [before, last] = [blocks.at(-2)!, blocks.at(-1)!]
      if (before.sum / before.size <= last.sum / last.size) break
      blocks.splice(-2, 2, { sum: before.sum + last.sum, size: before.size + last.size })
    }
  }
  let i = 0
  for (const { size, sum } of blocks) {
    for (let n = 0; n < size; n++, i++) layer[i]!.y = sum / size + offsets[i]!
  }
}

/** A line through its bends: curved between the layers, straight across them. */
function pathOf(
  chain: readonly Spot[],
  { gap, widths, xs }: { xs: readonly number[]; widths: readonly number[]; gap: number },
  firstWidth: number,
): string {
  const [first, ...rest] = chain as [Spot, ...Spot[]]
  let path = `M${xs[first.layer]! + firstWidth} ${first.y}`
  // The nodes of a layer differ in width: the line begins at its own, and bends in the gap.
  path += `H${xs[first.layer]! + widths[first.layer]!}`
  let y = first.y
  for (const spot of rest) {
    const [from, to] = [xs[spot.layer]! - gap, xs[spot.layer]!]
    const half = (from + to) / 2
    path += y === spot.y ? `H${to}` : `C${half} ${y} ${half} ${spot.y} ${to} ${spot.y}`
    if (spot.height === 0) path += `H${to + widths[spot.layer]!}`
    y = spot.y
  }
  return path
}

const ROW = NODE_HEIGHT + 8
const LANE = 12
const FIRST_LANE = 10
const MOST_LANES = 5

/**
 * A drawing for narrow screens: a node a row, those before it above, and the edges as brackets at the left. With more than five
 * lanes, edges share the outermost. Pure.
 */
export function stacked(nodes: readonly FlowNode[], width: number): FlowDrawing {
  const depths = depthsOf(nodes)
  const rows = nodes.toSorted((a, b) => depths.get(a.id)! - depths.get(b.id)!)
  const at = new Map(rows.map(({ id }, i) => [id, i]))
  const links = linksOf(nodes, depths).toSorted(
    ([a, b], [c, d]) => at.get(b)! - at.get(a)! - (at.get(d)! - at.get(c)!) || at.get(a)! - at.get(c)!,
  )
  const lanes: [from: number, to: number][][] = []
  const laneOf = links.map(([from, to]) => {
    const span: [number, number] = [at.get(from)!, at.get(to)!]
    const free = lanes.findIndex((taken) => taken.every(([a, b]) => span[1] <= a || span[0] >= b))
    const lane = free >= 0 ? free : Math.min(lanes.length, MOST_LANES - 1)
    ;(lanes[lane] ??= []).push(span)
    return lane
  })
  const left = links.length === 0 ? 0 : FIRST_LANE + lanes.length * LANE
  const middle = (id: string) => at.get(id)! * ROW + NODE_HEIGHT / 2
  return {
    width,
    height: rows.length * ROW - (ROW - NODE_HEIGHT),
    places: rows.map(({ id }, i) => ({ id, x: left, y: i * ROW, width: width - left })),
    edges: links.map(([from, to, added], i) => {
      const x = left - FIRST_LANE - laneOf[i]! * LANE
      const [y1, y2] = [middle(from) + 5, middle(to) - 5]
      return {
        from,
        to,
        added,
        path: `M${left} ${y1}H${x + 4}Q${x} ${y1} ${x} ${y1 + 4}V${y2 - 4}Q${x} ${y2} ${x + 4} ${y2}H${left}`,
      }
    }),
  }
}
