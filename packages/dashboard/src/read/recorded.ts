import type {
  AuditList,
  AuditRow,
  EventList,
  HeatmapAnswer,
  JobHistory,
  JobLogs,
  SeriesAnswer,
  TryRow,
} from '../api/types.ts'
import type { Cost, Language, LogLine } from '../api/types.ts'
import type { Board } from '../board.ts'
import { Refusal } from '../http/refusal.ts'
import { can } from '../recorder.ts'
import type { RecordedAudit, RecordedTry } from '../recorder.ts'

type Without<T> = T extends { cost: Cost } ? Omit<T, 'cost'> : T
const NONE = { available: false, why: 'This version of @arq-ts/core records nothing; update it.' } as const

const METRICS: Readonly<Record<string, string>> = {
  ended: 'ended',
  complete: 'complete',
  failed: 'failed',
  aborted: 'aborted',
  retried: 'retried',
  released: 'released',
  lost: 'lost',
  depth: 'due',
  oldest: 'oldest',
  running: 'running',
  capacity: 'capacity',
}
const COUNTS = new Set(['ended', 'complete', 'failed', 'aborted', 'retried', 'released', 'lost'])

/** A number in a query; undefined where it is left out. @throws Refusal */
export function numberIn(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null || text === '') return undefined
  const value = Number(text)
  if (Number.isFinite(value)) return value
  throw new Refusal('invalid_request', `\`${name}\` is no number: "${text.slice(0, 40)}"`)
}

/** A recorded series. */
export async function series(board: Board, query: URLSearchParams): Promise<Without<SeriesAnswer>> {
  const { recorder } = board
  if (!can(recorder, 'series')) return NONE
  const metric = query.get('metric') ?? 'ended'
  const by = query.get('by') ?? 'total'
  const [, kind, quantile] = /^(wait|run)-(p50|p90|p95|p99|mean|max)$/.exec(metric) ?? []
  const recorded = kind === undefined ? METRICS[metric] : `${kind}.${quantile}`
  if (recorded === undefined) {
    const names = [...Object.keys(METRICS), 'wait-p95', 'run-p95'].join(', ')
    throw new Refusal('invalid_request', `"${metric.slice(0, 40)}" is no metric; there are ${names}`)
  }
  if (!['total', 'queue', 'function', 'language'].includes(by)) {
    throw new Refusal(
      'invalid_request',
      `"${by.slice(0, 40)}" is nothing to group by; there are total, queue, function, language`,
    )
  }
  const result = await recorder.series({
    metric: recorded,
    ...(by === 'total' ? {} : { by }),
    ...rangeOf(query),
    ...named(query),
  })
  const perMinute = COUNTS.has(metric) ? 60_000 / result.stepMs : 1
  return {
    available: true,
    metric,
    by,
    fromMs: result.fromMs,
    stepMs: result.stepMs,
    length: Math.max(0, ...result.lines.map(({ points }) => points.length)),
    series: result.lines.map(({ key, points }) => ({
      name: key.queue ?? key.function ?? key.language ?? 'total',
      language: languageOf(key.language),
      values: points.map((point) => (point === null ? null : point * perMinute)),
    })),
  }
}

/** A heat map of run times, with recent jobs to open. */
export async function heatmap(board: Board, query: URLSearchParams): Promise<Without<HeatmapAnswer>> {
  const { recorder } = board
  if (!can(recorder, 'heatmap')) return NONE
  const map = await recorder.heatmap({
    of: query.get('of') === 'wait' ? 'wait' : 'run',
    ...rangeOf(query),
    ...named(query),
  })
  const functionName = query.get('function') ?? undefined
  const recent = can(recorder, 'recent')
    ? await recorder.recent({ limit: 500, ...(functionName === undefined ? {} : { functionName }) })
    : []
  const columns = map.columns.length
  return {
    available: true,
    fromMs: map.fromMs,
    stepMs: map.stepMs,
    boundsMs: [...map.boundsMs.slice(1), null],
    counts: map.columns,
    samples: recent.flatMap(({ jobId, finishedMs, runMs }) => {
      const column = Math.floor((finishedMs - map.fromMs) / map.stepMs)
      const above = map.boundsMs.findIndex((bound) => bound > runMs)
      const row = above === -1 ? map.boundsMs.length - 1 : Math.max(0, above - 1)
      return column >= 0 && column < columns ? [{ column, row, jobId, runMs }] : []
    }),
  }
}

/** Recorded events, newest first; `after` continues with older ones. */
export async function events(board: Board, query: URLSearchParams): Promise<EventList> {
  const { recorder } = board
  if (!can(recorder, 'events')) return NONE
  const after = query.get('after')
  const found = await recorder.events({ limit: limitIn(query), ...(after ? { before: after } : {}) })
  return {
    available: true,
    events: found.map((event) => {
      const { id, atMs, kind, jobId, functionName, queueName, workerId, error, version } = event
      const about = { jobId: jobId ?? '', functionName: functionName ?? null, queueName: queueName ?? null }
      return {
        id,
        atMs,
        kind,
        subject: functionName ?? queueName ?? workerId ?? '',
        detail: board.redaction.error(about, error ?? null) ?? version ?? jobId ?? '',
        language: null,
      }
    }),
    cursor: found.at(-1)?.id ?? null,
  }
}

/** The audit log, newest first. */
export async function audit(board: Board, query: URLSearchParams): Promise<AuditList> {
  const { recorder } = board
  if (!can(recorder, 'audit')) return NONE
  const after = query.get('after')
  const limit = limitIn(query)
  const found = await recorder.audit({ limit, ...(after ? { before: after } : {}) })
  return {
    available: true,
    entries: found.map(auditRow),
    cursor: found.length < limit ? null : (found.at(-1)?.id ?? null),
  }
}

function auditRow({ id, atMs, actor, action, resource, detail }: RecordedAudit): AuditRow {
  const { count, text } = (typeof detail === 'object' && detail !== null ? detail : {}) as {
    count?: unknown
    text?: unknown
  }
  return {
    id,
    atMs,
    user: actor,
    action,
    target: resource,
    count: typeof count === 'number' ? count : 1,
    detail: typeof text === 'string' ? text : detail === undefined ? '' : JSON.stringify(detail).slice(0, 500),
  }
}

/** The timeline of a job's tries, and the changes that people made to it. */
export async function history(board: Board, jobId: string): Promise<JobHistory> {
  const { recorder } = board
  const nowMs = await board.client.inspector.now()
  const tries = can(recorder, 'tries') ? await recorder.tries(jobId) : []
  const changes = can(recorder, 'audit') ? await recorder.audit({ limit: 200 }) : []
  const limits = ['Python workers record no tries.']
  if (!can(recorder, 'tries')) limits.unshift(NONE.why)
  else if (tries.length === 20) limits.unshift('Only the last 20 tries are kept.')
  return {
    nowMs,
    jobId,
    tries: tries.map((each) => tryRow(board, jobId, each)),
    changes: changes.filter(({ resource }) => resource === `job ${jobId}`).map(auditRow),
    limits,
  }
}

function tryRow(board: Board, jobId: string, recorded: RecordedTry): TryRow {
  const { atMs, jobTry, kind, startedMs, workerId, error } = recorded
  const outcome = ({ retried: 'retried', failed: 'failed', 'lease-lost': 'lost', released: 'retried' } as const)[kind]
  const about = { jobId, functionName: null, queueName: null }
  return {
    jobTry,
    workerId,
    startedMs,
    outcome,
    finishedMs: atMs,
    fromMs: null,
    stack: null,
    error: board.redaction.error(about, error ?? null),
  }
}

/** Logs and progress of a job. */
export async function logs(board: Board, jobId: string, after: string | null): Promise<JobLogs> {
  const { recorder } = board
  const nowMs = await board.client.inspector.now()
  if (!can(recorder, 'log')) return { nowMs, jobId, ...NONE, lines: [], progress: null, cursor: null }
  const found = await recorder.log(jobId, { limit: 500, ...(after === null ? {} : { after }) })
  const lines = found.flatMap((line): LogLine[] => {
    if (line.kind === 'end') return []
    const text = line.message ?? (line.fraction === undefined ? '' : `${Math.round(line.fraction * 100)} %`)
    const level = line.kind === 'progress' ? 'progress' : (line.level ?? 'info')
    return [{ id: line.id, atMs: line.atMs, jobTry: line.jobTry, level, message: text.slice(0, 8_192) }]
  })
  const newest = found.findLast(({ kind }) => kind === 'progress')
  return {
    nowMs,
    jobId,
    available: true,
    why: found.length === 0 ? 'Nothing was recorded: the task does not record logs, or none was written.' : null,
    lines,
    progress: newest
      ? {
          done: newest.fraction ?? null,
          total: newest.fraction === undefined ? null : 1,
          text: newest.message ?? null,
          atMs: newest.atMs,
        }
      : null,
    cursor: found.at(-1)?.id ?? after,
  }
}

function rangeOf(query: URLSearchParams): { fromMs?: number; toMs?: number; stepMs?: number } {
  const [fromMs, toMs, stepMs] = ['from', 'to', 'step'].map((name) => numberIn(query, name))
  return {
    ...(fromMs === undefined ? {} : { fromMs }),
    ...(toMs === undefined ? {} : { toMs }),
    ...(stepMs === undefined ? {} : { stepMs }),
  }
}

function named(query: URLSearchParams): { queue?: string; function?: string } {
  const [queue, name] = [query.get('queue'), query.get('function')]
  return { ...(queue ? { queue } : {}), ...(name ? { function: name } : {}) }
}

function limitIn(query: URLSearchParams): number {
  return Math.min(500, Math.max(1, Math.floor(numberIn(query, 'limit') ?? 100)))
}

function languageOf(language: 'typescript' | 'python' | undefined): Language | null {
  return language === 'typescript' ? 'arq-ts' : (language ?? null)
}
