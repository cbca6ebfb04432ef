import { RedisReplyError, RedisUnavailableError } from '@arq-ts/core'
import type { ActionName } from '../api/types.ts'
import type { Board } from '../board.ts'
import { Refusal } from '../http/refusal.ts'
import type { DashboardUser } from '../users/authenticators.ts'

/** The act that is about to be done. */
export interface AuditedAct {
  action: ActionName | 'undo'
  /** The job, queue, cron job, error or token: `job 7f3c`, `queue mail`. */
  target: string
  /** Number of things it is about. */
  count: number
  /** The request, in one line, without arguments of jobs. */
  text: string
}

/** Writes the audit entry, then acts. An act that cannot be written down does not happen. @throws Refusal */
export async function audited<T>(
  board: Board,
  user: DashboardUser,
  entry: AuditedAct,
  act: () => Promise<T>,
): Promise<T> {
  const { action, target, count, text } = entry
  board.logger.info({ user: user.name, action, target, count }, `dashboard: ${text}`)
  try {
    await board.history.writeAudit({ actor: user.name, action, resource: target, detail: { count, text } })
  } catch (error) {
    board.logger.error({ err: error }, 'the audit entry could not be written')
    const why = 'the audit entry could not be written, so nothing was changed'
    if (error instanceof RedisUnavailableError) throw new Refusal('redis_unavailable', `${why}: ${error.message}`)
    throw new Refusal('not_available', error instanceof RedisReplyError ? `${why}: ${error.message}` : why)
  }
  try {
    return await act()
  } finally {
    board.shared.forget()
  }
}
