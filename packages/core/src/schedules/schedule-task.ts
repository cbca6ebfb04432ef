import { bindArguments } from '@arq-ts/protocol/jobs'
import type { CodecName } from '@arq-ts/protocol/jobs'
import { OptionsError } from '../errors.ts'
import { aRecord, checkOptions, duration } from '../options/check.ts'
import { anInstant } from '../options/enqueue.ts'
import * as z from '../options/zod.ts'
import { defineTask } from '../tasks/task.ts'
import type { AnyTask } from '../tasks/task.ts'
import type { Schedule } from './schedule.ts'

/** Name of the system task by which any producer manages schedules: Python's `enqueue_job('arq-ts:schedule', 'put', …)`. */
export const SCHEDULE_TASK = 'arq-ts:schedule'

const params = z.strictObject({
  action: z.enum(['put', 'get', 'list', 'remove', 'pause', 'resume', 'run']),
  name: z.string().optional(),
  task: z.string().min(1).optional(),
  args: z.array(z.unknown()).optional(),
  kwargs: aRecord.optional(),
  cron: z.string().optional(),
  time_zone: z.string().optional(),
  every_ms: duration(1_000).optional(),
  start_at: anInstant.optional(),
  at: anInstant.optional(),
  overlap: z.enum(['allow', 'skip']).optional(),
  missed: z.enum(['skip', 'latest', 'all']).optional(),
  codec: z.enum(['msgpack', 'pickle', 'json']).optional(),
  queue_name: z.string().min(1).optional(),
})
const names = Object.keys(params.shape)

/** The system task of a worker. `codec` is that of schedules which name none: one that both languages read. */
export function scheduleTask(codec: CodecName): AnyTask {
  return defineTask({
    name: SCHEDULE_TASK,
    maxTries: 1,
    handler: async ({ client, kwargs }, ...args: readonly unknown[]) => {
      // Python's None stands for what is not given.
      const bound = Object.entries(bindArguments(SCHEDULE_TASK, names, args, kwargs, true))
      const given = Object.fromEntries(bound.filter(([, value]) => value !== null && value !== undefined))
      const { action, name = '', ...options } = checkOptions(SCHEDULE_TASK, params, given)
      const { schedules } = client
      if (action === 'list') return (await schedules.list({ limit: Infinity })).map(plain)
      if (action === 'put') return plain(await schedules.put(name, putOptions(options, codec)))
      refuseOptions(action, options)
      switch (action) {
        case 'get':
          return plain(await schedules.get(name))
        case 'remove':
          return schedules.remove(name)
        case 'pause':
          return plain(await schedules.pause(name))
        case 'resume':
          return plain(await schedules.resume(name))
        case 'run':
          return (await schedules.runNow(name))?.jobId ?? null
      }
    },
  })
}

type RuleFields = Omit<z.output<typeof params>, 'action' | 'name'>

function putOptions(
  { task, args, kwargs, time_zone, every_ms, start_at, queue_name, ...rest }: RuleFields,
  codec: CodecName,
) {
  if (task === undefined) throw new OptionsError(`${SCHEDULE_TASK}: 'put' needs \`task\`, the name of a function`)
  const renamed = {
    timeZone: time_zone,
    everyMs: every_ms,
    startAt: start_at,
    queueName: queue_name,
    input: args,
    kwargs,
  }
  const given = Object.entries({ codec, ...rest, ...renamed }).filter(([, value]) => value !== undefined)
  return { task, ...(Object.fromEntries(given) as object) }
}

function refuseOptions(action: string, options: RuleFields): void {
  const [first] = Object.entries(options).find(([, value]) => value !== undefined) ?? []
  if (first !== undefined) throw new OptionsError(`${SCHEDULE_TASK}: '${action}' takes no \`${first}\``)
}

/** A schedule as a Python producer reads it. */
function plain(schedule: Schedule | null): object | null {
  if (!schedule) return null
  const { functionName, timeZone, everyMs, startAt, queueName, next, last, putAt, at, ...rest } = schedule
  return {
    ...rest,
    task: functionName,
    time_zone: timeZone,
    every_ms: everyMs,
    start_ms: startAt?.getTime() ?? null,
    queue_name: queueName,
    at_ms: at?.getTime() ?? null,
    next_ms: next?.getTime() ?? null,
    last: last && { job_id: last.jobId, at_ms: last.at.getTime() },
    put_ms: putAt.getTime(),
  }
}
