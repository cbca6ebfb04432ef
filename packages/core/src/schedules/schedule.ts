import { decodeJob, isWellFormed, readable } from '@arq-ts/protocol/jobs'
import type { CodecName, JobRecord } from '@arq-ts/protocol/jobs'
import type { PayloadLimits } from '@arq-ts/protocol'
import { aRecord, checkOptions, duration, once } from '../options/check.ts'
import { anInstant } from '../options/enqueue.ts'
import * as z from '../options/zod.ts'
import type { ScheduleRecord } from '../redis/schedules.ts'
import type { AnyContract, InputOf } from '../tasks/contract.ts'
import { MIN_EVERY_MS, readRule, ticksOf } from './rule.ts'
import type { NextTick, Rule } from './rule.ts'
import type { Missed } from './tick-plan.ts'

/** Ticks of a schedule, and the job of each: the argument of `client.schedules.put()`. */
export interface ScheduleOptions<T extends AnyContract | string = string> {
  /** A cron expression: five fields, or six with seconds. Excludes `everyMs` and `at`. */
  cron?: string
  /** IANA name of the zone whose wall clock `cron` follows. Default `UTC`. */
  timeZone?: string
  /** Distance of the ticks in ms, at least 1,000; they count from `startAt`. Excludes `cron` and `at`. */
  everyMs?: number
  /** The instant of the first tick of `everyMs`. Default: 1970, so that `everyMs: 60_000` ticks at each full minute. */
  startAt?: Date | number
  /** The instant of a single tick, in the future; the schedule is gone after it. Excludes `cron` and `everyMs`. */
  at?: Date | number
  /** Target of its ticks: a task, a contract, or a function by its name on the wire, in either language. */
  task: T
  /** Its input, as `enqueue` takes it. Default: none. */
  input?: T extends AnyContract ? InputOf<T> : readonly unknown[]
  /** Keyword arguments, for a function by its name. Default none. */
  kwargs?: Readonly<Record<string, unknown>>
  /** `skip`: a tick is left out while the job of the one before is queued or runs. Default `allow`. */
  overlap?: 'allow' | 'skip'
  /**
   * Ticks that no worker enqueued within 60 s. `skip` (default): they do not run. `latest`: the latest does. `all`: the
   * newest 100 do.
   */
  missed?: Missed
  /** The codec of its jobs. Default: the contract's, else the client's. */
  codec?: CodecName
  /** The queue of its jobs. Default: the client's. */
  queueName?: string
}

/** A schedule as it stands. */
export interface Schedule {
  /** Its name. The jobs of its ticks have the ids `<name>:<unix ms>`. */
  name: string
  /** The expression; null where it ticks otherwise. */
  cron: string | null
  /** The zone of the expression; null where there is none. */
  timeZone: string | null
  /** The distance of its ticks in ms; null where it ticks otherwise. */
  everyMs: number | null
  /** The instant from which that distance counts; null if it ticks by another rule. */
  startAt: Date | null
  /** The instant of its only tick; null where it ticks otherwise. */
  at: Date | null
  /** The function's name on the wire. */
  functionName: string
  /** Positional arguments of its jobs. */
  args: readonly unknown[]
  /** Keyword arguments of its jobs. */
  kwargs: Readonly<Record<string, unknown>>
  queueName: string
  codec: CodecName
  overlap: 'allow' | 'skip'
  missed: Missed
  /** True while it does not tick. */
  paused: boolean
  /** The next tick; null while it is paused, or where none comes. */
  next: Date | null
  /** The job that was enqueued last and its tick; null where there was none. */
  last: { jobId: string; at: Date } | null
  /** Time at which it was put. */
  putAt: Date
  /** A sentence about what keeps it from ticking; null where nothing does. */
  problem: string | null
}

/** @internal */
export const scheduleSchema = once(() =>
  z.strictObject({
    cron: z.string().min(1).optional(),
    timeZone: z.string().optional(),
    everyMs: duration(MIN_EVERY_MS).optional(),
    startAt: anInstant.optional(),
    at: anInstant.optional(),
    task: z.custom<AnyContract | string>(
      (value) =>
        (typeof value === 'string' && value !== '') || typeof (value as { pack?: unknown } | null)?.pack === 'function',
      'Expected a task, a contract or the name of a function',
    ),
    input: z.unknown().optional(),
    kwargs: aRecord.optional(),
    overlap: z.enum(['allow', 'skip']).optional(),
    missed: z.enum(['skip', 'latest', 'all']).optional(),
    codec: z.enum(['msgpack', 'pickle', 'json']).optional(),
    queueName: z.string().min(1).optional(),
  }),
)

/** Characters of a name: it is part of keys and of ids. */
const MAX_NAME = 512
const nameSchema = once(() =>
  z.strictObject({
    name: z.custom<string>(
      (value) => typeof value === 'string' && value !== '' && value.length <= MAX_NAME && isWellFormed(value),
      `Expected a string of 1 to ${MAX_NAME} characters`,
    ),
  }),
)

/** @throws OptionsError unless a schedule may have the name. */
export function checkScheduleName(context: string, name: unknown): asserts name is string {
  checkOptions(context, nameSchema(), { name })
}

/** A record that was read as it should be. */
export interface ReadSchedule {
  rule: Rule
  job: JobRecord
  codec: CodecName
  overlap: 'allow' | 'skip'
  missed: Missed
  isPaused: boolean
  doneMs: number
  /** The first tick after an instant, in unix ms; null when there is none. */
  next: NextTick
}

/** Content of a record, or a sentence about its fault. */
export function readSchedule(record: ScheduleRecord, limits: PayloadLimits): ReadSchedule | string {
  if (record.revision === '') return 'its field `revision` is missing'
  const rule = readRule(record.rule)
  const next = rule && knownTicks(rule)
  if (!rule || !next) return `its rule cannot be read: ${record.rule.slice(0, 200)}`
  const read = readable(() => decodeJob(record.payload, limits))
  if (!read) return 'no codec reads its arguments'
  const doneMs = Number(record.done)
  if (record.done === '' || !Number.isFinite(doneMs)) return 'the time of its last look cannot be read'
  return {
    rule,
    job: read.record,
    codec: read.codec,
    overlap: record.overlap === 'skip' ? 'skip' : 'allow',
    missed: record.missed === 'latest' || record.missed === 'all' ? record.missed : 'skip',
    isPaused: record.paused === '1',
    doneMs,
    next,
  }
}

/** Undefined where this process does not know the expression or the zone: another version put it. */
function knownTicks(rule: Rule): NextTick | undefined {
  try {
    return ticksOf(rule)
  } catch {
    return undefined
  }
}

/** An instant near the end of the calendar of a Date, in unix ms: cron expressions cannot be followed past it. */
const CALENDAR_END_MS = 8e15

/** The next tick. Null where a wrong clock put the last look outside of the calendar; a worker that looks brings it back. */
function nextOf({ doneMs, next }: ReadSchedule): number | null {
  return Math.abs(doneMs) < CALENDAR_END_MS ? next(doneMs) : null
}

/** The status of a schedule. */
export function toSchedule(name: string, record: ScheduleRecord, limits: PayloadLimits): Schedule {
  const read = readSchedule(record, limits)
  const isRead = typeof read !== 'string'
  const rule = isRead ? read.rule : readRule(record.rule)
  const isPaused = record.paused === '1'
  const nextMs = isRead && !isPaused ? nextOf(read) : null
  return {
    name,
    cron: rule?.kind === 'cron' ? rule.cron : null,
    timeZone: rule?.kind === 'cron' ? rule.timeZone : null,
    everyMs: rule?.kind === 'every' ? rule.everyMs : null,
    startAt: rule?.kind === 'every' ? new Date(rule.startMs) : null,
    at: rule?.kind === 'at' ? new Date(rule.atMs) : null,
    functionName: record.function,
    args: isRead ? read.job.args : [],
    kwargs: isRead ? read.job.kwargs : {},
    queueName: record.queue,
    codec: (isRead ? read.codec : record.codec) as CodecName,
    overlap: isRead ? read.overlap : 'allow',
    missed: isRead ? read.missed : 'skip',
    paused: isPaused,
    next: nextMs === null ? null : new Date(nextMs),
    last: record.last === '' ? null : { jobId: record.last, at: new Date(Number(record.lastMs)) },
    putAt: new Date(Number(record.putMs)),
    problem: isRead ? null : read,
  }
}
