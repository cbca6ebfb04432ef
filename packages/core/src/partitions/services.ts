import { OptionsError } from '../errors.ts'
import type { CronPauseRecord, CronPauses } from '../redis/cron-pauses.ts'
import type { FlowWatch } from '../redis/flow-watch.ts'
import type { FlowRecords } from '../redis/flows.ts'
import { OF_UNIQUE_KEY } from '../redis/limits.ts'
import type { LimitRecords } from '../redis/limits.ts'
import type { ScheduleRecords } from '../redis/schedules.ts'
import type { TickRecords } from '../redis/ticks.ts'
import { BoundedCalls } from './bounded-calls.ts'
import { itself, jobIdOf } from './spread.ts'
import type { Members, Spread } from './spread.ts'

/** A flow and all its members lie in one partition: its id is a hash tag, with which the ids of its members begin. */
export function spanFlows(spread: Spread<FlowRecords>): FlowRecords {
  const spanned: Members<FlowRecords> = {
    take: (flowId, ...rest) => spread.of(flowId).take(flowId, ...rest),
    write: (flowId, ...rest) => spread.of(flowId).write(flowId, ...rest),
    start: (flowId, ...rest) => spread.of(flowId).start(flowId, ...rest),
    note: (flowId, ...rest) => spread.of(flowId).note(flowId, ...rest),
    end: (flowId, ...rest) => spread.of(flowId).end(flowId, ...rest),
    endSome: (flowId, ...rest) => spread.of(flowId).endSome(flowId, ...rest),
    place: (flowId, ...rest) => spread.of(flowId).place(flowId, ...rest),
    reopen: (flowId, ...rest) => spread.of(flowId).reopen(flowId, ...rest),
    cancel: (flowId, ...rest) => spread.of(flowId).cancel(flowId, ...rest),
    read: (flowId) => spread.of(flowId).read(flowId),
    fields: (flowId, ...rest) => spread.of(flowId).fields(flowId, ...rest),
    size: (flowId) => spread.of(flowId).size(flowId),
    explain: (flowId, ...rest) => spread.of(flowId).explain(flowId, ...rest),
    todo: (flowId, ...rest) => spread.of(flowId).todo(flowId, ...rest),
    placeOf: (flowId, ...rest) => spread.of(flowId).placeOf(flowId, ...rest),
    out: (flowId) => spread.of(flowId).out(flowId),
    calls: (flowId, ...rest) => spread.of(flowId).calls(flowId, ...rest),
    results: (flowId, ...rest) => spread.of(flowId).results(flowId, ...rest),
    running: (jobIds) => spread.aligned(jobIds, itself, (part, own) => part.running(own)),
    gone: async (jobs) => (await spread.groups(jobs, jobIdOf, (part, own) => part.gone(own))).flat(),
    list: async (limit) => {
      const flows = await spread.concat((part) => part.list(limit))
      return flows.sort((a, b) => Number(b.fields[2]) - Number(a.fields[2])).slice(0, limit)
    },
  }
  return spanned as FlowRecords
}

/** The flows of all partitions, for the one worker that looks after them. */
export function spanFlowWatch(spread: Spread<FlowWatch>): FlowWatch {
  const { home } = spread
  const bounded = new BoundedCalls<FlowWatch>()
  const spanned: Members<FlowWatch> = {
    // One that does not answer may have flows.
    isNeeded: async () => {
      const needs = (part: FlowWatch) =>
        bounded.ask(
          part,
          () => part.isNeeded(),
          () => true,
        )
      return (await spread.each(needs)).includes(true)
    },
    flows: () => spread.concat((part) => bounded.ask(part, () => part.flows(), noIds)),
    remove: (flowId) => spread.of(flowId).remove(flowId),
    lead: (workerId, leaseMs) => home.lead(workerId, leaseMs),
    resign: (workerId) => home.resign(workerId),
    sweep: async () => void (await spread.each((part) => part.sweep())),
  }
  return spanned as FlowWatch
}

/** Schedules. A schedule lies with its ticks, whose ids are `<name>:<unix ms>`. */
export function spanSchedules(spread: Spread<ScheduleRecords>): ScheduleRecords {
  const at = (name: string) => spread.of(tickOf(name))
  const spanned: Members<ScheduleRecords> = {
    // Each partition has its own time, by which its schedules are due: a worker has a service for each.
    take: () => Promise.reject(new Error('schedules are taken in one partition at a time')),
    read: (names) => spread.aligned(names, tickOf, (part, own) => part.read(own)),
    names: async () => (await spread.concat((part) => part.names())).sort((a, b) => (a < b ? -1 : 1)),
    write: (write) => at(write.name).write(write),
  }
  return spanned as ScheduleRecords
}

/** Ticks of cron jobs, which have the same ids. */
export function spanTicks(spread: Spread<TickRecords>): TickRecords {
  const spanned: Members<TickRecords> = {
    enqueue: (call, rules) => spread.of(call.jobId).enqueue(call, rules),
    // `<name>@<zone> <schedule>`, see `scheduleId`; no zone and no schedule has an `@`.
    watch: (schedule, ...rest) =>
      spread.of(tickOf(schedule.slice(0, schedule.lastIndexOf('@')))).watch(schedule, ...rest),
  }
  return spanned as TickRecords
}

/** Pauses of cron jobs. A pause is stored in every partition; each tick checks its own. */
export function spanCronPauses(spread: Spread<CronPauses>): CronPauses {
  const spanned: Members<CronPauses> = {
    all: async () => {
      const pauses = new Map<string, CronPauseRecord>()
      for (const part of await spread.each((each) => each.all())) {
        // A pause in any partition counts: a call that ended between two partitions must be repeated.
        for (const [name, pause] of part) if (pauses.get(name)?.untilMs !== null) pauses.set(name, pause)
      }
      return pauses
    },
    pause: async (name, nowMs) => (await spread.each((part) => part.pause(name, nowMs))).some(Boolean),
    resume: async (name, nowMs) => (await spread.each((part) => part.resume(name, nowMs))).some(Boolean),
  }
  return spanned as CronPauses
}

/** An id as ticks of this name have it. */
function tickOf(name: string): string {
  return `${name}:0000000000000`
}

/**
 * Limits count in one slot, and do not span partitions: workers refuse tasks that have any. Those of unique keys lie with
 * their keys, as the jobs under them do. What holds a job lies with it.
 */
export function spanLimits(spread: Spread<LimitRecords>): LimitRecords {
  const { home } = spread
  const bounded = new BoundedCalls<LimitRecords>()
  const refuse = () => Promise.reject(new OptionsError(LIMITS_REFUSED))
  const spanned: Members<LimitRecords> = {
    admit: (claim, limits, how) =>
      limits.every(({ id }) => id.startsWith(OF_UNIQUE_KEY))
        ? spread.of(claim.jobId).admit(claim, limits, how)
        : refuse(),
    set: refuse,
    renew: (claim, ...rest) => spread.of(claim.jobId).renew(claim, ...rest),
    serve: (limit, ...rest) => spread.of(placeOfLimit(limit.id)).serve(limit, ...rest),
    due: (nowMs, behind) => spread.concat((part) => bounded.ask(part, () => part.due(nowMs, behind), noIds)),
    watched: () => spread.concat((part) => part.watched()),
    setIds: () => home.setIds(),
    settings: (ids) => home.settings(ids),
    unset: (id) => home.unset(id),
    counts: (ids, nowMs) => spread.aligned(ids, placeOfLimit, (part, own) => part.counts(own, nowMs)),
    members: (id, ...rest) => spread.of(placeOfLimit(id)).members(id, ...rest),
    recordHold: (jobId, ...rest) => spread.of(jobId).recordHold(jobId, ...rest),
    holdsOf: (members) => spread.aligned(members, jobIdOf, (part, own) => part.holdsOf(own)),
  }
  return spanned as LimitRecords
}

/** A name that lies where a limit does: the key of a limit of a unique key. No job is under any other. */
function placeOfLimit(id: string): string {
  return id.startsWith(OF_UNIQUE_KEY) ? id.slice(OF_UNIQUE_KEY.length) : id
}

const noIds = (): string[] => []

export const LIMITS_REFUSED =
  'limits do not span partitions: a limit is kept in one slot of the cluster, and its jobs lie in several. Use a namespace in one piece for the tasks that have limits'
