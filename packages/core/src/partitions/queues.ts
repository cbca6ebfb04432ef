import { WrongType } from '../redis/calls.ts'
import type { DamagedKeys } from '../redis/damage.ts'
import type { DeadLetterRecords, StoredDeadLetter } from '../redis/dead-letters.ts'
import type { KeySurvey } from '../redis/key-survey.ts'
import type { QueueCounts, QueueRecords } from '../redis/queues.ts'
import type { FoundQueues } from '../redis/key-survey.ts'
import { PAGE } from '../redis/calls.ts'
import { BoundedCalls } from './bounded-calls.ts'
import { chained, itself, leastOf, merged, sumOf } from './spread.ts'
import type { Members, Spread } from './spread.ts'

/** Queues as a whole: one queue is a sorted set in each partition. */
export function spanQueues(spread: Spread<QueueRecords>): QueueRecords {
  const { all, home } = spread
  const spanned: Members<QueueRecords> = {
    remembered: () => home.remembered(),
    remember: (queueNames) => home.remember(queueNames),
    noted: () => home.noted(),
    note: (queueName) => home.note(queueName),
    forgetNoted: (found) => home.forgetNoted(found),
    paused: async () => [...new Set(await spread.concat((part) => part.paused()))],
    pause: async (queueName) => (await spread.each((part) => part.pause(queueName))).some(Boolean),
    resume: async (queueName) => (await spread.each((part) => part.resume(queueName))).some(Boolean),
    exists: async (queueName) => (await spread.each((part) => part.exists(queueName))).some(Boolean),
    size: (queueNames) => spread.sum((part) => part.size(queueNames)),
    due: async (queueNames, nowMs) => {
      const found = await spread.each((part) => part.due(queueNames, nowMs))
      return { count: sumOf(found.map(({ count }) => count)), nextMs: leastOf(found.map(({ nextMs }) => nextMs)) }
    },
    members: (queueName, range, pageSize) =>
      merged(
        all.map((part) => part.members(queueName, range, pageSize)),
        (a, b) => a.score - b.score,
        pageSize ?? PAGE,
      ),
    counts: async (queueName, leaseMs) => together(await spread.each((part) => part.counts(queueName, leaseMs))),
    purge: async (queueName, onProgress) => {
      let before = 0
      for (const part of all) before += await part.purge(queueName, (removed) => onProgress?.(before + removed))
      return before
    },
  }
  return spanned as QueueRecords
}

/** The number of members of queues for a health line; counts the last known number for a partition whose node is away. */
export function roughSize(spread: Spread<QueueRecords>): (queueNames: readonly string[]) => Promise<number> {
  const bounded = new BoundedCalls<QueueRecords>()
  const known = new Map<QueueRecords, number>()
  return (queueNames) =>
    spread.sum(async (part) => {
      const size = await bounded.ask(
        part,
        () => part.size(queueNames),
        () => known.get(part) ?? 0,
      )
      known.set(part, size)
      return size
    })
}

function together(counts: readonly QueueCounts[]): QueueCounts {
  const sum = (of: (each: QueueCounts) => number) => sumOf(counts.map(of))
  return {
    total: sum(({ total }) => total),
    due: sum(({ due }) => due),
    runningDue: sum(({ runningDue }) => runningDue),
    runningLater: sum(({ runningLater }) => runningLater),
    exact: counts.every(({ exact }) => exact),
    readable: counts.every(({ readable }) => readable),
    oldestDueMs: leastOf(counts.map(({ oldestDueMs }) => oldestDueMs)),
    nextDueMs: leastOf(counts.map(({ nextDueMs }) => nextDueMs)),
    paused: counts.some(({ paused }) => paused),
    ended: {
      complete: sum(({ ended }) => ended.complete),
      failed: sum(({ ended }) => ended.failed),
      aborted: sum(({ ended }) => ended.aborted),
    },
    damaged: counts.flatMap(({ damaged }) => damaged),
  }
}

/** Dead letters, the newest of all partitions first. */
export function spanDeadLetters(spread: Spread<DeadLetterRecords>): DeadLetterRecords {
  const bounded = new BoundedCalls<DeadLetterRecords>()
  const headers = async (offset: number, limit: number) => {
    const found = await spread.concat((part) => part.headers(0, offset + limit))
    return found.sort(newestFirst).slice(offset, offset + limit)
  }
  const spanned: Members<DeadLetterRecords> = {
    headers,
    page: async (offset, limit, wants) => {
      const places = await headers(offset, limit)
      const wanted = wants ? places.filter(wants) : places
      const letters = await Promise.all(
        wanted.map(async (each) => (await spread.of(each.jobId).read(each.jobId)) ?? each),
      )
      return { letters, looked: places.length }
    },
    read: (jobId) => spread.of(jobId).read(jobId),
    count: () => spread.sum((part) => part.count()),
    countByQueue: async () => {
      const counts = new Map<string, number>()
      for (const part of await spread.each((each) => each.countByQueue()))
        for (const [name, count] of part) counts.set(name, (counts.get(name) ?? 0) + count)
      return counts
    },
    purge: async (jobIds) => sumOf(await spread.groups(jobIds, itself, (part, own) => part.purge(own))),
    // Each partition keeps its share, since no call counts the letters of all.
    trim: ({ maxAgeMs, maxCount }) => {
      const share = { maxAgeMs, maxCount: Math.ceil(maxCount / spread.all.length) }
      return spread.sum((part) =>
        bounded.ask(
          part,
          () => part.trim(share),
          () => 0,
        ),
      )
    },
    replay: (jobId, ...rest) => spread.of(jobId).replay(jobId, ...rest),
    add: (queueName, jobId, ...rest) => spread.of(jobId).add(queueName, jobId, ...rest),
  }
  return spanned as DeadLetterRecords
}

function newestFirst(a: StoredDeadLetter, b: StoredDeadLetter): number {
  return b.failedAtMs - a.failedAtMs || (a.jobId < b.jobId ? 1 : -1)
}

/** Scans the keys of all partitions, one after the other: each scan covers the whole database. */
export function spanSurvey(spread: Spread<KeySurvey>): KeySurvey {
  const spanned: Members<KeySurvey> = {
    queues: async (bounds, only) => foundIn(await spread.each((part) => part.queues(bounds, only))),
    all: async (bounds, onProgress) => {
      const found = []
      for (const part of spread.all) found.push(await part.all(bounds, onProgress))
      return {
        ...foundIn(found),
        damaged: found.flatMap(({ damaged }) => damaged),
        endlessHolds: found.flatMap(({ endlessHolds }) => endlessHolds),
      }
    },
    held: () => chained(spread.all.map((part) => part.held())),
    size: () => spread.home.size(),
  }
  return spanned as KeySurvey
}

function foundIn(found: readonly FoundQueues[]): FoundQueues {
  return {
    names: [...new Set(found.flatMap(({ names }) => names))],
    complete: found.every(({ complete }) => complete),
    looked: Math.max(...found.map(({ looked }) => looked)),
  }
}

/** Damaged keys; the prefix of a key names its partition. */
export function spanDamagedKeys(spread: Spread<{ prefix: string; damaged: DamagedKeys }>): DamagedKeys {
  const within =
    (prefix: string) =>
    ({ key }: { key: string }) =>
      key.startsWith(prefix)
  const spanned: Members<DamagedKeys> = {
    among: (answers) => {
      const broken = answers.filter((answer) => answer instanceof WrongType)
      return spread.concat(({ damaged, prefix }) => damaged.among(broken.filter(within(prefix))))
    },
    find: (queueNames, suspects) =>
      spread.concat(({ damaged, prefix }) => damaged.find(queueNames, suspects.filter(within(prefix)))),
    putAside: (broken) => spread.sum(({ damaged, prefix }) => damaged.putAside(broken.filter(within(prefix)))),
    amongQueues: (queueNames) => spread.concat(({ damaged }) => damaged.amongQueues(queueNames)),
    typesOf: (keys) =>
      spread.concat(({ damaged, prefix }) => damaged.typesOf(keys.filter((key) => key.startsWith(prefix)))),
  }
  return spanned as DamagedKeys
}
