import type { FrozenJobs } from '../redis/frozen-jobs.ts'
import type { Holds } from '../redis/holds.ts'
import type { JobPages } from '../redis/job-pages.ts'
import type { JobRecords } from '../redis/jobs.ts'
import { sendId } from '../redis/id-bytes.ts'
import type { UniqueJobs } from '../redis/unique-jobs.ts'
import { chained, itself, jobIdOf, sumOf } from './spread.ts'
import type { Members, Spread } from './spread.ts'

/** Single jobs: asks the partition of each. */
export function spanJobs(spread: Spread<JobRecords>): JobRecords {
  const spanned: Members<JobRecords> = {
    read: (jobId, queueName) => spread.of(jobId).read(jobId, queueName),
    dossier: (jobId, queueName) => spread.of(jobId).dossier(jobId, queueName),
    examine: async (members, wants) => {
      const found = await spread.groups(members, jobIdOf, (part, own) => part.examine(own, wants))
      return inOrder(members.map(jobIdOf), found.flat())
    },
    examineAgain: async (queueName, jobIds) => {
      const found = await spread.groups(jobIds, itself, (part, own) => part.examineAgain(queueName, own))
      return inOrder(jobIds, found.flat())
    },
    readResult: (jobId, queueName) => spread.of(jobId).readResult(jobId, queueName),
    results: () => chained(spread.all.map((part) => part.results())),
    queuesOf: async (jobIds, queueNames) => {
      const found = await spread.groups(jobIds, itself, (part, own) => part.queuesOf(own, queueNames))
      return new Map(found.flatMap((names) => [...names]))
    },
    placesIn: async (jobIds, queueNames) => {
      const found = await spread.groups(jobIds, itself, (part, own) => part.placesIn(own, queueNames))
      return inOrder(jobIds, found.flat())
    },
    remove: (queueName, jobIds, how) => spread.aligned(jobIds, itself, (part, own) => part.remove(queueName, own, how)),
    move: (queueName, toQueue, jobIds, dueMs) =>
      spread.aligned(jobIds, itself, (part, own) => part.move(queueName, toQueue, own, dueMs)),
    free: async (queueName, jobs) =>
      sumOf(await spread.groups(jobs, jobIdOf, (part, own) => part.free(queueName, own))),
    dropCounters: async (jobIds) => sumOf(await spread.groups(jobIds, itself, (part, own) => part.dropCounters(own))),
    staleAborts: (queueNames) => spread.concat((part) => part.staleAborts(queueNames)),
    dropAborts: async (jobIds) => sumOf(await spread.groups(jobIds, itself, (part, own) => part.dropAborts(own))),
    readTrace: (jobId) => spread.of(jobId).readTrace(jobId),
    recordError: (jobId, error, ttlMs) => spread.of(jobId).recordError(jobId, error, ttlMs),
    lastErrors: (jobIds) => spread.aligned(jobIds, itself, (part, own) => part.lastErrors(own)),
  }
  return spanned as JobRecords
}

/** Pages of jobs in the order of all partitions. */
export function spanJobPages(spread: Spread<JobPages>): JobPages {
  const spanned: Members<JobPages> = {
    members: async (queueName, range, after, limit) => {
      const found = await spread.concat((part) => part.members(queueName, range, after, limit))
      const bytes = new Map(found.map(({ jobId }) => [jobId, Buffer.from(sendId(jobId))]))
      const order = (a: (typeof found)[number], b: (typeof found)[number]) =>
        Number(a.place) - Number(b.place) || Buffer.compare(bytes.get(a.jobId)!, bytes.get(b.jobId)!)
      return found.sort(order).slice(0, limit)
    },
    deadOffset: (after) => spread.sum((part) => part.deadOffset(after)),
    places: (queueName, jobIds) => spread.aligned(jobIds, itself, (part, own) => part.places(queueName, own)),
    size: (queueNames, withDead) => spread.sum((part) => part.size(queueNames, withDead)),
    count: (queueNames, range) => spread.sum((part) => part.count(queueNames, range)),
    dueBy: async (queueName, timesMs) => {
      const counts = await spread.each((part) => part.dueBy(queueName, timesMs))
      return timesMs.map((_, i) => sumOf(counts.map((each) => each[i]!)))
    },
    // The cursor names the partition, then the place in its scan.
    results: async (cursor, idPrefix) => {
      const [, at = '0', inner = ''] = /^(\d+)@(.*)$/.exec(cursor ?? '') ?? []
      const part = spread.all[Number(at)]
      if (!part) return { entries: [], cursor: null }
      const step = await part.results(inner === '' ? null : inner, idPrefix)
      const next = Number(at) + 1
      if (step.cursor !== null) return { ...step, cursor: `${at}@${step.cursor}` }
      return { ...step, cursor: next < spread.all.length ? `${next}@` : null }
    },
  }
  return spanned as JobPages
}

export function spanFrozenJobs(spread: Spread<FrozenJobs>): FrozenJobs {
  const spanned: Members<FrozenJobs> = {
    take: (queueName, jobs, mode) => spread.aligned(jobs, jobIdOf, (part, own) => part.take(queueName, own, mode)),
    putBack: (queueName, remains) => spread.of(remains.jobId).putBack(queueName, remains),
    reschedule: (queueName, jobs) => spread.aligned(jobs, jobIdOf, (part, own) => part.reschedule(queueName, own)),
  }
  return spanned as FrozenJobs
}

export function spanHolds(spread: Spread<Holds>): Holds {
  const spanned: Members<Holds> = {
    endlessAmong: async (jobIds) => (await spread.groups(jobIds, itself, (part, own) => part.endlessAmong(own))).flat(),
    drop: async (jobIds) => sumOf(await spread.groups(jobIds, itself, (part, own) => part.drop(own))),
  }
  return spanned as Holds
}

/** A unique key lies with its job: `newId` draws the id in the partition of the key, and callers can give none. */
export function spanUniqueJobs(spread: Spread<UniqueJobs>): UniqueJobs {
  const spanned: Members<UniqueJobs> = {
    enqueue: (call, rules, endedWell) => spread.of(rules.key).enqueue(call, rules, endedWell),
    ownerOf: (key) => spread.of(key).ownerOf(key),
  }
  return spanned as UniqueJobs
}

/** Found jobs in the order of the ids that were asked for; several of one id stay together. */
function inOrder<T extends { jobId: string }>(jobIds: readonly string[], found: readonly T[]): T[] {
  const at = new Map(jobIds.map((id, i) => [id, i]))
  return [...found].sort((a, b) => at.get(a.jobId)! - at.get(b.jobId)!)
}
