import { JobFailedError, ResultNotFoundError } from '@arq-ts/core'
import type { SeenJob } from '@arq-ts/core'
import type { Board } from '../board.ts'
import type { UndoStep } from './undo.ts'

/** Payload bytes that are kept of what one act removes; what exceeds it is removed without a way back. */
const MAX_TRASH = 24 * 1024 * 1024
const PAGE = 200

/** Acts on many jobs. */
export type BulkAction = 'retry' | 'abort' | 'remove' | 'run-now' | 'move'

/** Outcome of an act on jobs of one queue. */
export interface BulkOutcome {
  done: number
  /** Jobs that were left alone, by reason. */
  left: Map<string, number>
  undo: UndoStep[]
  /** Jobs that were removed without a way back: they were too large to keep. */
  lost: number
}

/** An act with its settings. */
export interface BulkAct {
  action: BulkAction
  toQueue?: string | undefined
  spreadMs?: number | undefined
}

/** Acts on jobs of one queue as they were seen. `trashBytes`: what earlier queues of the same act have kept. */
export async function actOn(
  board: Board,
  act: BulkAct,
  queueName: string,
  jobs: readonly SeenJob[],
  trashBytes = 0,
): Promise<BulkOutcome> {
  const outcome: BulkOutcome = { done: 0, left: new Map(), undo: [], lost: 0 }
  switch (act.action) {
    case 'remove':
      await remove(board, queueName, jobs, outcome, trashBytes)
      break
    case 'retry':
      await retry(board, queueName, jobs, outcome, act.spreadMs ?? 0)
      break
    case 'run-now':
      await runNow(board, queueName, jobs, outcome)
      break
    case 'move':
      await move(board, queueName, act.toQueue ?? queueName, jobs, outcome)
      break
    case 'abort':
      for (const job of jobs) {
        if (await board.client.jobs.requestAbort(job.jobId, { queueName })) outcome.done++
        else leave(outcome, CHANGED)
      }
  }
  return outcome
}

const CHANGED = 'changed meanwhile'
const RUNNING = 'running'

function leave(outcome: BulkOutcome, reason: string): void {
  outcome.left.set(reason, (outcome.left.get(reason) ?? 0) + 1)
}

async function remove(board: Board, queueName: string, jobs: readonly SeenJob[], outcome: BulkOutcome, before: number) {
  let bytes = before
  for (let from = 0; from < jobs.length; from += PAGE) {
    const keep = bytes < MAX_TRASH
    const results = await board.client.reversals.takeOut(queueName, jobs.slice(from, from + PAGE), { keep })
    const remains = results.flatMap((each) => (each.remains ? [each.remains] : []))
    for (const { outcome: each } of results) {
      if (each === 'done') outcome.done++
      else leave(outcome, each === 'running' ? RUNNING : CHANGED)
      if (each === 'done' && !keep) outcome.lost++
    }
    bytes += remains.reduce((sum, each) => sum + JSON.stringify(each).length, 0)
    if (remains.length > 0) outcome.undo.push({ kind: 'put-back', queueName, remains })
  }
}

async function retry(
  board: Board,
  queueName: string,
  jobs: readonly SeenJob[],
  outcome: BulkOutcome,
  spreadMs: number,
) {
  const { reversals } = board.client
  const undone: Extract<UndoStep, { kind: 'unretry' }>['jobs'] = []
  let bytes = 0
  for (const [i, job] of jobs.entries()) {
    const [before] = await reversals.peek(queueName, [job])
    if (!before?.remains) {
      leave(outcome, before?.outcome === 'running' ? RUNNING : CHANGED)
      continue
    }
    const delayMs = jobs.length > 1 ? Math.round((spreadMs * i) / (jobs.length - 1)) : 0
    try {
      if (!(await board.client.jobs.retry(job.jobId, { delayMs }))) {
        leave(outcome, 'queued again')
        continue
      }
    } catch (error) {
      if (error instanceof JobFailedError) leave(outcome, 'its payload is gone, or it did not fail')
      else if (error instanceof ResultNotFoundError) leave(outcome, CHANGED)
      else throw error
      continue
    }
    outcome.done++
    const [place] = await reversals.places(queueName, [job.jobId])
    bytes += JSON.stringify(before.remains).length
    if (place && bytes < MAX_TRASH) undone.push({ jobId: job.jobId, place, remains: before.remains })
  }
  if (undone.length > 0) outcome.undo.push({ kind: 'unretry', queueName, jobs: undone })
}

async function runNow(board: Board, queueName: string, jobs: readonly SeenJob[], outcome: BulkOutcome) {
  const nowMs = String(await board.client.now())
  const wanted = jobs.flatMap(({ jobId, place }) => (place === null ? [] : [{ jobId, from: place, to: nowMs }]))
  const outcomes = await board.client.reversals.reschedule(queueName, wanted)
  const back = wanted
    .filter((_, i) => outcomes[i] === 'done')
    .map(({ jobId, from, to }) => ({ jobId, from: to, to: from }))
  for (const each of outcomes) {
    if (each === 'done') outcome.done++
    else leave(outcome, each === 'running' ? RUNNING : CHANGED)
  }
  if (back.length > 0) outcome.undo.push({ kind: 'reschedule', queueName, jobs: back })
}

async function move(board: Board, from: string, to: string, jobs: readonly SeenJob[], outcome: BulkOutcome) {
  const { reversals } = board.client
  for (let at = 0; at < jobs.length; at += PAGE) {
    const page = jobs.slice(at, at + PAGE)
    const ids = page.map(({ jobId }) => jobId)
    const places = await reversals.places(from, ids)
    const same = ids.filter((_, i) => places[i] !== null && Number(places[i]) === Number(page[i]!.place))
    for (let i = same.length; i < ids.length; i++) leave(outcome, CHANGED)
    const outcomes = await board.client.jobs.move(from, to, same)
    const moved = same.filter((_, i) => outcomes[i] === 'moved')
    outcome.done += moved.length
    for (const each of outcomes) {
      if (each === 'taken') leave(outcome, `"${to}" has a job of that id`)
      else if (each !== 'moved') leave(outcome, each === 'running' ? RUNNING : CHANGED)
    }
    if (moved.length > 0) outcome.undo.push({ kind: 'move', from: to, to: from, jobIds: moved })
  }
}
