import { randomBytes } from 'node:crypto'
import type { JobRemains } from '@arq-ts/core'
import type { ActionName, UndoOffer, UndoOutcome } from '../api/types.ts'
import type { Board } from '../board.ts'
import { Refusal } from '../http/refusal.ts'
import { mustSeeAll } from '../read/must-see.ts'
import type { Viewer } from '../users/access.ts'
import { audited } from './audit.ts'

/** Lifetime of plans and undo tokens, and the memory of Redis they may take in all. */
export const TOKEN_MS = 900_000
export const LIMIT_BYTES = 64 * 1024 * 1024
const TOKEN = /^[A-Za-z0-9_-]{22}$/

/** A step that takes an act back. */
export type UndoStep =
  | { kind: 'put-back'; queueName: string; remains: JobRemains[] }
  | { kind: 'unretry'; queueName: string; jobs: { jobId: string; place: string; remains: JobRemains }[] }
  | { kind: 'reschedule'; queueName: string; jobs: { jobId: string; from: string; to: string }[] }
  | { kind: 'move'; from: string; to: string; jobIds: string[] }
  | { kind: 'pause' | 'resume'; queueName: string }
  | { kind: 'pause-schedule' | 'resume-schedule' | 'pause-cron' | 'resume-cron'; name: string }

interface Undo {
  action: ActionName
  text: string
  steps: UndoStep[]
}

/** A token that cannot be guessed. */
export function newToken(): string {
  return randomBytes(16).toString('base64url')
}

/** A token as a path has it. @throws Refusal */
export function tokenIn(text: string): string {
  if (TOKEN.test(text)) return text
  throw new Refusal('gone', 'the token is not known: it was used, or has expired')
}

/** Offers to take an act back; null where there is nothing to undo, or no room to keep what that needs. */
export async function offerUndo(board: Board, undo: Undo & { limits: string }): Promise<UndoOffer | null> {
  const { limits, ...kept } = undo
  if (kept.steps.length === 0) return null
  const token = newToken()
  const untilMs = (await board.client.now()) + TOKEN_MS
  const room = { ttlMs: TOKEN_MS, limitBytes: LIMIT_BYTES }
  const isKept = await board.client.reversals.keep('trash', token, JSON.stringify(kept), room)
  return isKept ? { token, untilMs, limits } : null
}

/** Takes an act back, as far as nothing has changed since. @throws Refusal */
export async function undo(board: Board, { access, sight, user }: Viewer, text: string): Promise<UndoOutcome> {
  const token = tokenIn(text)
  const { reversals } = board.client
  const gone = () => new Refusal('gone', 'there is nothing to undo: the token was used, or its 15 minutes are over')
  const stored = await reversals.read('trash', token)
  if (stored === null) throw gone()
  const { action, steps, text: what } = JSON.parse(stored) as Undo
  // Who may not do it may not undo it, and does not use the token up.
  await access.must(user, action, { type: 'undo', name: token })
  await mustSeeAll(sight, steps.flatMap(queuesOf), 'act')
  const entry = { action: 'undo' as const, target: `undo ${token}`, count: 1, text: `undo: ${what}` }
  return audited(board, user, entry, async () => {
    const taken = await reversals.take('trash', token)
    if (taken === null) throw gone()
    let restored = 0
    let left = 0
    for (const step of (JSON.parse(taken) as Undo).steps) {
      const [done, all] = await takeBack(board, step)
      restored += done
      left += all - done
    }
    board.shared.forget()
    const leftAlone = left === 0 ? [] : [{ reason: 'started or changed meanwhile', count: left }]
    return { restored, leftAlone, message: `Took back: ${what}` }
  })
}

/** Queues that a step changes; a schedule or cron job is asked for by its action alone. */
function queuesOf(step: UndoStep): string[] {
  if (step.kind === 'move') return [step.from, step.to]
  return 'queueName' in step ? [step.queueName] : []
}

/** The number of things that were taken back, and of all. */
async function takeBack(board: Board, step: UndoStep): Promise<[done: number, all: number]> {
  const { reversals, queues } = board.client
  switch (step.kind) {
    case 'pause':
      return [Number(await queues.pause(step.queueName)), 1]
    case 'resume':
      return [Number(await queues.resume(step.queueName)), 1]
    case 'pause-cron':
      return [Number(await board.client.cron.pause(step.name, { actor: null })), 1]
    case 'resume-cron':
      return [Number(await board.client.cron.resume(step.name, { actor: null })), 1]
    case 'pause-schedule':
      return [Number(await steerSchedule(board, 'pause', step.name)), 1]
    case 'resume-schedule':
      return [Number(await steerSchedule(board, 'resume', step.name)), 1]
    case 'move': {
      const outcomes = await board.client.jobs.move(step.from, step.to, step.jobIds)
      return [outcomes.filter((outcome) => outcome === 'moved').length, outcomes.length]
    }
    case 'reschedule': {
      const outcomes = await reversals.reschedule(step.queueName, step.jobs)
      return [outcomes.filter((outcome) => outcome === 'done').length, outcomes.length]
    }
    case 'put-back': {
      let done = 0
      for (const remains of step.remains) if (await reversals.putBack(step.queueName, remains)) done++
      return [done, step.remains.length]
    }
    case 'unretry': {
      const seen = step.jobs.map(({ jobId, place }) => ({ jobId, place, isDead: false }))
      const outcomes = await reversals.takeOut(step.queueName, seen, { keep: false })
      let done = 0
      for (const [i, { outcome }] of outcomes.entries()) {
        if (outcome === 'done' && (await reversals.putBack(step.queueName, step.jobs[i]!.remains))) done++
      }
      return [done, step.jobs.length]
    }
  }
}

/** Pauses or resumes a schedule; false where it is gone, or where somebody has done so meanwhile. */
async function steerSchedule({ client }: Board, act: 'pause' | 'resume', name: string): Promise<boolean> {
  const before = await client.schedules.get(name)
  if (!before || before.paused === (act === 'pause')) return false
  return (await client.schedules[act](name)) !== null
}
