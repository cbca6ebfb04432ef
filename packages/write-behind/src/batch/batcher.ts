import { randomUUID } from 'node:crypto'
import type { Logger } from '@arq-ts/core'
import { asError } from '@arq-ts/protocol/errors'
import type { BatchPersister, BatchWrite, Persisters } from '../options.ts'
import { batchPersisterOf } from '../allow-list.ts'
import { endOf } from '../end-of.ts'
import type { Newer, Pending } from '../plan.ts'
import type { Snapshot, Store } from '../store.ts'
import { persistJobId } from '../jobs.ts'
import { decode } from '../value.ts'
import { persistApart } from './persist-apart.ts'

/** Batches in a row that one job may set off: a paused queue sets off no more. */
const BATCHES_PER_JOB = 20
/** Bound on the search past the head of the dirty keys for some that fit into a batch, in batches. */
const MAX_PAGES = 4
/** Time a key that failed in a batch is left to its own job. */
const APART_MS = 60_000
/** Time batches rest when the store takes nothing; doubled with each time. */
const MIN_REST_MS = 1_000
const MAX_REST_MS = 30_000
const REMOVALS_AT_ONCE = 100

/** Dependencies of a batcher. */
export interface BatcherOptions {
  store: Store
  persisters: Persisters
  size: number
  timeoutMs: number
  lockMs: number
  /** Milliseconds; how long a persister may take to end once its signal has fired. */
  graceMs: number
}

/** Parts of a job that the batches it starts use. */
export interface Host {
  signal: AbortSignal
  log: Logger
  /** Asks for the job that brings a value, unless it was asked for. */
  bring: (key: string, newer: Newer) => Promise<void>
  /** Removes a job that has nothing left to do, unless it runs. */
  remove: (jobId: string, queueName: string) => Promise<unknown>
}

/** Keys that are persisted together. */
interface Batch {
  /** Keys that jobs wait for, and the callbacks of those jobs. */
  wanted: ReadonlyMap<string, ((version: number | null) => void)[]>
  token: string
  taken: Map<string, Pending>
  /** The job that was asked for a key, where it is known. */
  jobs: Map<string, { epoch: number; queueName: string }>
  known: Snapshot | undefined
}

/**
 * Persists what is due in batches, ahead of the jobs of the keys: the first job takes many keys along, and the jobs of
 * those keys find nothing to do when they come.
 *
 * idle → taking a batch (keys that jobs wait for, and keys that are due) → persisting it, and meanwhile taking the next and
 * noting the one before, until nothing is due → removing jobs that have nothing left to do → idle; resting after a store that took nothing; closed.
 *
 * A batch owns its keys as a flush does, and never decides that a value failed for good: a key that fails in a batch is
 * left to its own job, which persists it alone, with its tries and its dead letter.
 */
export class Batcher {
  readonly #options: BatcherOptions
  /** Keys that jobs wait for, and what they receive: the version that was persisted, or null. */
  readonly #wanted = new Map<string, ((version: number | null) => void)[]>()
  /** Keys that failed in a batch, and until when (ms of this process) they are left alone. */
  readonly #apart = new Map<string, number>()
  /** Keys of the batches at work. */
  readonly #inFlight = new Set<string>()
  /** Ends the batch at work. */
  #cut: AbortController | undefined
  #isClosed = false
  #running: Promise<void> | undefined
  /** Jobs of keys that batches have persisted: their queues, by id. */
  readonly #done = new Map<string, string>()
  #batchesLeft = 0
  #restMs = MIN_REST_MS
  #restUntil = 0

  constructor(options: BatcherOptions) {
    this.#options = options
  }

  /**
   * Has a key persisted with others that are due. Gives the version that was persisted; null where a batch did not
   * persist it, for whatever reason: the caller persists it alone then. Never throws.
   */
  async join(key: string, reference: string, host: Host): Promise<number | null> {
    const now = performance.now()
    const isApart = (this.#apart.get(key) ?? 0) > now
    const isBatched = batchPersisterOf(this.#options.persisters, reference) !== undefined
    if (!isBatched || isApart || now < this.#restUntil || this.#isClosed || host.signal.aborted) return null
    return new Promise((resolve) => {
      this.#wanted.set(key, [...(this.#wanted.get(key) ?? []), resolve])
      host.signal.addEventListener('abort', () => resolve(null), { once: true })
      this.#batchesLeft = BATCHES_PER_JOB
      this.#running ??= this.#run(host)
    })
  }

  /** Waits while batches are at work: what a job has come for is most likely among what they persist. */
  async idle(signal: AbortSignal): Promise<void> {
    if (!this.#running) return
    const cut = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    await Promise.race([this.#running, cut])
  }

  /** Begins no more batches, and waits for the one at work; its persister may end within the grace. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#batchesLeft = 0
    this.#cut?.abort(new Error('the worker stops'))
    await this.#running
  }

  async #run(host: Host): Promise<void> {
    // Jobs that start in the same turn are taken together.
    await new Promise((resolve) => setImmediate(resolve))
    let [stored, noted, notedBefore]: Promise<unknown>[] = [undefined, undefined, undefined].map(() =>
      Promise.resolve(),
    )
    // Whoever joins up to the last look is served: nothing may come between that look and the end of the run.
    do {
      const batch = await this.#take(host)
      // While the store has one batch, the next is taken from Redis and the one before is noted there, and no others.
      await Promise.all([stored, notedBefore])
      notedBefore = noted
      const storing = this.#persist(batch.taken, host)
      noted = this.#finish(batch, storing, host)
      stored = storing.catch(() => {}) // for the one who notes it
      if (this.#wanted.size === 0 && this.#batchesLeft <= 0) {
        await Promise.all([notedBefore, noted])
        if (this.#wanted.size === 0) await this.#removeDone(host)
      }
    } while (this.#wanted.size > 0 || this.#batchesLeft > 0)
    await Promise.all([notedBefore, noted])
    if (this.#wanted.size > 0) return this.#run(host)
    this.#running = undefined
  }

  /** Takes keys for a batch: those that jobs wait for, filled up with others that are due. */
  async #take(host: Host): Promise<Batch> {
    const { lockMs, store } = this.#options
    const wanted = new Map([...this.#wanted].slice(0, this.#options.size))
    for (const key of wanted.keys()) this.#wanted.delete(key)
    this.#batchesLeft--
    const batch: Batch = { wanted, token: randomUUID(), taken: new Map(), jobs: new Map(), known: undefined }
    try {
      const keys = this.#isClosed ? [] : await this.#gather([...wanted.keys()])
      if (keys.length < 2) return batch // alone it is not better off here than with its own job
      const { after, outcomes } = await store.applyMany(keys, (key, { askedIn, epoch, lock, pending }, nowUs) => {
        if (askedIn !== null) batch.jobs.set(key, { epoch, queueName: askedIn })
        const isFree = (lock?.untilUs ?? 0) <= nowUs
        const isOurs = pending && isFree && batchPersisterOf(this.#options.persisters, pending.persister)
        return isOurs ? { kind: 'begin', token: batch.token, jobId: null, lockMs } : null
      })
      for (const [key, outcome] of outcomes) if (outcome.kind === 'persist') batch.taken.set(key, outcome.pending)
      for (const key of batch.taken.keys()) this.#inFlight.add(key)
      batch.known = after
    } catch (error) {
      host.log.warn({ err: error }, 'a batch of values could not be taken from Redis; each is tried alone')
    }
    return batch
  }

  /** Records a batch once the store has taken it, and notifies the jobs that wait. Never throws. */
  async #finish(batch: Batch, storing: Promise<Map<string, Error>>, host: Host): Promise<void> {
    const { taken, wanted } = batch
    let persisted = new Map<string, number>()
    try {
      if (taken.size > 0) persisted = await this.#note(batch, storing, host)
    } catch (error) {
      host.log.warn({ err: error }, 'a batch of values was not noted in Redis; each is tried alone')
    }
    if (persisted.size === 0) this.#batchesLeft = 0
    for (const key of taken.keys()) this.#inFlight.delete(key)
    for (const [key, resolves] of wanted) for (const resolve of resolves) resolve(persisted.get(key) ?? null)
  }

  /** The versions that were persisted, by key. */
  async #note(batch: Batch, storing: Promise<Map<string, Error>>, host: Host): Promise<Map<string, number>> {
    const { jobs, taken, token, wanted } = batch
    const { lockMs, store } = this.#options
    const renew = async () => {
      const event = { kind: 'renew', token, lockMs } as const
      const { after } = await store.applyMany([...taken.keys()], () => event, batch.known ? { known: batch.known } : {})
      batch.known = after
    }
    // One that fails is followed by the next.
    const renewing = setInterval(() => void renew().catch(() => {}), lockMs / 3)
    const failed = await storing.finally(() => clearInterval(renewing))
    const persisted = new Map<string, number>()
    const settle = async (keys: readonly string[], isDurable: boolean) => {
      const eventOf = (key: string) => {
        const { version } = taken.get(key)!
        if (isDurable) return { kind: 'persisted', token, version, mayGoOn: false } as const
        return { kind: 'failed', token, version, error: 'left to its own job', then: 'leave' } as const
      }
      const counted = isDurable ? 'persisted' : 'failures'
      const { outcomes } = await store.applyMany(keys, eventOf, {
        counted,
        ...(batch.known ? { known: batch.known } : {}),
      })
      for (const key of keys) {
        const outcome = outcomes.get(key) ?? (await store.apply(key, eventOf(key)))
        if (outcome.kind === 'newer') await host.bring(key, outcome)
        if (!isDurable) continue
        persisted.set(key, taken.get(key)!.version)
        const job = jobs.get(key)
        // One that a job waits for here runs.
        if (job && !wanted.has(key)) this.#done.set(persistJobId(key, job.epoch), job.queueName)
      }
    }
    await settle(
      [...taken.keys()].filter((key) => !failed.has(key)),
      true,
    )
    await settle([...failed.keys()], false)
    return persisted
  }

  /** Each of these jobs would be claimed, find nothing to do, and be settled. */
  async #removeDone({ remove }: Host): Promise<void> {
    const jobs = [...this.#done]
    this.#done.clear()
    const lanes = Array.from({ length: REMOVALS_AT_ONCE }, async () => {
      for (let job = jobs.pop(); job; job = jobs.pop()) await remove(...job)
    })
    await Promise.all(lanes).catch(() => {}) // it runs, then, and finds nothing to do
  }

  /** The keys that jobs wait for, filled up with others that are due. */
  async #gather(wanted: readonly string[]): Promise<string[]> {
    const { size, store } = this.#options
    const keys = new Set(wanted.filter((key) => !this.#inFlight.has(key)))
    const now = performance.now()
    for (const [key, until] of this.#apart) if (until <= now) this.#apart.delete(key)
    // Keys of batches at work stay at the head until they are noted.
    const limit = size + this.#inFlight.size
    for (let page = 0; page < MAX_PAGES && keys.size < size; page++) {
      const due = await store.due({ offset: page * limit, limit })
      for (const key of due) if (keys.size < size && !this.#apart.has(key) && !this.#inFlight.has(key)) keys.add(key)
      if (due.length < limit) break
    }
    return [...keys]
  }

  /** Runs the persisters of a batch concurrently; returns the errors of the keys that failed. */
  async #persist(taken: ReadonlyMap<string, Pending>, host: Host): Promise<Map<string, Error>> {
    const failed = new Map<string, Error>()
    if (taken.size === 0) return failed
    const groups = new Map<BatchPersister, BatchWrite[]>()
    for (const [key, { persister, value, version }] of taken) {
      const persistMany = batchPersisterOf(this.#options.persisters, persister)!
      try {
        const write = { key, value: decode(value), version }
        const group = groups.get(persistMany)
        if (group) group.push(write)
        else groups.set(persistMany, [write])
      } catch (error) {
        failed.set(key, asError(error))
      }
    }
    const { graceMs, timeoutMs } = this.#options
    const cut = new AbortController()
    this.#cut = cut
    if (this.#isClosed) cut.abort(new Error('the worker stops'))
    const late = new Error(`the batch took longer than ${timeoutMs} ms`)
    const timer = setTimeout(() => cut.abort(late), timeoutMs)
    const { signal } = cut
    await Promise.all(
      [...groups].map(async ([persistMany, writes]) => {
        const call = (some: readonly BatchWrite[]) => endOf(signal, graceMs, () => persistMany(some, { signal }))
        const apart = await persistApart(call, writes, signal).catch((thrown: unknown) => ({
          failed: new Map(writes.map(({ key }) => [key, asError(thrown)])),
          isDown: false,
        }))
        for (const [key, error] of apart.failed) failed.set(key, error)
        this.#rest(apart.isDown)
      }),
    )
    clearTimeout(timer)
    this.#cut = undefined
    if (!this.#isClosed) this.#leaveAlone(failed, host)
    return failed
  }

  #leaveAlone(failed: ReadonlyMap<string, Error>, host: Host): void {
    if (failed.size === 0) return
    const until = performance.now() + APART_MS
    for (const key of failed.keys()) this.#apart.set(key, until)
    const [[key, error]] = failed as unknown as [[string, Error]]
    host.log.warn(
      { err: error },
      `${failed.size} values could not be persisted in a batch, '${key}' first; each is tried alone`,
    )
  }

  #rest(isDown: boolean): void {
    if (isDown) {
      this.#restUntil = performance.now() + this.#restMs
      this.#batchesLeft = 0
    }
    this.#restMs = isDown ? Math.min(this.#restMs * 2, MAX_REST_MS) : MIN_REST_MS
  }
}
