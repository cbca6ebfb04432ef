import { familiesOf } from '@arq-ts/protocol/flows'
import { FlowError, RedisReplyError } from '../errors.ts'
import type { RedisContext } from '../redis/context.ts'
import { readSnapshot } from './definition.ts'
import type { FlowSnapshot } from './definition.ts'

/** The flow that holds a job, by what `arq:held` says of it: its name and id, and the members before the job that are open. */
export async function waitOf(link: RedisContext, held: string): Promise<{ about: string; waitsFor: string[] }> {
  const flowId = flowOf(held)
  const key = held.slice(flowId.length + 1)
  const snapshot = await snapshotOf(link, flowId)
  if (!snapshot) return { about: flowId, waitsFor: [] }
  const { members, name, open } = snapshot
  const families = familiesOf(open)
  const before = (members.get(key)?.after ?? []).flatMap((parent) => families.get(parent) ?? [])
  return { about: `${name} ${flowId}`, waitsFor: before.map((each) => members.get(each)?.definition.name ?? each) }
}

/** The id of the flow in what `arq:held` says of a member. */
export function flowOf(held: string): string {
  // The id of a flow may have spaces, the key of a member has none.
  return held.slice(0, held.lastIndexOf(' '))
}

/** Null for a flow that is damaged, too: its job is shown all the same. */
async function snapshotOf(link: RedisContext, flowId: string): Promise<FlowSnapshot | null> {
  try {
    return readSnapshot(flowId, await link.flowRecords.read(flowId))
  } catch (error) {
    if (error instanceof FlowError || error instanceof RedisReplyError) return null
    throw error
  }
}
