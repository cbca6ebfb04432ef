import { showId } from '@arq-ts/protocol/jobs'
import type { CodecName, Missed, Schedule, ScheduleOptions } from '@arq-ts/core'
import type { GlobalArgs } from '../args.ts'
import { audited } from '../audit.ts'
import type { AuditedAct } from '../audit.ts'
import { CommandError, EXIT } from '../exit.ts'
import { callText, countText, instantText, spanText, whenText } from '../output.ts'
import type { Column, Fields } from '../output.ts'
import { withSession } from '../session.ts'
import type { Session } from '../session.ts'
import { styles } from '../style.ts'
import { noteUnserved } from '../unserved.ts'
import { readArguments } from './job.ts'

type NameArgs = GlobalArgs & { name: string }

/** `schedule ls` */
export function list(args: GlobalArgs & { limit: number }): Promise<number> {
  return withSession(args, async ({ client, out, nowMs }) => {
    const columns: readonly Column<Schedule>[] = [
      { title: 'schedule', cell: ({ name }) => showId(name), min: 12 },
      { title: 'ticks', cell: ticksText, min: 10 },
      { title: 'next', cell: (schedule) => nextText(schedule, nowMs), min: 8 },
      { title: 'function', cell: ({ functionName }) => functionName, min: 10 },
      { title: 'last', cell: ({ last }) => (last ? whenText(last.at, nowMs) : '–'), drop: 2 },
      { title: 'queue', cell: ({ queueName }) => showId(queueName), min: 6, drop: 1 },
    ]
    // One more than is shown reveals whether there are others.
    const found = await client.schedules.list({ limit: args.limit + 1 })
    const isMore = found.length > args.limit
    const incomplete = isMore ? [`the first ${countText(args.limit)} by name; --limit shows more`] : []
    const options = { name: 'schedules', none: 'there is no schedule', incomplete }
    out.list(found.slice(0, args.limit), columns, options)
    return EXIT.ok
  })
}

/** `schedule show` */
export function show(args: NameArgs): Promise<number> {
  return withSession(args, async (session) => {
    const schedule = await session.client.schedules.get(args.name)
    if (!schedule) throw absent(args.name)
    return shown(session, schedule)
  })
}

/** `schedule put` */
export function put(
  args: NameArgs & {
    function: string
    args?: readonly string[] | undefined
    cron?: string | undefined
    timeZone?: string | undefined
    every?: number | undefined
    at?: Date | undefined
    overlap?: 'allow' | 'skip' | undefined
    missed?: Missed | undefined
    codec?: CodecName | undefined
    queue?: string | undefined
  },
): Promise<number> {
  if (args.function === '') throw new CommandError('expected the name of a function, got an empty string')
  const { positional, keywords } = readArguments(args.args ?? [])
  const options: ScheduleOptions = { task: args.function, input: positional, kwargs: keywords }
  const { at, codec, cron, every, missed, overlap, queue, timeZone } = args
  const given = { at, codec, cron, everyMs: every, missed, overlap, queueName: queue, timeZone }
  for (const [name, value] of Object.entries(given)) if (value !== undefined) Object.assign(options, { [name]: value })
  return withSession(args, async (session) => {
    const schedule = await audited(session, entryOf('put-schedule', args), () =>
      session.client.schedules.put(args.name, options),
    )
    await noteUnserved(session, schedule.queueName)
    return shown(session, schedule)
  })
}

/** `schedule rm` */
export function remove(args: NameArgs): Promise<number> {
  return withSession(args, async (session) => {
    const { client, out } = session
    const act = () => client.schedules.remove(args.name)
    if (!(await audited(session, entryOf('remove-schedule', args), act))) throw absent(args.name)
    out.data({ name: args.name, removed: true }, () => {
      out.line(`the schedule ${showId(args.name)} is removed; jobs that it enqueued stay`)
    })
    return EXIT.ok
  })
}

/** `schedule pause` */
export function pause(args: NameArgs): Promise<number> {
  return withSession(args, async (session) => {
    const act = () => session.client.schedules.pause(args.name)
    const schedule = await audited(session, entryOf('pause', args), act)
    if (!schedule) throw absent(args.name)
    return shown(session, schedule)
  })
}

/** `schedule resume` */
export function resume(args: NameArgs): Promise<number> {
  return withSession(args, async (session) => {
    const act = () => session.client.schedules.resume(args.name)
    const schedule = await audited(session, entryOf('resume', args), act)
    if (!schedule) throw absent(args.name)
    return shown(session, schedule)
  })
}

/** `schedule run` */
export function run(args: NameArgs): Promise<number> {
  return withSession(args, async (session) => {
    const { client, out } = session
    const job = await audited(session, entryOf('run-schedule', args), () => client.schedules.runNow(args.name))
    if (!job && (await client.schedules.get(args.name)))
      throw new CommandError(`schedule ${showId(args.name)} has a job of this very millisecond already`, EXIT.no)
    if (!job) throw absent(args.name)
    const { jobId, queueName } = job
    await noteUnserved(session, queueName)
    out.data({ jobId, queueName }, () => {
      out.line(showId(jobId))
      out.note(`queued in ${showId(queueName)}`)
    })
    return EXIT.ok
  })
}

function entryOf(action: string, { name }: NameArgs): AuditedAct {
  const text = `${action.replace('-schedule', '')} the schedule "${showId(name)}"`
  return { action, kind: 'schedule', names: [name], text }
}

function absent(name: string): CommandError {
  return new CommandError(`no schedule ${showId(name)}; arq-ts schedule ls lists them`, EXIT.no)
}

function shown({ out, nowMs }: Session, schedule: Schedule): number {
  // One that this command has put is newer than the command's time.
  const shownAtMs = Math.max(nowMs, schedule.putAt.getTime() || 0)
  out.data(schedule, () => out.fields(fieldsOf(schedule, shownAtMs)))
  return EXIT.ok
}

function fieldsOf(schedule: Schedule, nowMs: number): Fields {
  const { last } = schedule
  return [
    ['schedule', styles.bold(showId(schedule.name))],
    ['problem', schedule.problem === null ? null : styles.red(schedule.problem)],
    ['ticks', ticksText(schedule)],
    ['next', schedule.next ? instantText(schedule.next, nowMs) : nextText(schedule, nowMs)],
    ['last', last ? `${instantText(last.at, nowMs) ?? '–'}, job ${showId(last.jobId)}` : null],
    ['function', schedule.functionName],
    ['arguments', callText(schedule.args, schedule.kwargs, 500)],
    ['codec', schedule.codec],
    ['queue', showId(schedule.queueName)],
    ['overlap', schedule.overlap],
    ['missed', schedule.missed],
    ['put', instantText(schedule.putAt, nowMs)],
  ]
}

function ticksText({ at, cron, everyMs, timeZone }: Schedule): string {
  if (cron !== null) return timeZone === 'UTC' ? cron : `${cron} ${timeZone}`
  if (everyMs !== null) return `every ${spanText(everyMs)}`
  return at === null ? '–' : `once, ${at.toISOString()}`
}

function nextText({ next, paused, problem }: Schedule, nowMs: number): string {
  if (paused) return styles.yellow('paused')
  if (problem !== null) return styles.red('problem')
  return next === null ? 'never' : whenText(next, nowMs)
}
