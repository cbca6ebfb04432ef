import { checkOptions, cronOf } from '@arq-ts/core'
import type { EnqueueOptions, ErrorState, JobDetails, SeenJob } from '@arq-ts/core'
import { z } from 'zod'
import type { ActAnswer, ActionName } from '../api/types.ts'
import type { Board } from '../board.ts'
import { Refusal } from '../http/refusal.ts'
import { queueOf } from '../read/jobs.ts'
import type { Context } from '../routes.ts'
import { answer } from './answer.ts'
import { audited } from './audit.ts'
import { actOn } from './on-jobs.ts'
import type { BulkAction } from './on-jobs.ts'
import { offerUndo } from './undo.ts'
import type { UndoStep } from './undo.ts'

const name = z.string().min(1).max(1_000)
const ms = z.number().min(0).max(3_155_760_000_000)
const call = { args: z.array(z.unknown()).optional(), kwargs: z.record(z.string(), z.unknown()).optional() }
const bodies = {
  enqueue: z.strictObject({
    functionName: name,
    queueName: name.optional(),
    jobId: name.optional(),
    deferMs: ms.optional(),
    ...call,
  }),
  clone: z.strictObject({ queueName: name.optional(), deferMs: ms.optional(), ...call }),
  retry: z.strictObject({ queueName: name.optional(), delayMs: ms.optional() }),
  job: z.strictObject({ queueName: name.optional() }),
  none: z.strictObject({}),
}

/** `POST /api/jobs` */
export async function enqueue(board: Board, { user, body, access }: Context): Promise<ActAnswer> {
  const asked = checkOptions('enqueue', bodies.enqueue, body)
  const queueName = asked.queueName ?? board.client.queueName
  await access.must(user, 'enqueue', { type: 'queue', name: queueName })
  const text = `enqueue "${asked.functionName}" into "${queueName}"`
  return audited(board, user, { action: 'enqueue', target: `queue ${queueName}`, count: 1, text }, async () => {
    const job = await board.client.enqueue(asked.functionName, asked.args ?? [], {
      queueName,
      kwargs: asked.kwargs ?? {},
      ...(asked.jobId === undefined ? {} : { jobId: asked.jobId }),
      ...(asked.deferMs === undefined ? {} : { deferByMs: asked.deferMs }),
    })
    if (!job)
      return answer(false, `The id "${asked.jobId}" is queued, runs, or has a kept result.`, asked.jobId ?? null)
    return answer(true, `Enqueued "${asked.functionName}" into "${queueName}".`, job.jobId)
  })
}

/** `POST /api/jobs/:id/clone` */
export async function clone(board: Board, context: Context): Promise<ActAnswer> {
  const asked = checkOptions('clone', bodies.clone, context.body)
  const { job } = await jobOf(board, context, undefined)
  if (job.functionName === null) throw new Refusal('conflict', 'its payload is gone, so it cannot be copied')
  const queueName = asked.queueName ?? job.queueName ?? board.client.queueName
  await context.access.must(context.user, 'enqueue', { type: 'queue', name: queueName })
  // Python values that JSON has no form for survive in pickle alone.
  const options: EnqueueOptions = {
    queueName,
    kwargs: asked.kwargs ?? job.kwargs,
    ...(asked.deferMs === undefined ? {} : { deferByMs: asked.deferMs }),
  }
  const text = `clone ${asked.args || asked.kwargs ? 'with edits ' : ''}of the job "${job.jobId}" into "${queueName}"`
  const entry = { action: 'clone' as const, target: `job ${job.jobId}`, count: 1, text }
  return audited(board, context.user, entry, async () => {
    const client = board.clientOf(job.codec)
    const made = await client.enqueue(job.functionName!, asked.args ?? job.args, options)
    return answer(made !== null, `Enqueued a copy into "${queueName}".`, made?.jobId ?? null)
  })
}

const DONE: Record<'retry' | 'remove' | 'run-now' | 'abort', string> = {
  retry: 'It runs again.',
  remove: 'Removed the job.',
  'run-now': 'It is due now.',
  abort: 'Asked for its abort.',
}
const LIMITS: Record<'retry' | 'remove' | 'run-now' | 'abort', string> = {
  retry: 'Until it starts.',
  remove: 'Unless a job of the same id is enqueued.',
  'run-now': 'Until it starts.',
  abort: '',
}

/** `POST /api/jobs/:id/{retry,remove,run-now,abort}` */
export async function actOnJob(
  board: Board,
  action: BulkAction & keyof typeof DONE,
  context: Context,
): Promise<ActAnswer> {
  const { user, body } = context
  const asked = checkOptions(action, action === 'retry' ? bodies.retry : bodies.job, body) as {
    queueName?: string
    delayMs?: number
  }
  const { job, seen, queueName } = await jobOf(board, context, asked.queueName)
  const entry = { action, target: `job ${job.jobId}`, count: 1, text: `${action} the job "${job.jobId}"` }
  return audited(board, user, entry, async () => {
    const outcome = await actOn(board, { action }, queueName, [seen])
    board.shared.forget()
    if (outcome.done === 0) {
      const [reason = 'changed meanwhile'] = outcome.left.keys()
      return answer(false, `The job was left alone: ${reason}.`, job.jobId)
    }
    const undo = await offerUndo(board, { action, text: entry.text, steps: outcome.undo, limits: LIMITS[action] })
    return { ...answer(true, DONE[action], job.jobId), undo }
  })
}

/** `POST /api/queues/:q/{pause,resume}` */
export async function pauseOrResume(board: Board, action: 'pause' | 'resume', context: Context): Promise<ActAnswer> {
  checkOptions(action, bodies.none, context.body)
  const queueName = context.params.id!
  const entry = { action, target: `queue ${queueName}`, count: 1, text: `${action} the queue "${queueName}"` }
  return audited(board, context.user, entry, async () => {
    const hasChanged = await board.client.queues[action](queueName)
    if (!hasChanged) return answer(false, action === 'pause' ? 'It was paused already.' : 'It was not paused.')
    const step: UndoStep = { kind: action === 'pause' ? 'resume' : 'pause', queueName }
    const undo = await offerUndo(board, {
      action,
      text: entry.text,
      steps: [step],
      limits: 'Jobs that ran meanwhile stay run.',
    })
    const note = action === 'pause' ? ' Python workers know of no pause.' : ''
    return { ...answer(true, `${action === 'pause' ? 'Paused' : 'Resumed'} "${queueName}".${note}`), undo }
  })
}

/** `POST /api/cron/:name/run` */
export async function runCron(board: Board, context: Context): Promise<ActAnswer> {
  const asked = checkOptions('run', bodies.job, context.body)
  const cronName = context.params.id!
  const served = cronOf(await board.client.workers.list()).find((job) => job.name === cronName)
  const sees = await context.sight.over(served?.queues ?? [])
  const queueName = asked.queueName ?? served?.queues.find(sees)
  if (queueName === undefined) {
    throw new Refusal(
      'not_found',
      `no live worker has the cron job "${cronName.slice(0, 200)}"; name the queue of the Python worker that has`,
    )
  }
  const entry = { action: 'run-cron' as const, target: `cron ${cronName}`, count: 1, text: `run "${cronName}" now` }
  return audited(board, context.user, entry, async () => {
    const job = await board.client.enqueue(cronName, [], { queueName })
    return answer(true, `Enqueued one run of "${cronName}" into "${queueName}".`, job?.jobId ?? null)
  })
}

/** `POST /api/cron/:name/{pause,resume}` */
export async function pauseCron(board: Board, action: 'pause' | 'resume', context: Context): Promise<ActAnswer> {
  checkOptions(action, bodies.none, context.body)
  const cronName = context.params.id!
  const text = `${action} the cron job "${cronName}"`
  return audited(board, context.user, { action, target: `cron ${cronName}`, count: 1, text }, async () => {
    const hasChanged = await board.client.cron[action](cronName, { actor: null })
    if (!hasChanged) return answer(false, action === 'pause' ? 'It was paused already.' : 'It was not paused.')
    const step: UndoStep = { kind: action === 'pause' ? 'resume-cron' : 'pause-cron', name: cronName }
    const limits = 'Ticks that were left out meanwhile are not made up for.'
    const undo = await offerUndo(board, { action, text, steps: [step], limits })
    const advisory = (await board.client.cron.list()).find(({ name }) => name === cronName)?.pause?.because
    const note = advisory ? ` It may tick all the same: ${advisory}.` : ''
    return { ...answer(true, `${action === 'pause' ? 'Paused' : 'Resumed'} "${cronName}".${note}`), undo }
  })
}

/** `POST /api/errors/:fp/{mute,resolve,reopen}` */
export async function setErrorState(
  board: Board,
  action: Extract<ActionName, 'mute' | 'resolve' | 'reopen'>,
  context: Context,
): Promise<ActAnswer> {
  checkOptions(action, bodies.none, context.body)
  const fingerprint = context.params.id!
  const entry = { action, target: `error ${fingerprint}`, count: 1, text: `${action} the error "${fingerprint}"` }
  const states: Record<typeof action, ErrorState> = { mute: 'muted', resolve: 'resolved', reopen: 'open' }
  return audited(board, context.user, entry, async () => {
    const hasChanged = await board.history.setErrorState(fingerprint, states[action])
    return answer(hasChanged, hasChanged ? `The error is ${states[action]} now.` : 'There is no such error any more.')
  })
}

/** A job, and where it was seen. @throws Refusal when nothing is known of it */
async function jobOf(
  board: Board,
  { params }: Context,
  given: string | undefined,
): Promise<{ job: JobDetails; seen: SeenJob; queueName: string }> {
  const jobId = params.id!
  const { jobs, reversals } = board.client
  const at = await queueOf(board, jobId, given)
  const job = await jobs.details(jobId, { queueName: at ?? '' })
  if (job.status === 'not_found') throw new Refusal('not_found', `nothing is known of the job "${jobId.slice(0, 200)}"`)
  const queueName = job.queueName || board.client.queueName
  const isDead = job.status === 'dead'
  const [place] = await reversals.places(isDead ? null : queueName, [jobId])
  return { job, seen: { jobId, place: place ?? null, isDead }, queueName }
}
