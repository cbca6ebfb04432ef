import { DecodeError, EncodeError } from '@arq-ts/core'
import type { Client, Job } from '@arq-ts/core'
import type { Newer, Pending } from './plan.ts'
import { decode, encode } from './value.ts'

const PREFIX = 'write-behind:'

/** Request of a job that persists a key. */
export interface JobRequest {
  epoch: number
  value: unknown
  /** `module:name`. */
  persister: string
  delayMs: number
  /** Default: the client's. */
  queueName?: string
}

/** The job that persists a key's writes of one epoch. */
export function persistJobId(key: string, epoch: number): string {
  return `${PREFIX}${epoch}:${key}`
}

/** The epoch of a job of ours; null for a job that Python enqueued, which has its value from its arguments only. */
export function epochOf(jobId: string): number | null {
  const found = jobId.startsWith(PREFIX) ? /^\d+(?=:)/.exec(jobId.slice(PREFIX.length)) : null
  return found && Number(found[0])
}

/** For a job that must not join another. */
export function freshEpoch(): number {
  return Date.now() * 1_000 + Math.floor(Math.random() * 1_000)
}

/** Null when the id is taken. */
export function enqueuePersist(client: Client, key: string, request: JobRequest): Promise<Job | null> {
  const { epoch, value, persister, delayMs, queueName } = request
  const [persist_func_module, persist_func_name] = persister.split(':')
  return client.enqueue('persist_cache', [], {
    jobId: persistJobId(key, epoch),
    deferByMs: delayMs,
    ...(queueName === undefined ? {} : { queueName }),
    kwargs: { key, value, persist_func_module, persist_func_name, delay: delayMs / 1_000 },
  })
}

/** Asks for the job of an epoch, which others may have asked for before. */
export async function ensurePersist(client: Client, key: string, request: JobRequest): Promise<void> {
  if (await enqueuePersist(client, key, request)) return
  // The id is taken: by the job that is meant, or by one that ended without taking what waits (aborted, say).
  const { queueName } = request
  const job = client.job(persistJobId(key, request.epoch), queueName === undefined ? {} : { queueName })
  if ((await job.status()) === 'complete') await enqueuePersist(client, key, { ...request, epoch: freshEpoch() })
}

/** Asks for the job that brings what waits for a key. */
export async function bringPending(
  client: Client,
  key: string,
  { epoch, pending, delayMs }: Omit<Newer, 'kind'>,
  queueName?: string,
): Promise<void> {
  const { persister } = pending
  const request = { epoch, persister, delayMs, ...(queueName === undefined ? {} : { queueName }) }
  try {
    await ensurePersist(client, key, { ...request, value: decode(pending.value) })
  } catch (error) {
    if (!(error instanceof EncodeError || error instanceof DecodeError)) throw error
    // Persisted is what waits, whatever the job brings; but its dead letter could not show it.
    await ensurePersist(client, key, { ...request, value: null })
  }
}

/** Returns true where a job's arguments hold the pending value, so that a dead letter of it would show that value. */
export function carriesPending(value: unknown, persister: string, pending: Pending): boolean {
  if (persister !== pending.persister) return false
  try {
    // Each in its own codec on the way here: compared in the one that carries what all of them do.
    return Buffer.from(encode(value, 'pickle')).equals(encode(decode(pending.value), 'pickle'))
  } catch {
    return false
  }
}
