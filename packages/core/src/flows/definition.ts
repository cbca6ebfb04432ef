import { parentByName } from '@arq-ts/protocol/flows'
import type { FlowCondition, FlowNode, MemberOutcome, ResultReference, UnknownPolicy } from '@arq-ts/protocol/flows'
import { FlowError } from '../errors.ts'

/** A member as its flow keeps it, in JSON. */
export interface MemberDefinition {
  name: string
  functionName: string
  queueName: string
  on: FlowCondition
  delayMs: number
  /** True where Python may run it. */
  isPython: boolean
  /** Places of others' results in its call. */
  references: readonly ResultReference[]
  /** True where its result is kept with the flow: another member, or who waits for the flow, needs it. */
  keeps: boolean
}

export function writeDefinition(member: MemberDefinition): string {
  return JSON.stringify(member)
}

/** @throws FlowError for what is no definition. */
export function readDefinition(text: string): MemberDefinition {
  const read = parsed(text)
  const strings = [read?.name, read?.functionName, read?.queueName]
  if (read && strings.every((each) => typeof each === 'string') && Array.isArray(read.references))
    return read as MemberDefinition
  const found = text.slice(0, 80)
  throw new FlowError(
    `the definition of a member of the flow is damaged: \`${found}\`; start the flow under another id`,
  )
}

function parsed(text: string): Partial<MemberDefinition> | null {
  try {
    return JSON.parse(text) as Partial<MemberDefinition> | null
  } catch {
    return null
  }
}

/** The id of a member's job. */
export function memberJobId(flowId: string, key: string): string {
  return `${flowId}-${key}`
}

/** A list of keys as the scripts read it. */
export function keyList(text: string | null | undefined): string[] {
  return text ? text.split(',') : []
}

/** A flow as it was read, but for payloads and results. */
export interface FlowSnapshot {
  flowId: string
  name: string
  state: string
  version: string
  onUnknown: UnknownPolicy
  startedMs: number
  endedMs: number | null
  members: Map<string, FlowNode & { definition: MemberDefinition; reason: string | null }>
  ends: Map<string, MemberOutcome>
  open: Set<string>
  out: Set<string>
  todo: Map<string, string>
}

/** Reads a flow; null where there is none. */
export function readSnapshot(
  flowId: string,
  stored: { fields: Record<string, string>; open: string[]; out: string[]; todo: Record<string, string> },
): FlowSnapshot | null {
  const { fields, open, out, todo } = stored
  if (fields.state === undefined || fields.state === 'creating') return null
  const members: FlowSnapshot['members'] = new Map()
  const ends = new Map<string, MemberOutcome>()
  for (const [field, value] of Object.entries(fields)) {
    const key = field.slice(2)
    if (field.startsWith('e:')) ends.set(key, value as MemberOutcome)
    if (!field.startsWith('m:')) continue
    const definition = readDefinition(value)
    const reason = fields[`r:${key}`] ?? null
    members.set(key, { after: keyList(fields[`a:${key}`]), on: definition.on, definition, reason })
  }
  return {
    flowId,
    name: fields.name ?? '',
    state: fields.state,
    version: fields.version ?? '1',
    onUnknown: fields.unknown === 'succeed' ? 'succeed' : 'fail',
    startedMs: Number(fields.started),
    endedMs: fields.ended === undefined ? null : Number(fields.ended),
    members: named(new Map([...members].sort(([a], [b]) => compareKeys(a, b)))),
    ends,
    open: new Set(open),
    out: new Set(out),
    todo: new Map(Object.entries(todo)),
  }
}

/** Names those that a member has added after it, `crawl/fetch`: names are unique among the calls of one handler only. */
function named(members: FlowSnapshot['members']): FlowSnapshot['members'] {
  for (const [key, { definition }] of members) {
    const parent = parentByName(key)
    const name = parent === undefined ? undefined : members.get(parent)?.definition.name
    if (name !== undefined) definition.name = `${name}/${definition.name}`
  }
  return members
}

/** The order in which members were added: `2` before `10`, `2.1` behind `2`. */
function compareKeys(a: string, b: string): number {
  const [left, right] = [a.split('.').map(Number), b.split('.').map(Number)]
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const difference = left[i]! - right[i]!
    if (difference !== 0) return difference
  }
  return left.length - right.length
}
