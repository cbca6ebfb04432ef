import * as z from '../options/zod.ts'
import { OptionsError } from '../errors.ts'
import { checkOptions, count, duration } from '../options/check.ts'
import { gotValue, hasFields } from '../options/given-value.ts'
import type { JobContext } from '../tasks/context.ts'
import type { Needs } from '../tasks/contract.ts'
import { nextTick, parseSchedule } from '@arq-ts/protocol/cron'
import type { CronOptions } from '@arq-ts/protocol/cron'
import { isTimeZone, systemTimeZone } from '@arq-ts/protocol/time'

/** Settings of a cron job other than its schedule; arq's, camel-cased, and `timeZone`, `overlap` and `missed`. */
export interface CronJobOptions {
  /** IANA name. Default: the worker's `timeZone`, else the system's. */
  timeZone?: string
  /** Also run when a worker starts. Default false. */
  runAtStartup?: boolean
  /** Each tick runs once, however many workers there are. Default true. */
  unique?: boolean
  /**
   * One id for all ticks: a tick does not come while the one before is queued or runs, and runs a minute after the end
   * of that one at the earliest, since the in-progress key of a cron job stays for 60 s (as in arq).
   */
  jobId?: string
  /** `skip`: a tick is left out while the one before is queued or runs. Default `allow`. */
  overlap?: 'allow' | 'skip'
  /**
   * Ticks for which no worker was there. `skip` (default, as arq): they do not run. `latest`: the latest of the last seven
   * days runs when a worker starts, wakes up or gets its Redis back, once in the fleet. Needs `unique`.
   */
  missed?: 'skip' | 'latest'
  /** Time a run may take, in ms, at least 1. Default: the worker's `jobTimeoutMs`. */
  timeoutMs?: number
  /** Time the result of a tick is kept, in ms. Default 0: none is stored. */
  keepResultMs?: number
  /** Keeps results for ever; wins over `keepResultMs`. Default false. */
  keepResultForever?: boolean
  /** Tries before a tick fails for good, at least 1. Default 1. */
  maxTries?: number
}

/** A job that comes by the clock. Made by `cron`. */
export interface CronJob extends Readonly<Required<Omit<CronJobOptions, 'timeZone' | 'jobId' | 'timeoutMs'>>> {
  /** The function's name on the wire, and the beginning of its ticks' ids. */
  readonly name: string
  /** As given; undefined where it is the worker's. */
  readonly timeZone: string | undefined
  /** As given; undefined where each tick has an id of its own. */
  readonly jobId: string | undefined
  /** As given, in ms; undefined where it is the worker's. */
  readonly timeoutMs: number | undefined
  /** The schedule as text: the expression, or the options that were given. */
  readonly schedule: string
  /** Handler of a tick. */
  readonly handler: (ctx: JobContext) => unknown
  /** The first tick after an instant, in unix ms; null when there is none. `zone` is for jobs without their own. */
  next(afterMs: number, zone?: string): number | null
}

const defaults = {
  runAtStartup: false,
  unique: true,
  overlap: 'allow',
  missed: 'skip',
  keepResultMs: 0,
  keepResultForever: false,
  maxTries: 1,
} as const satisfies CronJobOptions

const optionsSchema = z.strictObject({
  timeZone: z.string().optional(),
  runAtStartup: z.boolean().optional(),
  unique: z.boolean().optional(),
  jobId: z.string().min(1).optional(),
  overlap: z.enum(['allow', 'skip']).optional(),
  missed: z.enum(['skip', 'latest']).optional(),
  timeoutMs: duration(1).optional(),
  keepResultMs: duration(0).optional(),
  keepResultForever: z.boolean().optional(),
  maxTries: count(1).optional(),
})

/**
 * Defines a cron job by arq's options or a cron expression (five fields, or six with seconds).
 *
 * A Python worker with the same name, options and zone shares its ticks: job ids are arq's,
 * `<name>:<unix ms of the tick>`. arq names jobs `cron:` and the function's qualified name by default.
 *
 * ```ts
 * cron('cron:nightly', { hour: 2, minute: 0 }, nightly)
 * cron('cron:poll', '*\/5 * * * *', poll, { timeZone: 'Europe/Berlin' })
 * ```
 *
 * @throws OptionsError
 */
export function cron<Extra extends object = Record<never, never>>(
  name: string,
  schedule: CronOptions | string,
  handler: (ctx: JobContext<Extra>) => unknown,
  options: CronJobOptions = {},
): CronJob & Needs<Extra> {
  if (typeof name !== 'string' || name === '')
    throw new OptionsError(`cron: Expected \`name\` to be a string such as 'cron:nightly', ${gotValue(name)}`)
  if (typeof handler !== 'function')
    throw new OptionsError(`cron ${name}: Expected \`handler\` to be a function, ${gotValue(handler)}`)
  if (typeof schedule !== 'string' && !hasFields(schedule)) {
    const expected = "Expected `schedule` to be options such as { hour: 2 }, or an expression such as '0 2 * * *'"
    throw new OptionsError(`cron ${name}: ${expected}, ${gotValue(schedule)}`)
  }
  const checked = checkOptions(`cron ${name}`, optionsSchema, options)
  const { timeZone } = checked
  if (timeZone !== undefined && !isTimeZone(timeZone)) {
    throw new OptionsError(
      `cron ${name}: expected \`timeZone\` to be an IANA name such as 'Europe/Berlin', got \`${timeZone}\``,
    )
  }
  if (checked.missed === 'latest' && checked.unique === false && checked.jobId === undefined) {
    throw new OptionsError(
      `cron ${name}: \`missed: 'latest'\` runs a missed tick once in the fleet; it cannot be used with \`unique: false\``,
    )
  }
  const wall = parseSchedule(schedule)
  return {
    ...defaults,
    ...(checked as typeof defaults),
    name,
    timeZone,
    jobId: checked.jobId,
    schedule: wall.text,
    timeoutMs: checked.timeoutMs,
    handler: handler as CronJob['handler'],
    next: (afterMs, zone) => nextTick(wall, afterMs, timeZone ?? zone ?? systemTimeZone()),
  }
}

/** arq's id of a tick; undefined where each worker's own tick shall run. */
export function tickJobId(job: CronJob, tickMs: number): string | undefined {
  return job.jobId ?? (job.unique ? `${job.name}:${tickMs}` : undefined)
}
