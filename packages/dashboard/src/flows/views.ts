import { FlowError } from '@arq-ts/core'
import type { FlowMemberStatus } from '@arq-ts/core'
import type { FlowList, FlowMemberRow, FlowView } from '../api/flows.ts'
import type { Board } from '../board.ts'
import { Refusal } from '../http/refusal.ts'
import type { Viewer } from '../users/access.ts'

const MAX_FLOWS = 200
/** Tabs that show one flow share one read of Redis within this time. */
const SHARED_MS = 1_000

/** Flows, the newest first. */
export async function flowList(board: Board): Promise<Omit<FlowList, 'cost'>> {
  const [nowMs, flows] = await Promise.all([board.client.now(), board.client.flows.list({ limit: MAX_FLOWS })])
  return {
    nowMs,
    flows: flows.map(({ endedAt, flowId, members, name, open, startedAt, state }) => ({
      flowId,
      name,
      state,
      startedMs: startedAt.getTime(),
      endedMs: endedAt?.getTime() ?? null,
      members,
      open,
    })),
  }
}

/** The flows of a list that a user may see. */
export async function flowsSeen<T extends Pick<FlowList, 'flows'>>(list: T, { sight }: Viewer): Promise<T> {
  return { ...list, flows: await sight.own(list.flows, ({ flowId: name }) => ({ type: 'flow', name })) }
}

/** One flow as a graph. `seen` leaves out the members that the user may not see. */
export async function flowView(
  board: Board,
  flowId: string,
  seen: (members: readonly FlowMemberStatus[]) => Promise<FlowMemberStatus[]>,
): Promise<Omit<FlowView, 'cost'>> {
  try {
    const { nowMs, status } = await board.shared.of(`flow ${flowId}`, SHARED_MS, async () => {
      const [nowMs, status] = await Promise.all([board.client.now(), board.client.flows.get(flowId).status()])
      return { nowMs, status }
    })
    const { endedAt, members, name, onUnknown, startedAt, state } = status
    const shown = await seen(members)
    const names = new Set(shown.map((member) => member.name))
    const row = ({ addedBy, after, error, waitsFor, ...member }: FlowMemberStatus): FlowMemberRow => {
      const { functionName, jobId, queueName } = member
      return {
        ...member,
        error: board.redaction.error({ functionName, jobId, queueName }, error),
        after: after.filter((each) => names.has(each)),
        waitsFor: waitsFor.filter((each) => names.has(each)),
        addedBy: addedBy !== null && names.has(addedBy) ? addedBy : null,
      }
    }
    return {
      nowMs,
      flowId,
      name,
      state,
      onUnknown,
      startedMs: startedAt.getTime(),
      endedMs: endedAt?.getTime() ?? null,
      members: shown.map(row),
      hidden: members.length - shown.length,
    }
  } catch (error) {
    if (error instanceof FlowError) throw new Refusal('not_found', error.message)
    throw error
  }
}
