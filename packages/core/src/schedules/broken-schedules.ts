import type { RedisContext } from '../redis/context.ts'
import type { ScheduleRecord } from '../redis/schedules.ts'
import { readSchedule } from './schedule.ts'
import { newRevision } from './scheduled-job.ts'
import { believed } from './tick-plan.ts'

/** A schedule that does not tick. */
export interface BrokenSchedule {
  name: string
  /** The reason, as a part of a sentence. */
  problem: string
  /** True if it ticks again once its version and the time of its last look are written again. */
  isRepairable: boolean
}

/** Finds schedules whose records in Redis cannot be read. */
export async function brokenSchedules(link: RedisContext): Promise<BrokenSchedule[]> {
  const names = await link.schedules.names()
  const records = await link.schedules.read(names)
  return names.flatMap((name, i) => {
    const record = records[i]
    const problem = record && readSchedule(record, link.limits)
    if (!record || typeof problem !== 'string') return []
    const isRepairable = typeof readSchedule(repaired(record, link.clock.now()), link.limits) !== 'string'
    return [{ name, problem, isRepairable }]
  })
}

/** Lets these schedules tick again where they can be repaired, unless somebody has written them meanwhile; returns how many do. */
export async function repairSchedules(link: RedisContext, names: readonly string[]): Promise<number> {
  await link.syncClock()
  const nowMs = Math.round(link.clock.now())
  const records = await link.schedules.read(names)
  let count = 0
  for (const [i, name] of names.entries()) {
    const record = records[i]
    if (!record || typeof readSchedule(record, link.limits) !== 'string') continue
    const whole = repaired(record, nowMs)
    const read = readSchedule(whole, link.limits)
    if (typeof read === 'string') continue
    const { revision } = whole
    const nextMs = read.isPaused ? null : read.next(read.doneMs)
    const write = { name, read: record, revision, doneMs: read.doneMs, nextMs, announce: true }
    if (await link.schedules.write(write)) count++
  }
  return count
}

/** The record in working order. The job that it enqueues stays as it is. */
function repaired(record: ScheduleRecord, nowMs: number): ScheduleRecord {
  const doneMs = record.done === '' ? NaN : Number(record.done)
  const done = String(Number.isFinite(doneMs) ? believed(doneMs, nowMs) : Math.round(nowMs))
  return { ...record, revision: newRevision(), done }
}
