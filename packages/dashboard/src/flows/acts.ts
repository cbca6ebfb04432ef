import { checkOptions, FlowError } from '@arq-ts/core'
import { z } from 'zod'
import { answer } from '../act/answer.ts'
import { audited } from '../act/audit.ts'
import type { ActAnswer } from '../api/types.ts'
import type { Board } from '../board.ts'
import { Refusal } from '../http/refusal.ts'
import type { Context } from '../routes.ts'

const bodies = {
  cancel: z.strictObject({}),
  replay: z.strictObject({ only: z.enum(['all', 'failed']).optional() }),
}

/** `POST /api/flows/:id/cancel` */
export async function cancelFlow(board: Board, { body, params, user }: Context): Promise<ActAnswer> {
  checkOptions('cancel', bodies.cancel, body)
  const flowId = params.id!
  const entry = {
    action: 'cancel-flow' as const,
    target: `flow ${flowId}`,
    count: 1,
    text: `cancel the flow "${flowId}"`,
  }
  return audited(board, user, entry, () =>
    refusing(async () => {
      const isCancelled = await board.client.flows.get(flowId).cancel()
      return isCancelled
        ? answer(true, 'Cancelled the flow. Running members are asked to abort; no more members start.')
        : answer(false, 'The flow has ended already.')
    }),
  )
}

/** `POST /api/flows/:id/replay` */
export async function replayFlow(board: Board, { body, params, user }: Context): Promise<ActAnswer> {
  const { only = 'all' } = checkOptions('replay', bodies.replay, body)
  const flowId = params.id!
  const what = only === 'all' ? 'all' : 'the failed part'
  const text = `replay ${what} of the flow "${flowId}"`
  const entry = { action: 'replay-flow' as const, target: `flow ${flowId}`, count: 1, text }
  return audited(board, user, entry, () =>
    refusing(async () => {
      await board.client.flows.get(flowId).replay({ only })
      return answer(true, only === 'all' ? 'All of the flow runs again.' : 'The failed part runs again.')
    }),
  )
}

/** Refuses an act on a flow that is gone, or whose state does not allow it. */
async function refusing(act: () => Promise<ActAnswer>): Promise<ActAnswer> {
  try {
    return await act()
  } catch (error) {
    if (error instanceof FlowError) throw new Refusal('conflict', error.message)
    throw error
  }
}
