import type { FlowMemberRow } from '@arq-ts/dashboard/api'

/** Members that are drawn as one node: they run the same function and have the same kinds of members around them. Pure. */
export interface FlowNode {
  /** The name of its first member. */
  id: string
  members: FlowMemberRow[]
  /** Ids of the nodes before it; it waits for their members to end. */
  before: string[]
  /** Id of the node whose members added its own while they ran; null for one that was there from the start. */
  addedBy: string | null
}

/** Graphs of up to this many members are drawn as they are. */
export const MOST_NODES = 40

/** The nodes of a graph: one per member, or groups of like members if there are too many to distinguish. */
export function nodesOf(members: readonly FlowMemberRow[], most = MOST_NODES): FlowNode[] {
  const classes = members.length > most ? likeMembers(members) : new Map(members.map(({ name }) => [name, name]))
  const groups = new Map<string, FlowMemberRow[]>()
  for (const member of members) {
    const group = groups.get(classes.get(member.name)!)
    if (group) group.push(member)
    else groups.set(classes.get(member.name)!, [member])
  }
  const idOf = new Map<string, string>()
  for (const group of groups.values()) for (const { name } of group) idOf.set(name, group[0]!.name)
  const ids = (names: readonly string[], own: string) => [
    ...new Set(names.flatMap((name) => idOf.get(name) ?? []).filter((id) => id !== own)),
  ]
  return [...groups.values()].map((group) => {
    const id = group[0]!.name
    const [addedBy = null] = ids(
      group.flatMap((member) => member.addedBy ?? []),
      id,
    )
    return {
      id,
      members: group,
      addedBy,
      before: ids(
        group.flatMap(({ after }) => after),
        id,
      ),
    }
  })
}

/**
 * A class for each member, by refinement: first by function and depth, then by the classes before and after it, until no class
 * is split any more.
 */
function likeMembers(members: readonly FlowMemberRow[]): Map<string, string> {
  const next = new Map<string, string[]>(members.map(({ name }) => [name, []]))
  for (const { after, name } of members) for (const before of after) next.get(before)?.push(name)
  const depths = depthsOf(members.map(({ addedBy, after, name }) => ({ id: name, before: after, addedBy })))
  let classes = new Map(
    members.map(({ functionName, name, on }) => [name, `${functionName} ${on} ${depths.get(name)}`]),
  )
  for (let count = 0; ;) {
    const around = (names: readonly string[]) =>
      [...new Set(names.map((name) => classes.get(name) ?? ''))].sort((a, b) => (a < b ? -1 : 1)).join('|')
    const ids = new Map<string, string>()
    const refined = new Map<string, string>()
    for (const { addedBy, after, name } of members) {
      const key = [classes.get(name), around(after), around(next.get(name)!), around(addedBy === null ? [] : [addedBy])]
      const text = key.join('\u0000')
      if (!ids.has(text)) ids.set(text, String(ids.size))
      refined.set(name, ids.get(text)!)
    }
    classes = refined
    if (ids.size === count) return classes
    count = ids.size
  }
}

/** The length of the longest way to each node. A circle, which no flow has, ends nowhere. */
export function depthsOf(nodes: readonly Pick<FlowNode, 'id' | 'before' | 'addedBy'>[]): Map<string, number> {
  const known = new Map(nodes.map((node) => [node.id, node]))
  const depths = new Map<string, number>()
  const visiting = new Set<string>()
  // No recursion: a chain may have thousands of members.
  for (const { id: root } of nodes) {
    const stack = [root]
    while (stack.length > 0) {
      const id = stack.at(-1)!
      const node = known.get(id)!
      const sources = [...node.before, ...(node.addedBy === null ? [] : [node.addedBy])].filter((each) =>
        known.has(each),
      )
      const open = depths.has(id) ? [] : sources.filter((each) => !depths.has(each) && !visiting.has(each))
      visiting.add(id)
      if (open.length > 0) stack.push(...open)
      else {
        stack.pop()
        visiting.delete(id)
        if (!depths.has(id)) depths.set(id, Math.max(-1, ...sources.map((each) => depths.get(each) ?? -1)) + 1)
      }
    }
  }
  return depths
}
