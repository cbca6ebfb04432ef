import { checkOptions } from '@arq-ts/core'
import { z } from 'zod'
import { answer, given } from '../act/answer.ts'
import { audited } from '../act/audit.ts'
import { offerUndo } from '../act/undo.ts'
import type { ActAnswer } from '../api/types.ts'
import type { Board } from '../board.ts'
import { Refusal } from '../http/refusal.ts'
import type { Context } from '../routes.ts'
import { missing } from './views.ts'

const name = z.string().min(1).max(1_000)
const instant = z.number().min(0).max(8.64e15)
const bodies = {
  none: z.strictObject({}),
  put: z.strictObject({
    isNew: z.boolean().optional(),
    cron: z.string().max(1_000).optional(),
    timeZone: z.string().max(100).optional(),
    everyMs: z.number().optional(),
    startAtMs: instant.optional(),
    atMs: instant.optional(),
    functionName: name,
    args: z.array(z.unknown()).optional(),
    kwargs: z.record(z.string(), z.unknown()).optional(),
    queueName: name.optional(),
    codec: z.enum(['pickle', 'msgpack', 'json']).optional(),
    overlap: z.enum(['allow', 'skip']).optional(),
    missed: z.enum(['skip', 'latest', 'all']).optional(),
  }),
}

/** `POST /api/schedules/:name` */
export async function putSchedule(board: Board, { access, body, params, user }: Context): Promise<ActAnswer> {
  const asked = checkOptions('schedule', bodies.put, body)
  const scheduleName = params.id!
  const known = await board.client.schedules.get(scheduleName)
  if (known && asked.isNew === true)
    throw new Refusal('conflict', `there is a schedule "${scheduleName}" already; open it to change it`)
  const queueName = asked.queueName ?? known?.queueName ?? board.client.queueName
  // Its ticks enqueue there, by themselves.
  await access.must(user, 'enqueue', { type: 'queue', name: queueName })
  // Fields that the page left out keep their values, including values that JSON cannot express.
  const isSameCall = known?.functionName === asked.functionName
  const args = asked.args ?? (isSameCall ? known.args : [])
  const kwargs = asked.kwargs ?? (isSameCall ? known.kwargs : {})
  const { atMs, codec = known?.codec, cron, everyMs, functionName, missed, overlap, startAtMs, timeZone } = asked
  const options = {
    task: functionName,
    input: args,
    kwargs,
    queueName,
    ...given({ codec, cron, everyMs, missed, overlap, timeZone, at: atMs, startAt: startAtMs }),
  }
  const text = `${known ? 'change' : 'make'} the schedule "${scheduleName}" of "${functionName}" in "${queueName}"`
  const entry = { action: 'put-schedule' as const, target: `schedule ${scheduleName}`, count: 1, text }
  return audited(board, user, entry, async () => {
    const { next, paused } = await board.client.schedules.put(scheduleName, options)
    const when = paused ? 'It stays paused' : next ? `It ticks next at ${next.toISOString()}` : 'It has no tick to come'
    return answer(true, `${known ? 'Changed' : 'Made'} "${scheduleName}". ${when}.`)
  })
}

/** `POST /api/schedules/:name/{pause,resume}` */
export async function pauseSchedule(
  board: Board,
  action: 'pause' | 'resume',
  { body, params, user }: Context,
): Promise<ActAnswer> {
  checkOptions(action, bodies.none, body)
  const scheduleName = params.id!
  const before = await board.client.schedules.get(scheduleName)
  if (!before) throw missing(scheduleName)
  const wanted = action === 'pause'
  const text = `${action} the schedule "${scheduleName}"`
  return audited(board, user, { action, target: `schedule ${scheduleName}`, count: 1, text }, async () => {
    if (before.paused === wanted) return answer(false, wanted ? 'It was paused already.' : 'It was not paused.')
    if (!(await board.client.schedules[action](scheduleName))) throw missing(scheduleName)
    const undo = await offerUndo(board, {
      action,
      text,
      steps: [{ kind: wanted ? 'resume-schedule' : 'pause-schedule', name: scheduleName }],
      limits: wanted
        ? 'Ticks that were left out meanwhile are not made up for.'
        : 'Jobs that it enqueued meanwhile stay.',
    })
    return { ...answer(true, `${wanted ? 'Paused' : 'Resumed'} "${scheduleName}".`), undo }
  })
}

/** `POST /api/schedules/:name/run` */
export async function runSchedule(board: Board, { body, params, user }: Context): Promise<ActAnswer> {
  checkOptions('run', bodies.none, body)
  const scheduleName = params.id!
  const entry = { action: 'run-schedule' as const, target: `schedule ${scheduleName}`, count: 1 }
  return audited(board, user, { ...entry, text: `run the schedule "${scheduleName}" now` }, async () => {
    const job = await board.client.schedules.runNow(scheduleName)
    if (job) return answer(true, `Enqueued one run of "${scheduleName}".`, job.jobId)
    if (await board.client.schedules.get(scheduleName)) return answer(false, 'Its job for this instant exists already.')
    throw missing(scheduleName)
  })
}

/** `POST /api/schedules/:name/remove` */
export async function removeSchedule(board: Board, { body, params, user }: Context): Promise<ActAnswer> {
  checkOptions('remove', bodies.none, body)
  const scheduleName = params.id!
  const text = `remove the schedule "${scheduleName}"`
  const entry = { action: 'remove-schedule' as const, target: `schedule ${scheduleName}`, count: 1, text }
  return audited(board, user, entry, async () => {
    const wasThere = await board.client.schedules.remove(scheduleName)
    return answer(
      wasThere,
      wasThere ? `Removed "${scheduleName}". Jobs that it enqueued stay.` : 'It was gone already.',
    )
  })
}
