import { encodeJob } from '@arq-ts/protocol/jobs'
import type { CodecName } from '@arq-ts/protocol/jobs'
import { packCall } from '../client/packing.ts'
import { OptionsError } from '../errors.ts'
import { Job } from '../jobs/job.ts'
import { checkMethodOptions, methodSchemas } from '../options/arguments.ts'
import { checkOptions } from '../options/check.ts'
import type { RedisContext } from '../redis/context.ts'
import type { ScheduledOutcome, ScheduleRecord, ScheduleWrite } from '../redis/schedules.ts'
import type { AnyContract } from '../tasks/contract.ts'
import { ruleOf, ruleText } from './rule.ts'
import { checkScheduleName, readSchedule, scheduleSchema, toSchedule } from './schedule.ts'
import type { ReadSchedule, Schedule, ScheduleOptions } from './schedule.ts'
import { newRevision, payloadOf, tickJobId } from './scheduled-job.ts'
import { believed } from './tick-plan.ts'

/** Schedules of one page, unless another number is asked for. */
const PAGE = 1_000

/** A change of a schedule, from what was read of it. */
type Change = Pick<ScheduleWrite, 'doneMs' | 'fields' | 'ticks' | 'job'>

/** The work behind `client.schedules`, loaded with the first call: it reads cron expressions, which few producers have. */
export class ScheduleActs {
  readonly #link: RedisContext
  readonly #defaults: { codec: CodecName; queueName: string }

  constructor(link: RedisContext, defaults: { codec: CodecName; queueName: string }) {
    this.#link = link
    this.#defaults = defaults
  }

  async put<T extends AnyContract | string>(name: string, options: ScheduleOptions<T>): Promise<Schedule> {
    checkScheduleName('schedules.put', name)
    const { task, input, kwargs, ...given } = checkOptions('schedules.put', scheduleSchema(), options)
    const rule = ruleOf('schedules.put', given)
    const codec = given.codec ?? (typeof task === 'string' ? undefined : task.codec) ?? this.#defaults.codec
    const call = packCall(task, input ?? noInput(task), kwargs === undefined ? {} : { kwargs }, codec)
    const functionName = typeof task === 'string' ? task : task.name
    const { schedule } = await this.#change(name, (record, nowMs) => {
      const isKept = record?.rule === ruleText(rule) && record.paused === ''
      const doneMs = isKept ? believed(Number(record.done), nowMs) : nowMs
      if (rule.kind === 'at' && rule.atMs <= doneMs) {
        const at = new Date(rule.atMs).toISOString()
        throw new OptionsError(`schedules.put: expected \`at\` to lie in the future, got \`${at}\``)
      }
      const job = { jobTry: null, functionName, ...call, enqueueTimeMs: nowMs, mark: { schedule: name } }
      const fields = {
        rule: ruleText(rule),
        function: functionName,
        codec,
        queue: given.queueName ?? this.#defaults.queueName,
        overlap: given.overlap ?? 'allow',
        missed: given.missed ?? 'skip',
        paused: record?.paused ?? '',
        putMs: String(nowMs),
        payload: encodeJob(job, codec, this.#link.limits),
      }
      return { doneMs, fields }
    })
    return schedule!
  }

  async get(name: string): Promise<Schedule | null> {
    checkScheduleName('schedules.get', name)
    const [record] = await this.#link.schedules.read([name])
    return record ? toSchedule(name, record, this.#link.limits) : null
  }

  async list(options: { after?: string; limit?: number }): Promise<Schedule[]> {
    const { after, limit = PAGE } = checkMethodOptions('schedules.list', methodSchemas.schedules, options)
    const all = await this.#link.schedules.names()
    const names = all.filter((name) => after === undefined || name > after).slice(0, limit)
    const records = await this.#link.schedules.read(names)
    return names.flatMap((name, i) => (records[i] ? [toSchedule(name, records[i], this.#link.limits)] : []))
  }

  async remove(name: string): Promise<boolean> {
    checkScheduleName('schedules.remove', name)
    for (;;) {
      const [record = null] = await this.#link.schedules.read([name])
      if (record === null) return false
      const removed = { name, read: record, revision: newRevision(), doneMs: 0, nextMs: null, remove: true }
      if (await this.#link.schedules.write(removed)) return true
    }
  }

  async pause(name: string): Promise<Schedule | null> {
    checkScheduleName('schedules.pause', name)
    const { schedule } = await this.#change(name, (record) => {
      if (!record || record.paused === '1') return null
      return { doneMs: Number(record.done), fields: { paused: '1' } }
    })
    return schedule
  }

  async resume(name: string): Promise<Schedule | null> {
    checkScheduleName('schedules.resume', name)
    const { schedule } = await this.#change(name, (record, nowMs) => {
      return record?.paused === '1' ? { doneMs: nowMs, fields: { paused: '' } } : null
    })
    return schedule
  }

  async runNow<Result = unknown>(name: string): Promise<Job<Result> | null> {
    checkScheduleName('schedules.runNow', name)
    const { schedule, change, outcomes } = await this.#change(name, (record, nowMs) => {
      if (!record) return null
      const { job, codec, doneMs } = this.#read(name, record)
      const payload = payloadOf(job, codec, nowMs, this.#link.limits)
      const ticks = [{ jobId: tickJobId(name, nowMs), dueMs: nowMs }]
      return { doneMs, ticks, job: { payload, queueName: record.queue, skipOverlap: false } }
    })
    const [tick] = change?.ticks ?? []
    return schedule && tick && outcomes[0] === 'queued' ? new Job(tick.jobId, schedule.queueName, this.#link) : null
  }

  #read(name: string, record: ScheduleRecord): ReadSchedule {
    const read = readSchedule(record, this.#link.limits)
    if (typeof read !== 'string') return read
    throw new OptionsError(`schedule '${name}': ${read}; put it again`)
  }

  /** Reads, plans and writes a schedule, and begins anew where another wrote it in between. */
  async #change(
    name: string,
    plan: (record: ScheduleRecord | null, nowMs: number) => Change | null,
  ): Promise<{ schedule: Schedule | null; change: Change | null; outcomes: ScheduledOutcome[] }> {
    const { clock, limits, schedules } = this.#link
    for (;;) {
      await this.#link.syncClock()
      const [read = null] = await schedules.read([name])
      const change = plan(read, Math.round(clock.now()))
      if (!change) return { schedule: read && toSchedule(name, read, limits), change, outcomes: [] }
      const revision = newRevision()
      const after = { ...EMPTY, ...read, ...change.fields, revision, done: String(change.doneMs) }
      const schedule = toSchedule(name, after, limits)
      const nextMs = schedule.next?.getTime() ?? null
      // The time of a single tick may pass while its schedule is paused.
      const remove = schedule.at !== null && !schedule.paused && nextMs === null
      const outcomes = await schedules.write({ name, read, revision, nextMs, remove, announce: true, ...change })
      if (outcomes) return { schedule, change, outcomes }
    }
  }
}

const EMPTY: ScheduleRecord = {
  rule: '',
  function: '',
  codec: '',
  overlap: '',
  missed: '',
  paused: '',
  putMs: '',
  queue: '',
  revision: '',
  done: '',
  last: '',
  lastMs: '',
  lastQueue: '',
  payload: Buffer.alloc(0),
}

/** A task with a schema takes an object. */
function noInput(task: AnyContract | string): object {
  return typeof task !== 'string' && 'params' in task && task.params !== undefined ? {} : []
}
