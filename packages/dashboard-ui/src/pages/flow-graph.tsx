import type { FlowMemberRow } from '@arq-ts/dashboard/api'
import { layered, NODE_HEIGHT, stacked, type FlowDrawing } from '../charts/flow-layout.ts'
import { nodesOf, type FlowNode } from '../charts/flow-folds.ts'
import { useWidth } from '../charts/use-width.ts'
import { number } from '../format/number.ts'
import { shown } from '../format/names.ts'
import { to } from '../router.ts'
import { Limits } from '../ui/parts.tsx'
import { Mark, Status } from '../ui/status.tsx'
import { memberState, tally } from './flow-words.ts'

/** Most nodes of a drawing; a larger one explains nothing. */
const MOST_DRAWN = 150
const NARROW = 620
const MIN_NODE = 112
const MAX_NODE = 232

interface Props {
  members: readonly FlowMemberRow[]
  /** Shows the members of a node that stands for several. */
  pick: (members: readonly FlowMemberRow[]) => void
}

/** A flow as a layered graph. A node opens its job; one that stands for several members lists them. */
export function FlowGraph({ members, pick }: Props) {
  const [ref, width] = useWidth(900)
  const nodes = nodesOf(members)
  if (nodes.length > MOST_DRAWN) {
    return (
      <p class="muted">
        Its {number(members.length)} members are of {number(nodes.length)} kinds, more than a drawing can show; the
        table lists them.
      </p>
    )
  }
  const drawing = width < NARROW ? stacked(nodes, width) : layered(nodes, widthOf, width)
  const folded = nodes.some((node) => node.members.length > 1)
  return (
    <>
      <div ref={ref}>
        <div class="flow" tabIndex={drawing.width > width ? 0 : undefined} role="group" aria-label="Graph of the flow">
          <div class="canvas" style={{ width: `${drawing.width}px`, height: `${drawing.height}px` }}>
            <Edges of={drawing} nodes={nodes} />
            <ol>
              {drawing.places.map(({ id, width: wide, x, y }) => (
                <li key={id} style={{ left: `${x}px`, top: `${y}px`, width: `${wide}px`, height: `${NODE_HEIGHT}px` }}>
                  <Node node={nodes.find((node) => node.id === id)!} pick={pick} />
                </li>
              ))}
            </ol>
          </div>
        </div>
      </div>
      <Limits
        of={[
          folded &&
            'A node with a number stands for members that run the same function and have the same members around them',
        ]}
      />
    </>
  )
}

/** Room for the name in monospace, the mark and the number. */
function widthOf({ members: [first, ...rest] }: FlowNode): number {
  const letters = Math.max(first!.name.length, rest.length > 0 ? first!.functionName.length + 8 : 0)
  return Math.max(MIN_NODE, Math.min(MAX_NODE, Math.ceil(letters * 7.3) + 48))
}

function Node({ node: { members }, pick }: { node: FlowNode; pick: Props['pick'] }) {
  const [first] = members
  const states = tally(members)
  const [state] = states[0]!
  const [shape, word] = memberState(state)
  if (members.length === 1) {
    const { error, functionName, jobId, name, queueName } = first!
    return (
      <a
        class={`node ${state}`}
        href={to('/job', { id: jobId, queue: queueName })}
        title={[shown(name), name === functionName ? '' : shown(functionName), word, error].filter(Boolean).join('\n')}
        aria-label={`${shown(name)}, ${word}`}
        data-row
      >
        <Mark shape={shape} />
        <code>{shown(name)}</code>
      </a>
    )
  }
  const spoken = states.map(([each, many]) => `${number(many)} ${memberState(each)[1]}`).join(', ')
  return (
    <button
      type="button"
      class={`node several ${state}`}
      title={`${shown(first!.functionName)}: ${spoken}`}
      aria-label={`${shown(first!.functionName)} ×${number(members.length)}: ${spoken}`}
      data-row
      onClick={() => pick(members)}
    >
      <Mark shape={shape} />
      <code>{shown(first!.functionName)}</code>
      <b class="num">×{number(members.length)}</b>
    </button>
  )
}

function Edges({ of: { edges, height, width }, nodes }: { of: FlowDrawing; nodes: readonly FlowNode[] }) {
  const known = new Map(nodes.map((node) => [node.id, node]))
  return (
    <svg class="edges" width={width} height={height} aria-hidden="true">
      <defs>
        <marker id="flow-arrow" viewBox="0 0 8 8" refX={7} refY={4} markerWidth={7} markerHeight={7} orient="auto">
          <path d="M1 1l6 3-6 3" />
        </marker>
      </defs>
      {edges.map(({ added, from, path, to: end }) => {
        const target = known.get(end)!.members[0]!
        const passed = known.get(from)!.members.every(({ state }) => state === 'success')
        const kind = added ? 'added' : target.on === 'failure' ? 'on-failure' : target.on === 'any' ? 'on-any' : ''
        return (
          <path
            key={`${from} ${end}`}
            class={`${kind} ${passed ? 'passed' : ''}`}
            d={path}
            marker-end="url(#flow-arrow)"
          />
        )
      })}
    </svg>
  )
}

/** The legend of the lines in a graph: only those that it has. */
export function GraphKey({ members }: { members: readonly FlowMemberRow[] }) {
  const has = {
    failure: members.some(({ on }) => on === 'failure'),
    any: members.some(({ on }) => on === 'any'),
    added: members.some(({ addedBy }) => addedBy !== null),
  }
  const line = (name: string) => (
    <svg class="edges" width={26} height={8} aria-hidden="true">
      <path class={name} d="M1 4H25" />
    </svg>
  )
  return (
    <span class="key">
      {has.failure && <>{line('on-failure')} if one failed</>}
      {has.any && <>{line('on-any')} however they end</>}
      {has.added && <>{line('added')} added while it ran</>}
    </span>
  )
}

/** The state of a member. */
export function MemberStatus({ state }: { state: string }) {
  const [shape, word] = memberState(state)
  return <Status shape={shape}>{word}</Status>
}
