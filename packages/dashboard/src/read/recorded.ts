import type { AuditEntry, Dimension, Metric } from '@arq-ts/core'
import type { AuditListData, AuditRow, EventListData, HeatmapData, Language, SeriesData } from '../api/types.ts'
import type { Board } from '../board.ts'
import { nameIn } from '../http/names.ts'
import { Refusal } from '../http/refusal.ts'
import type { Viewer } from '../users/access.ts'
import type { Sight } from '../users/sight.ts'

const METRICS = new Map<string, Metric>([
  ['ended', 'ended'],
  ['complete', 'complete'],
  ['failed', 'failed'],
  ['aborted', 'aborted'],
  ['retried', 'retried'],
  ['released', 'released'],
  ['lost', 'lost'],
  ['depth', 'due'],
  ['oldest', 'oldest'],
  ['running', 'running'],
  ['capacity', 'capacity'],
])
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

/** A recorded series of the queues that the user may see. */
export async function series(board: Board, query: URLSearchParams, sight: Sight): Promise<Omit<SeriesData, 'cost'>> {
  const metric = query.get('metric') ?? 'ended'
  const by = query.get('by') ?? 'total'
  const [, kind, quantile] = /^(wait|run)-(p50|p90|p95|p99|mean|max)$/.exec(metric) ?? []
  const recorded = kind === undefined ? METRICS.get(metric) : (`${kind}.${quantile}` as Metric)
  if (recorded === undefined) {
    const names = [...METRICS.keys(), 'wait-p95', 'run-p95'].join(', ')
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
    ...(await named(board, query, sight)),
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

/** A heat map of run times, with recent jobs to open, of the queues that the user may see. */
export async function heatmap(board: Board, query: URLSearchParams, sight: Sight): Promise<Omit<HeatmapData, 'cost'>> {
  const map = await board.history.heatmap({
    of: query.get('of') === 'wait' ? 'wait' : 'run',
    ...rangeOf(query),
    ...(await named(board, query, sight)),
  })
  const functionName = nameIn(query, 'function') ?? undefined
  const about = functionName === undefined ? {} : { functionName }
  const recent = await sight.jobs(await board.history.recent({ limit: 500, ...about }))
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

/** Recorded events, newest first; `after` continues with older ones. A page is shorter by what the user may not see. */
export async function events(board: Board, query: URLSearchParams, sight: Sight): Promise<EventListData> {
  const after = query.get('after')
  const found = await board.history.events({ limit: limitIn(query), ...(after ? { before: after } : {}) })
  return {
    available: true,
    events: (await sight.inQueues(found, ({ queueName }) => queueName ?? null)).map((event) => {
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

/** Start of the resource of an act on a queue. */
const ON_QUEUE = 'queue '

/** The audit log, newest first: acts on queues that the user may see, and the acts of the user. */
export async function audit(board: Board, query: URLSearchParams, { sight, user }: Viewer): Promise<AuditListData> {
  const after = query.get('after')
  const limit = limitIn(query)
  const found = await board.history.audit({ limit, ...(after ? { before: after } : {}) })
  const queueOf = ({ resource }: AuditEntry) => (resource.startsWith(ON_QUEUE) ? resource.slice(ON_QUEUE.length) : null)
  const sees = await sight.over(found.map(queueOf))
  const seen = found.filter((entry) => entry.actor === user.name || sees(queueOf(entry)))
  return {
    available: true,
    entries: seen.map(auditRow),
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

/** The series that are meant: of the queue that the query names, or of all that the user may see. */
async function named(
  board: Board,
  query: URLSearchParams,
  sight: Sight,
): Promise<{ queue?: string; queues?: readonly string[]; function?: string }> {
  const [queue, name] = [nameIn(query, 'queue'), nameIn(query, 'function')]
  const about = name ? { function: name } : {}
  if (sight.isWhole) return { ...about, ...(queue ? { queue } : {}) }
  const known = queue ? [queue] : await recordedQueues(board)
  const sees = await sight.over(known)
  const isAll = !queue && sight.isBroad && known.every(sees)
  return { ...about, ...(isAll ? {} : { queues: known.filter(sees) }) }
}

async function recordedQueues(board: Board): Promise<string[]> {
  const [functions, { names }] = await Promise.all([board.functions(), board.names.known()])
  return [...new Set([...names, ...functions.flatMap(({ queues }) => queues)])]
}

function limitIn(query: URLSearchParams): number {
  return Math.min(500, Math.max(1, Math.floor(numberIn(query, 'limit') ?? 100)))
}

function languageOf(language: string | undefined): Language | null {
  return language === 'typescript' ? 'arq-ts' : language === 'python' ? 'python' : null
}
