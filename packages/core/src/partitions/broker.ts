import type { Broker, Claim } from '../redis/broker.ts'
import type { Faults } from '../redis/faults.ts'
import { BoundedCalls, withAnswerLimit } from './bounded-calls.ts'
import { itself, jobIdOf, sumOf } from './spread.ts'
import type { Members, Spread } from './spread.ts'

/** A queue of one partition, where a worker looks for work. */
export interface Place {
  partition: number
  queueName: string
}

/**
 * The hot path over partitions. It splits a call by the partitions of its jobs; each part is the same call as in a
 * namespace without partitions. Calls that look for work name a place.
 */
export function spanBroker(spread: Spread<Broker>, placeOf: (name: string) => Place): Broker {
  const { all, home } = spread
  const bounded = new BoundedCalls<string>()
  const at = (name: string) => {
    const { partition, queueName } = placeOf(name)
    return { part: all[partition]!, queueName }
  }
  const spanned: Members<Broker> = {
    keys: home.keys,
    connection: home.connection,
    clock: home.clock,
    hasKeyspaceListeners: true,
    faults: spanFaults(all.map((part) => part.faults)),
    dueJobs: home.dueJobs,
    // A worker of several partitions takes no hand-offs.
    waiting: home.waiting,

    enqueue: (calls, how) => spread.aligned(calls, jobIdOf, (part, own) => part.enqueue(own, how)),
    // A node that is away must not hold up the other nodes. Reservations in a late answer lapse by themselves.
    reserve: (name, want, passOver, signal) => {
      const { part, queueName } = at(name)
      const none = () => ({ jobIds: [], nextDueMs: null, nowMs: home.clock.now() })
      return bounded.ask(name, () => part.reserve(queueName, want, passOver, signal), none)
    },
    unreserve: (name, jobIds) => {
      const { part, queueName } = at(name)
      return part.unreserve(queueName, jobIds)
    },
    claim: (name, jobIds, how) => {
      const { part, queueName } = at(name)
      return withAnswerLimit(how.signal, (signal) => part.claim(queueName, jobIds, { ...how, signal }))
    },
    claimAborted: async (queueName, how) => {
      const claims: Claim[] = []
      for (const part of all) claims.push(...(await part.claimAborted(queueName, how)))
      return claims
    },
    setTry: (claim, jobTry) => spread.of(claim.jobId).setTry(claim, jobTry),
    renew: (renewals, signal) => spread.aligned(renewals, jobIdOf, (part, own) => part.renew(own, signal)),
    finish: (queueName, endings) => spread.aligned(endings, jobIdOf, (part, own) => part.finish(queueName, own)),
    reschedule: (returns) => spread.aligned(returns, jobIdOf, (part, own) => part.reschedule(own)),
    requestAbort: (jobId, queueName, ms) => spread.of(jobId).requestAbort(jobId, queueName, ms),
    abortRequests: async (jobIds, signal) => {
      const found = await spread.groups(jobIds, itself, (part, own) => part.abortRequests(own, signal))
      return new Map(found.flatMap((requests) => [...requests]))
    },
    syncClock: (ms, signal) => home.syncClock(ms, signal),
  }
  return spanned as Broker
}

/** The faults of all partitions, counted together. */
function spanFaults(all: readonly Faults[]): Faults {
  const home = all[0]!
  const spanned: Members<Faults> = {
    get counts() {
      return new Map(
        [...home.counts.keys()].map((kind) => [kind, sumOf(all.map((each) => each.counts.get(kind) ?? 0))]),
      )
    },
    listen: (listener) => all.forEach((each) => each.listen(listener)),
    report: (fault) => home.report(fault),
    backoffMs: (jobId) => home.backoffMs(jobId),
    forget: (jobs) => all.forEach((each) => each.forget(jobs)),
  }
  return spanned as Faults
}
