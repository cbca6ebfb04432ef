import type { AuditEntry, Dimension, Metric } from '@arq-ts/core'
import type { AuditListData, AuditRow, EventListData, HeatmapData, Language, SeriesData } from '../api/types.ts'
import type { Board } from '../board.ts'
import { Refusal } from '../http/refusal.ts'

const METRICS: Readonly<Record<string, Metric>> = {
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

function isGrouping(by: string): by is Dimension | 'total' {
  return ['total', 'queue', 'function', 'language'].includes(by)
}

/** A recorded series. */
export async function series(board: Board, query: URLSearchParams): Promise<Omit<SeriesData, 'cost'>> {
  const metric = query.get('metric') ?? 'ended'
  const by = query.get('by') ?? 'total'
  const [, kind, quantile] = /^(wait|run)-(p50|p90|p95|p99|mean|max)$/.exec(metric) ?? []
  const recorded = kind === undefined ? METRICS[metric] : (`${kind}.${quantile}` as Metric)
  if (recorded === undefined) {
    const names = [...Object.keys(METRICS), 'wait-p95', 'run-p95'].join(', ')
    throw new Refusal('invalid_request', `"${metric.slice(0, 40)}" is no metric; there are ${names}`)
  }
  if (!isGrouping(by)) {
    throw new Refusal(
      'invalid_request',
      `"${by.slice(0, 40)}" is nothing to group by; there are total, queue, function, language`,
    )
  }
  const result = await board.history.series({
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
export async function heatmap(board: Board, query: URLSearchParams): Promise<Omit<HeatmapData, 'cost'>> {
  const map = await board.history.heatmap({
    of: query.get('of') === 'wait' ? 'wait' : 'run',
    ...rangeOf(query),
    ...named(query),
  })
  const functionName = query.get('function') ?? undefined
  const recent = await board.history.recent({ limit: 500, ...(functionName === undefined ? {} : { functionName }) })
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
export async function events(board: Board, query: URLSearchParams): Promise<EventListData> {
  const after = query.get('after')
  const found = await board.history.events({ limit: limitIn(query), ...(after ? { before: after } : {}) })
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
export async function audit(board: Board, query: URLSearchParams): Promise<AuditListData> {
  const after = query.get('after')
  const limit = limitIn(query)
  const found = await board.history.audit({ limit, ...(after ? { before: after } : {}) })
  return {
    available: true,
    entries: found.map(auditRow),
    cursor: found.length < limit ? null : (found.at(-1)?.id ?? null),
  }
}

/** One entry of the audit log, for the page. */
export function auditRow({ id, atMs, actor, action, resource, detail }: AuditEntry): AuditRow {
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

function languageOf(language: string | undefined): Language | null {
  return language === 'typescript' ? 'arq-ts' : language === 'python' ? 'python' : null
}
