// Results that Python workers left, as the collector counts them. Pure.

import { createHash } from 'node:crypto'
import { decodeResult, readable } from '@arq-ts/protocol/jobs'
import type { Keys, ResultRecord } from '@arq-ts/protocol/jobs'
import type { PayloadLimits } from '@arq-ts/protocol'
import { endedState, toJobResult } from '../jobs/job.ts'
import { foldSeries, planCounts } from '../recorder/plan.ts'
import type { PlannedCall } from '../recorder/plan.ts'
import { seriesId } from '../recorder/series-name.ts'
import type { SeriesName } from '../recorder/series-name.ts'
import { minuteOf } from '../recorder/slots.ts'
import { OUTCOME, Tally } from '../recorder/tally.ts'

/** Results that ended longer ago are not counted: they were, or came too late. */
export const HORIZON_MS = 3_600_000
/** Time for which it is known that a result was counted. */
const MARK_TTL_MS = HORIZON_MS + 900_000
/** Clocks of Python's machines may be ahead by this much. */
const SKEW_MS = 300_000
/** Series of one call: three keys each. */
const SERIES_PER_CALL = 3
/** Jobs of one call. */
const JOBS_PER_CALL = 200

/** A job that ended on a Python worker. */
export interface Sighting {
  jobId: string
  series: SeriesName
  id: string
  outcome: 'complete' | 'failed' | 'aborted'
  jobTry: number
  startedMs: number
  finishedMs: number
  enqueuedMs: number
  /** Error it raised; undefined where it raised none. */
  error: unknown
  /** The second in which it ended, and its number there: the same for the same end of the same job. */
  second: number
  member: string
}

/** Reads a result; null where it is none, or where it ended too long ago, or where its clock is not to be believed yet. */
export function sightingOf(jobId: string, bytes: Buffer, nowMs: number, limits: PayloadLimits): Sighting | null {
  const record = readable(() => decodeResult(bytes, limits).record)
  if (!record) return null
  const { enqueueTimeMs, finishTimeMs, functionName, jobTry, queueName, startTimeMs } = record
  if (finishTimeMs < nowMs - HORIZON_MS || finishTimeMs > nowMs + SKEW_MS) return null
  const result = toJobResult(record, jobId, null)
  const series: SeriesName = { queue: queueName, function: functionName, language: 'python' }
  return {
    jobId,
    series,
    id: seriesId(series),
    outcome: endedState(result),
    jobTry: jobTry ?? 1,
    startedMs: startTimeMs,
    finishedMs: finishTimeMs,
    enqueuedMs: enqueueTimeMs,
    error: result.success ? undefined : result.result,
    second: Math.floor(finishTimeMs / 1_000),
    member: memberOf(jobId, record),
  }
}

/** A number below 2^48: sets of up to 512 numbers take Redis eight bytes each. */
function memberOf(jobId: string, { finishTimeMs, jobTry, startTimeMs }: ResultRecord): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([jobId, jobTry, startTimeMs, finishTimeMs]))
    .digest()
  return String(digest.readUIntBE(0, 6))
}

/** Jobs that are counted together, in one call: all or none of them. */
export interface CountCall {
  call: PlannedCall
  jobs: Sighting[]
}

/** A lease that a call is bound to. */
export interface HeldLease {
  token: string
  leaseMs: number
}

/**
 * Calls that count jobs, each bound to the lease and marking its jobs as counted in the same step: whoever holds the lease
 * next finds them counted, or not counted at all.
 */
export function planSightings(
  keys: Keys,
  sightings: readonly Sighting[],
  hasPlace: (id: string) => boolean,
  lease: HeldLease,
  nowMs: number,
): CountCall[] {
  const calls: CountCall[] = []
  for (const jobs of groupsOf(sightings, ({ second }) => second)) {
    for (const page of pagesOf(groupsOf(jobs, ({ id }) => id))) calls.push(planPage(keys, page, hasPlace, lease, nowMs))
  }
  return calls
}

function planPage(
  keys: Keys,
  page: readonly (readonly Sighting[])[],
  hasPlace: (id: string) => boolean,
  lease: HeldLease,
  nowMs: number,
): CountCall {
  const jobs = page.flat()
  const { second, finishedMs } = jobs[0]!
  const tallies = page.map((group) => ({ name: group[0]!.series, id: group[0]!.id, tally: tallyOf(group) }))
  const [counts] = planCounts(keys, foldSeries(tallies, hasPlace), minuteOf(Math.min(finishedMs, nowMs)), nowMs)
  const members = jobs.map(({ member }) => member)
  const number = counts!.keys.length + 2
  const hold = ['hold', number, lease.token, lease.leaseMs]
  const mark = ['mark', number + 1, MARK_TTL_MS, members.length, ...members]
  const callKeys = [...counts!.keys, keys.obsCollector, keys.obsSeen(second)]
  return { jobs, call: { keys: callKeys, operations: [...hold, ...mark, ...counts!.operations] } }
}

/** A call that does nothing but keep the lease. */
export function planHold(keys: Keys, { token, leaseMs }: HeldLease): PlannedCall {
  return { keys: [keys.obsCollector], operations: ['hold', 2, token, leaseMs] }
}

function tallyOf(jobs: readonly Sighting[]): Tally {
  const tally = new Tally()
  for (const { outcome, startedMs, finishedMs } of jobs) {
    tally.count(OUTCOME[outcome])
    tally.run.add(Math.max(0, finishedMs - startedMs))
  }
  return tally
}

function groupsOf<T>(items: readonly T[], keyOf: (item: T) => string | number): T[][] {
  const groups = new Map<string | number, T[]>()
  for (const item of items) {
    const group = groups.get(keyOf(item))
    if (group) group.push(item)
    else groups.set(keyOf(item), [item])
  }
  return [...groups.values()]
}

/** Groups of one series each, by what fits into a call. */
function pagesOf(groups: readonly Sighting[][]): Sighting[][][] {
  const pages: Sighting[][][] = []
  for (const group of groups) {
    for (let from = 0; from < group.length; from += JOBS_PER_CALL) {
      const part = group.slice(from, from + JOBS_PER_CALL)
      const page = pages.at(-1)
      const size = page?.reduce((sum, each) => sum + each.length, 0) ?? 0
      if (page && page.length < SERIES_PER_CALL && size + part.length <= JOBS_PER_CALL) page.push(part)
      else pages.push([part])
    }
  }
  return pages
}
