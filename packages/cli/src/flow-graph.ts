import type { FlowMemberState, FlowMemberStatus, FlowStatus } from '@arq-ts/core'
import { countText } from './output.ts'
import { styles } from './style.ts'

/** Members of one kind under one place that are drawn one by one; more are drawn as one. */
const MAX_ALIKE = 5

/** One line of a drawn flow: where it stands, and what it says. */
export interface DrawnMember {
  /** Branches before the name. */
  branch: string
  /** The name, or the function and how many. */
  name: string
  state: FlowMemberState
  detail: string
}

interface Node {
  member: FlowMemberStatus
  count: number
  below: Node[]
}

/**
 * Draws a flow as a tree: each member under the last of those before it, which it waits for longest; others before it are
 * named. Many members of one kind are drawn as one.
 */
export function drawFlow({ members }: FlowStatus): DrawnMember[] {
  const nodes = new Map(members.map((member) => [member.name, { member, count: 1, below: [] as Node[] }]))
  const depths = new Map<string, number>()
  const roots: Node[] = []
  for (const member of members) {
    const before = parentsOf(member)
    const depth = Math.max(-1, ...before.map((name) => depths.get(name) ?? 0)) + 1
    depths.set(member.name, depth)
    const last = before.findLast((name) => depths.get(name) === depth - 1)
    const siblings = last === undefined ? roots : nodes.get(last)!.below
    siblings.push(nodes.get(member.name)!)
  }
  const lines: DrawnMember[] = []
  const draw = (siblings: readonly Node[], indent: string, isRoot: boolean): void => {
    const shown = joined(siblings)
    for (const [i, { below, count, member }] of shown.entries()) {
      const isLast = i === shown.length - 1
      const branch = isRoot ? '' : indent + (isLast ? '└─ ' : '├─ ')
      const name = count > 1 ? `${member.functionName} × ${countText(count)}` : member.name
      lines.push({ branch, name, state: member.state, detail: detailOf(member) })
      draw(below, isRoot ? '' : indent + (isLast ? '   ' : '│  '), false)
    }
  }
  draw(roots, '', true)
  return lines
}

/** The mark of a state, one character wide. */
export function markOf(state: FlowMemberState): string {
  switch (state) {
    case 'success':
      return styles.green('✓')
    case 'failure':
    case 'aborted':
    case 'unknown':
      return styles.red('✗')
    case 'running':
      return styles.yellow('▶')
    case 'queued':
    case 'ready':
      return styles.yellow('•')
    case 'blocked':
    case 'skipped':
    case 'cancelled':
      return styles.dim('–')
    case 'held':
      return styles.dim('·')
  }
}

function parentsOf({ addedBy, after }: FlowMemberStatus): string[] {
  return after.length > 0 || addedBy === null ? after : [addedBy]
}

/** Members that nothing stands below and that say the same are drawn as one. */
function joined(siblings: readonly Node[]): Node[] {
  const kinds = new Map<string, Node[]>()
  for (const node of siblings) {
    const { functionName, on, state } = node.member
    const kind = node.below.length > 0 ? node.member.name : `${functionName} ${on} ${state}`
    const known = kinds.get(kind)
    if (known) known.push(node)
    else kinds.set(kind, [node])
  }
  return [...kinds.values()].flatMap((alike) =>
    alike.length > MAX_ALIKE ? [{ ...alike[0]!, count: alike.length }] : alike,
  )
}

function detailOf({ addedBy, after, error, on, waitsFor }: FlowMemberStatus): string {
  const parts: string[] = []
  if (on !== 'success') parts.push(on === 'any' ? 'whatever the end' : 'on failure')
  if (addedBy !== null) parts.push(`added by ${addedBy}`)
  if (waitsFor.length > 0) parts.push(`waits for ${someOf(waitsFor)}`)
  else if (after.length > 1) parts.push(`after ${someOf(after)}`)
  if (error !== null) parts.push(error)
  return parts.join('; ')
}

function someOf(names: readonly string[]): string {
  const rest = names.length - 3
  return rest > 1 ? `${names.slice(0, 3).join(', ')} and ${countText(rest)} more` : names.join(', ')
}
