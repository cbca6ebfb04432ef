import { checkOptions } from '@arq-ts/core'
import { z } from 'zod'
import type { ActAnswer } from '../api/types.ts'
import type { DeploymentAct } from '../api/tasks.ts'
import { answer } from '../act/answer.ts'
import { audited } from '../act/audit.ts'
import type { Board } from '../board.ts'
import { Refusal } from '../http/refusal.ts'
import type { Context } from '../routes.ts'
import { lacking } from './views.ts'

/** A flush that somebody waits for; the rest is persisted in the background. */
const FLUSH_MS = 10_000
/** Dirty keys that are flushed at once by hand, at most. */
const MAX_FLUSH = 1_000

const aReason = z.string().min(1).max(500).optional()
const bodies = {
  steer: z.strictObject({ reason: aReason }),
  /** `stage`: the one that the user has looked at, counted from 0. */
  approve: z.strictObject({ reason: aReason, stage: z.number().int().min(0).optional() }),
  flush: z.strictObject({ key: z.string().min(1).max(10_000).optional() }),
  cancel: z.strictObject({ queueName: z.string().min(1).max(1_000) }),
}

const STEERED: Record<DeploymentAct, string> = {
  approve: 'Approved the stage.',
  pause: 'Paused the deployment; traffic stays as it is.',
  resume: 'Resumed the deployment.',
  promote: 'A worker promotes the new collection now.',
  rollback: 'A worker rolls the deployment back now.',
}

/** `POST /api/canaries/:id/{approve,pause,resume,promote,rollback}` */
export async function steer(board: Board, act: DeploymentAct, { user, params, body }: Context): Promise<ActAnswer> {
  const { reason, stage } = steering(act, body)
  const source = board.settings.tasks.deployments
  if (!source) throw new Refusal('not_available', lacking('deployments').why)
  const id = params.id!
  const which = stage === undefined ? '' : `stage ${stage + 1} of `
  const text = `${act} ${which}the deployment "${id}"${reason === undefined ? '' : `: ${reason}`}`
  const entry = { action: 'steer-canary' as const, target: `deployment ${id}`, count: 1, text }
  return audited(board, user, entry, async () => {
    try {
      if (act === 'rollback') await source.rollback(id, reason)
      else if (act === 'approve' && stage !== undefined) await source.approve(id, { stage })
      else await source[act](id)
    } catch (error) {
      // Its state does not allow it, it is in another stage, or there is no such deployment.
      if ((error as { code?: string }).code === 'ARQ_DEPLOYMENT')
        throw new Refusal('conflict', (error as Error).message)
      throw error
    }
    return answer(true, STEERED[act])
  })
}

function steering(act: DeploymentAct, body: unknown): { reason?: string | undefined; stage?: number | undefined } {
  return act === 'approve' ? checkOptions(act, bodies.approve, body) : checkOptions(act, bodies.steer, body)
}

/** `POST /api/cache/flush` */
export async function flush(board: Board, { user, body }: Context): Promise<ActAnswer> {
  const { key } = checkOptions('flush', bodies.flush, body)
  const source = board.settings.tasks.cache
  if (!source) throw new Refusal('not_available', lacking('cache').why)
  const { dirty } = await source.stats()
  if (key === undefined && dirty > MAX_FLUSH) {
    throw new Refusal(
      'conflict',
      `${dirty.toLocaleString('en-US')} keys are dirty, more than the ${MAX_FLUSH.toLocaleString('en-US')} that a page flushes at once; use \`arq-ts cache flush\``,
    )
  }
  const [target, count] = key === undefined ? ['cache', dirty] : [`cache key ${key.slice(0, 200)}`, 1]
  const text = key === undefined ? 'flush all dirty keys' : `flush the key "${key.slice(0, 200)}"`
  return audited(board, user, { action: 'flush', target, count, text }, async () => {
    if (key === undefined) {
      const { flushed, failed } = await source.flushAll({ timeoutMs: FLUSH_MS })
      const rest = failed.length > 0 ? `; ${failed.length.toLocaleString('en-US')} failed` : ''
      return answer(flushed > 0, `Persisted ${flushed.toLocaleString('en-US')} keys${rest}.`)
    }
    try {
      await source.flush(key, { timeoutMs: FLUSH_MS })
    } catch (error) {
      return answer(false, `The key was not persisted: ${(error as Error).message}`)
    }
    return answer(true, 'Persisted the key.')
  })
}

const CANCELLED = {
  removed: [true, 'The collection stays: its deletion was taken back.'],
  running: [
    true,
    'The deletion runs already; its worker was asked to stop. See whether the collection is still there.',
  ],
  absent: [false, 'There is no such deletion any more.'],
} as const

/** `POST /api/deletions/:jobId/cancel` */
export async function cancelDeletion(board: Board, { user, params, body }: Context): Promise<ActAnswer> {
  const { queueName } = checkOptions('cancel', bodies.cancel, body)
  const source = board.settings.tasks.deletions
  if (!source) throw new Refusal('not_available', lacking('deletions').why)
  const jobId = params.id!
  const text = `cancel the deletion "${jobId}" in "${queueName}"`
  const entry = { action: 'cancel-deletion' as const, target: `deletion ${jobId}`, count: 1, text }
  return audited(board, user, entry, async () => {
    const [done, message] = CANCELLED[await source.cancel(jobId, queueName)]
    return answer(done, message)
  })
}
