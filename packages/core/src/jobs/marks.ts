/** Reads the fields that capabilities of arq-ts add to arq's in a payload. Pure. Trusts nothing: anybody may write a payload. */

import type { JobRecord } from '@arq-ts/protocol/jobs'

/** The marks of capabilities in one payload. */
export interface JobMarks {
  /** Metadata of middleware; null where there is none. */
  metadata: Readonly<Record<string, unknown>> | null
  /** The schedule that enqueued the job; null where none did. */
  schedule: string | null
  /** The flow whose member it is; null where it is in none. */
  flow: { flowId: string; member: string } | null
  /** The key under which it was enqueued as unique; null where there is none. */
  uniqueKey: string | null
}

/** The marks in a payload; all null for a payload from Python. */
export function marksIn({ mark }: Partial<Pick<JobRecord, 'mark'>>): JobMarks {
  const { metadata, schedule, flow, lock, unique } = mark ?? {}
  return {
    metadata: mapIn(metadata),
    schedule: textIn(schedule),
    flow: flowIn(flow),
    uniqueKey: textIn(unique) ?? textIn(lock),
  }
}

function flowIn(value: unknown): JobMarks['flow'] {
  const { id, member } = mapIn(value) ?? {}
  return typeof id === 'string' && typeof member === 'string' ? { flowId: id, member } : null
}

function mapIn(value: unknown): Readonly<Record<string, unknown>> | null {
  const isMap = Object.prototype.toString.call(value) === '[object Object]'
  return isMap ? (value as Readonly<Record<string, unknown>>) : null
}

function textIn(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}
