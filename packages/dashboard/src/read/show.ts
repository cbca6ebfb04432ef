import { repr } from '@arq-ts/core'
import type { JobDetails, PagedJob } from '@arq-ts/core'
import { reprCall, showJson } from '@arq-ts/protocol/show'
import type { JobRow, ShownValue } from '../api/types.ts'
import type { RedactedValue } from '../options.ts'

const MAX_TEXT = 64 * 1024
const MAX_CALL = 16 * 1024
const MAX_ROW_CALL = 200
const MAX_ROW_ERROR = 300

/** Applies the redaction hook. A hook that throws hides the value: what cannot be judged is not shown. */
export class Redaction {
  readonly #hook: ((value: RedactedValue) => unknown) | undefined

  constructor(hook: ((value: RedactedValue) => unknown) | undefined) {
    this.#hook = hook
  }

  apply(value: RedactedValue): { value: unknown; redacted: boolean } {
    if (!this.#hook) return { value: value.value, redacted: false }
    try {
      const shown = this.#hook(value)
      return { value: shown, redacted: shown !== value.value }
    } catch {
      return { value: '<redaction failed>', redacted: true }
    }
  }

  /** The same for an error, which stays one line. */
  error(job: Omit<RedactedValue, 'kind' | 'value'>, error: string | null): string | null {
    if (error === null) return null
    return this.#text({ ...job, kind: 'error', value: error })
  }

  /** The same for a line of a job's log, its fields included. */
  log(job: Omit<RedactedValue, 'kind' | 'value'>, line: string): string {
    return this.#text({ ...job, kind: 'log', value: line })
  }

  #text(line: RedactedValue): string {
    const { value } = this.apply(line)
    return typeof value === 'string' ? value : repr(value, MAX_ROW_ERROR)
  }
}

/** Arguments after redaction, whatever the hook gives. */
export function argumentsOf(
  redaction: Redaction,
  job: Omit<RedactedValue, 'kind' | 'value'>,
  call: { args: readonly unknown[]; kwargs: Readonly<Record<string, unknown>> },
): {
  args: readonly unknown[]
  kwargs: Readonly<Record<string, unknown>>
  redacted: { args: boolean; kwargs: boolean }
} {
  const args = redaction.apply({ ...job, kind: 'args', value: call.args })
  const kwargs = redaction.apply({ ...job, kind: 'kwargs', value: call.kwargs })
  const isRecord = typeof kwargs.value === 'object' && kwargs.value !== null && !Array.isArray(kwargs.value)
  return {
    args: Array.isArray(args.value) ? (args.value as unknown[]) : [args.value],
    kwargs: isRecord ? (kwargs.value as Record<string, unknown>) : { '…': kwargs.value },
    redacted: { args: args.redacted, kwargs: kwargs.redacted },
  }
}

/** A value within its bounds, in the words of the language that wrote it. */
export function shown(value: unknown, codec: JobDetails['codec'], redacted: boolean): ShownValue {
  const text = showJson(value, { maxLength: MAX_TEXT })
  const isPython = codec === 'pickle' || codec === null
  const cut = text.includes('"$cut"')
  return {
    text: isPython ? repr(value, MAX_TEXT) : text.slice(0, 2 * MAX_TEXT),
    language: isPython ? 'python' : 'json',
    json: text.length > 4 * MAX_TEXT ? null : (JSON.parse(text) as unknown),
    cut: cut || text.length > 4 * MAX_TEXT,
    redacted,
  }
}

/** A call as Python writes it. */
export function callText(
  functionName: string | null,
  call: { args: readonly unknown[]; kwargs: Readonly<Record<string, unknown>> },
): string {
  return `${functionName ?? '<unknown>'}(${reprCall(call.args, call.kwargs, MAX_CALL)})`
}

/** One job in a list. `functionName` is known of some dead letters whose payload is gone. */
export function jobRow(job: PagedJob, redaction: Redaction): JobRow {
  const { jobId, queueName, status, jobTry, hold, holder, info, problems } = job
  const functionName = info?.functionName ?? null
  const about = { jobId, functionName, queueName }
  const call = info ? argumentsOf(redaction, about, info) : null
  return {
    jobId,
    queueName,
    functionName,
    status,
    jobTry,
    heldBy: hold?.by ?? null,
    holder,
    problems,
    dueMs: timeOf(job.due),
    enqueuedMs: timeOf(info?.enqueueTime ?? null),
    finishedMs: timeOf(job.finishTime),
    error: redaction.error(about, job.error)?.slice(0, MAX_ROW_ERROR) ?? null,
    call: call ? reprCall(call.args, call.kwargs, MAX_ROW_CALL) : '',
  }
}

/** A Date in unix ms; null for none, and for one that is invalid. */
export function timeOf(date: Date | null): number | null {
  const ms = date?.getTime()
  return ms === undefined || Number.isNaN(ms) ? null : ms
}
