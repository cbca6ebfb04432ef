import { randomUUID } from 'node:crypto'
import { encodeJob } from '@arq-ts/protocol/jobs'
import type { CodecName, JobRecord } from '@arq-ts/protocol/jobs'
import type { PayloadLimits } from '@arq-ts/protocol'

/** The id of a tick's job. */
export function tickJobId(name: string, tickMs: number): string {
  return `${name}:${tickMs}`
}

/** The payload of a schedule's job that is enqueued now: what was put, with the time of this enqueue. */
export function payloadOf(job: JobRecord, codec: CodecName, nowMs: number, limits: PayloadLimits): Buffer {
  return encodeJob({ ...job, enqueueTimeMs: nowMs }, codec, limits)
}

/** A name for a version of a schedule. A removed schedule that is put again has no version twice. */
export function newRevision(): string {
  return randomUUID()
}
