import type { CronHistory } from '../cron/tick-history.ts'
import { ArgumentsError } from '../errors.ts'
import { liveWorkers } from '../fleet/live-workers.ts'
import { readJobLog } from '../progress/job-events.ts'
import { checkMethodOptions, checkName, checkObject, methodSchemas } from '../options/arguments.ts'
import { gotValue } from '../options/given-value.ts'
import type { JobLogEntry } from '../progress/job-log.ts'
import type { RedisContext } from '../redis/context.ts'
import type { FunctionDefinition } from './function-definitions.ts'
import { heatmapOf } from './heatmap.ts'
import type { Heatmap } from './heatmap.ts'
import { unpackHistogram } from './histogram.ts'
import { mergeMeasures, NO_MEASURES, unpackMeasures } from './measures.ts'
import { checkMetric, gaugeOf, isGauge, valueOf } from './metrics.ts'
import type { GaugeMetric, Metric } from './metrics.ts'
import { addNumbers, countsOf, gridOf, isOfQueue, isWanted, latencyOf, lineKey, NO_NUMBERS, slotsOf } from './query.ts'
import type { Counts, Dimension, Grid, HistoryFilter, HistoryRange, Latency, LineKey, Numbers } from './query.ts'
import { ERROR_STATES, readDefinition, readEntry, readErrorGroup } from './records.ts'
import type {
  AuditEntry,
  ErrorGroup,
  ErrorState,
  RecentJob,
  RecordedEvent,
  RecordedTick,
  RecordedTry,
} from './records.ts'
import { FOLDED_ID, OTHERS, readSeriesField } from './series-name.ts'
import type { Language, SeriesName } from './series-name.ts'
import { placeOf } from './slots.ts'
import { MAX_CRON_JOBS } from './tick-journal.ts'

/** Bounds of streams. */
const MAX_RECENT = 500
const MAX_AUDIT = 10_000

type Range = HistoryRange & HistoryFilter

/** Lines of one metric. `points[i]` is of the step that begins at `fromMs + i × stepMs`. */
export interface SeriesResult {
  fromMs: number
  toMs: number
  stepMs: number
  /** Counts are 0 where nothing was recorded; latencies and gauges are null. */
  lines: { key: LineKey; points: (number | null)[] }[]
}

/** All numbers of a range. */
export interface Totals {
  key: LineKey
  counts: Counts
  run: Latency
  wait: Latency
}

/** A function that jobs called, or that a worker has. */
export interface RecordedFunction {
  name: string
  queues: string[]
  languages: Language[]
  /** Last end of a job of it, in unix ms; null where none was recorded. */
  lastSeenMs: number | null
  /** As its workers have it; null where none of arq-ts had it today. */
  definition: FunctionDefinition | null
}

/** Series that are read: name and id. */
interface KnownSeries {
  name: SeriesName
  id: string
}

/**
 * Reads what workers recorded. Use `client.history`. Times are unix ms of Redis. Every method rejects with
 * RedisUnavailableError when Redis does not answer within the client's `commandTimeoutMs`, and with RedisReplyError when
 * it refuses.
 */
export class History {
  readonly #link: RedisContext

  /** @internal */
  constructor(link: RedisContext) {
    this.#link = link
  }

  /**
   * One metric over time, as one line or one for each value of `by`.
   *
   * @throws ArgumentsError for an unknown metric.
   */
  async series(query: { metric: Metric; by?: Dimension | readonly Dimension[] } & Range): Promise<SeriesResult> {
    checkMethodOptions('history.series', methodSchemas.series, query ?? null)
    const { metric } = query
    checkMetric(metric)
    const grid = await this.#grid(query)
    const lines = isGauge(metric)
      ? await this.#gauges(metric, grid, query)
      : [...(await this.#numbers(grid, query, grid.stepMs)).values()].map(({ key, steps }) => ({
          key,
          points: steps.map((numbers) => valueOf(metric, numbers)),
        }))
    const { fromMs, stepMs, toMs } = grid
    return { fromMs, stepMs, toMs, lines }
  }

  /**
   * Counts and durations of a range, as one entry or one for each value of `by`. A slot that the range cuts, of a minute,
   * ten minutes or an hour, counts as a whole.
   */
  async totals(query: { by?: Dimension | readonly Dimension[] } & Range = {}): Promise<Totals[]> {
    checkMethodOptions('history.totals', methodSchemas.totals, query)
    const grid = await this.#grid(query)
    return [...(await this.#numbers(grid, query, grid.toMs - grid.fromMs)).values()].map(({ key, steps }) => {
      const [numbers = NO_NUMBERS] = steps
      return { key, counts: countsOf(numbers), run: latencyOf(numbers, 'run'), wait: latencyOf(numbers, 'wait') }
    })
  }

  /** Runs by time and duration. */
  async heatmap(query: { of?: 'run' | 'wait' } & Range = {}): Promise<Heatmap> {
    checkMethodOptions('history.heatmap', methodSchemas.heatmap, query)
    const grid = await this.#grid(query)
    const [line] = (await this.#numbers(grid, query, grid.stepMs)).values()
    const of = query.of ?? 'run'
    return heatmapOf(grid, line?.steps.map((numbers) => numbers[of]) ?? [])
  }

  /** Functions that live workers have or whose jobs were recorded, by name. */
  async functions(): Promise<RecordedFunction[]> {
    const functions = new Map<string, RecordedFunction>()
    const entry = (name: string) => {
      let found = functions.get(name)
      if (!found) functions.set(name, (found = { name, queues: [], languages: [], lastSeenMs: null, definition: null }))
      return found
    }
    const add = <T>(list: T[], value: T) => void (list.includes(value) || list.push(value))
    for (const { field, seenMs } of await this.#link.recordings.series()) {
      const name = readSeriesField(field)
      if (!name || name.function === OTHERS) continue
      const known = entry(name.function)
      add(known.queues, name.queue)
      add(known.languages, name.language)
      known.lastSeenMs = Math.max(known.lastSeenMs ?? 0, seenMs)
    }
    for (const worker of await liveWorkers(this.#link)) {
      for (const name of worker.functions) {
        const known = entry(name)
        for (const queue of worker.queues) add(known.queues, queue)
        add(known.languages, 'typescript')
      }
    }
    const sorted = [...functions.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
    const { keys, recordings } = this.#link
    const definitions = await recordings.strings(sorted.map(({ name }) => keys.obsFunction(name)))
    return sorted.map((known, i) => ({ ...known, definition: readDefinition(definitions[i]!) }))
  }

  /** Errors by fingerprint, those seen last first; at most 500 are kept. */
  async errors(filter: { state?: ErrorState; limit?: number } = {}): Promise<ErrorGroup[]> {
    checkMethodOptions('history.errors', methodSchemas.errors, filter)
    const { limit = 500, state } = filter
    const { keys, recordings } = this.#link
    const [index = {}] = await recordings.hashes([keys.obsErrors])
    const hashes = await recordings.hashes(Object.keys(index).map((fingerprint) => keys.obsError(fingerprint)))
    return Object.keys(index)
      .flatMap((fingerprint, i) => readErrorGroup(fingerprint, hashes[i]!) ?? [])
      .filter((group) => state === undefined || group.state === state)
      .sort((a, b) => b.lastMs - a.lastMs)
      .slice(0, limit)
  }

  /** The errors of one fingerprint, or null. */
  async error(fingerprint: string): Promise<ErrorGroup | null> {
    checkName('history.error', 'fingerprint', fingerprint)
    const { keys, recordings } = this.#link
    const [hash = {}] = await recordings.hashes([keys.obsError(fingerprint)])
    return readErrorGroup(fingerprint, hash) ?? null
  }

  /**
   * Mutes, resolves or opens errors; false where there are none of this fingerprint.
   *
   * @throws ArgumentsError for another state.
   */
  async setErrorState(fingerprint: string, state: ErrorState): Promise<boolean> {
    checkName('history.setErrorState', 'fingerprint', fingerprint)
    if (!ERROR_STATES.includes(state))
      throw new ArgumentsError(
        `history.setErrorState: Expected \`state\` to be one of ${ERROR_STATES.join(', ')}, ${gotValue(state)}`,
      )
    return this.#link.recordings.setField(this.#link.keys.obsError(fingerprint), 'state', state)
  }

  /** Jobs that ended lately, the newest first: failures, samples of the others, and the slowest. At most 500 are kept. */
  async recent(
    filter: { limit?: number; functionName?: string; outcome?: RecentJob['outcome'] } = {},
  ): Promise<RecentJob[]> {
    checkMethodOptions('history.recent', methodSchemas.recent, filter)
    const { functionName, limit = 100, outcome } = filter
    const members = { jobId: 'string', functionName: 'string', outcome: 'string', finishedMs: 'number' } as const
    const jobs = await this.#entries<RecentJob>(this.#link.keys.obsRecent, members, { limit: MAX_RECENT })
    return jobs
      .filter((job) => functionName === undefined || job.functionName === functionName)
      .filter((job) => outcome === undefined || job.outcome === outcome)
      .slice(0, limit)
  }

  /** Events, the newest first; with `after`, those that follow it, the oldest first. About 10,000 are kept. */
  async events(range: { after?: string; before?: string; limit?: number } = {}): Promise<RecordedEvent[]> {
    checkMethodOptions('history.events', methodSchemas.entries, range)
    const limit = range.limit ?? 100
    return this.#entries(this.#link.keys.obsEvents, { kind: 'string', atMs: 'number' }, { ...range, limit })
  }

  /** Tries of a job that did not end it well, the oldest first; the last 20 of the newest 10,000 such jobs are kept for 7 days. */
  async tries(jobId: string): Promise<RecordedTry[]> {
    checkName('history.tries', 'jobId', jobId)
    const entries = await this.#link.recordings.list(this.#link.keys.obsTries(jobId))
    return entries.flatMap(
      (entry) => (readEntry(entry, { kind: 'string', atMs: 'number' }) as RecordedTry | undefined) ?? [],
    )
  }

  /**
   * Cron jobs of live workers, and those whose ticks are recorded, with what became of the last 50 ticks of each: ended,
   * late, overlapping, left out, missed. Ticks are kept for 35 days. Python's are known by the results that they leave.
   */
  async cron(): Promise<CronHistory[]> {
    const { cronHistory } = await import('../cron/tick-history.ts')
    const link = this.#link
    const [workers, ticks, pauses] = await Promise.all([liveWorkers(link), this.#ticks(), link.cronPauses.all()])
    return cronHistory(workers, ticks, link.clock.now(), pauses)
  }

  async #ticks(): Promise<Map<string, RecordedTick[]>> {
    const { keys, recordings } = this.#link
    const [index = {}] = await recordings.hashes([keys.obsTicked])
    const names = Object.keys(index).sort().slice(0, MAX_CRON_JOBS)
    const hashes = await recordings.hashes(names.map((name) => keys.obsTicks(name)))
    const members = { atMs: 'number', outcome: 'string', jobId: 'string', queueName: 'string' } as const
    const ticksIn = (hash: Readonly<Record<string, string>>) =>
      Object.values(hash)
        .flatMap((value) => (readEntry(value, members) as RecordedTick | undefined) ?? [])
        .sort((a, b) => a.atMs - b.atMs)
    return new Map(names.map((name, i) => [name, ticksIn(hashes[i]!)]))
  }

  /** Log entries and progress of a job, the oldest first; see `job.events()`. */
  async log(jobId: string, page: { after?: string; limit?: number } = {}): Promise<JobLogEntry[]> {
    checkName('history.log', 'jobId', jobId)
    checkMethodOptions('history.log', methodSchemas.entries, page)
    return readJobLog(this.#link, jobId, page)
  }

  /**
   * Writes down what an operator is about to do; returns the entry's id. Act only once it has resolved.
   *
   * @throws RedisReplyError where it could not be written.
   */
  async writeAudit(entry: Omit<AuditEntry, 'id' | 'atMs'>): Promise<string> {
    checkObject('history.writeAudit', entry ?? null)
    await this.#link.syncClock()
    const value = JSON.stringify({ ...entry, atMs: this.#link.clock.now() })
    return this.#link.recordings.append(this.#link.keys.obsAudit, value, MAX_AUDIT)
  }

  /** Acts of operators, the newest first. About 10,000 entries are kept. */
  async audit(range: { before?: string; limit?: number } = {}): Promise<AuditEntry[]> {
    checkMethodOptions('history.audit', methodSchemas.entries, range)
    const limit = range.limit ?? 100
    return this.#entries(
      this.#link.keys.obsAudit,
      { actor: 'string', action: 'string', atMs: 'number' },
      { ...range, limit },
    )
  }

  async #entries<T extends { id: string }>(
    key: string,
    members: Readonly<Record<string, 'string' | 'number'>>,
    range: { after?: string; before?: string; limit: number },
  ): Promise<T[]> {
    const entries = await this.#link.recordings.entries(key, range)
    return entries.flatMap(({ id, value }) => {
      const entry = readEntry(value, members)
      return entry ? [{ ...entry, id } as T] : []
    })
  }

  async #grid(range: HistoryRange): Promise<Grid> {
    await this.#link.syncClock()
    return gridOf(range, this.#link.clock.now())
  }

  async #known(filter: HistoryFilter): Promise<KnownSeries[]> {
    const table = (await this.#link.recordings.series()).flatMap(({ field, id }) => {
      const name = readSeriesField(field)
      return name ? [{ name, id }] : []
    })
    const folded = { name: { queue: OTHERS, function: OTHERS, language: 'typescript' }, id: FOLDED_ID } as const
    return [...table, folded].filter(({ name }) => isWanted(name, filter))
  }

  /** Numbers by line and step. Lines without any number are left out, but for the one of everything. */
  async #numbers(
    grid: Grid,
    query: { by?: Dimension | readonly Dimension[] } & HistoryFilter,
    stepMs: number,
  ): Promise<Map<string, { key: LineKey; steps: Numbers[] }>> {
    const by = dimensionsOf(query.by)
    const series = await this.#known(query)
    const blocks = blocksOf(grid)
    const { name: resolution } = grid.resolution
    const requests = series.flatMap(({ id }) =>
      blocks.map(({ block, slots }) => ({
        key: this.#link.keys.obsNumbers(resolution, id, block),
        fields: slots.flatMap(({ slot }) => [`${slot}c`, `${slot}r`, `${slot}w`]),
      })),
    )
    const replies = await this.#link.recordings.fields(requests)
    const length = Math.round((grid.toMs - grid.fromMs) / stepMs)
    const lines = new Map<string, { key: LineKey; steps: Numbers[] }>()
    const lineOf = (key: LineKey) => {
      const name = JSON.stringify(key)
      let line = lines.get(name)
      if (!line) lines.set(name, (line = { key, steps: Array.from({ length }, () => NO_NUMBERS) }))
      return line
    }
    if (by.length === 0) lineOf({})
    replies.forEach((fields, i) => {
      const { name } = series[Math.floor(i / blocks.length)]!
      const { slots } = blocks[i % blocks.length]!
      for (const [at, { atMs }] of slots.entries()) {
        const [c, r, w] = fields.slice(3 * at, 3 * at + 3)
        if (!c && !r && !w) continue
        const numbers = { measures: unpackMeasures(c), run: unpackHistogram(r), wait: unpackHistogram(w) }
        const { steps } = lineOf(lineKey(name, by))
        const step = Math.floor((atMs - grid.fromMs) / stepMs)
        steps[step] = addNumbers(steps[step]!, numbers)
      }
    })
    return lines
  }

  async #gauges(metric: GaugeMetric, grid: Grid, { queue, queues }: HistoryFilter): Promise<SeriesResult['lines']> {
    const { keys, recordings } = this.#link
    const recorded = (await this.#known({ queue, queues })).map(({ name }) => name.queue)
    const served = (await liveWorkers(this.#link)).flatMap((worker) => worker.queues)
    const names = [...new Set([...recorded, ...served])]
      .filter((name) => name !== OTHERS && isOfQueue(name, { queue, queues }))
      .sort()
    const blocks = blocksOf(grid)
    const requests = names.flatMap((name) =>
      blocks.map(({ block, slots }) => ({
        key: keys.obsDepth(grid.resolution.name, name, block),
        fields: slots.map(({ slot }) => String(slot)),
      })),
    )
    const replies = await recordings.fields(requests)
    return names.flatMap((name, n) => {
      const steps = Array.from({ length: Math.round((grid.toMs - grid.fromMs) / grid.stepMs) }, () => NO_MEASURES)
      for (const [b, { slots }] of blocks.entries()) {
        const fields = replies[n * blocks.length + b]!
        for (const [at, { atMs }] of slots.entries()) {
          const step = Math.floor((atMs - grid.fromMs) / grid.stepMs)
          steps[step] = mergeMeasures(steps[step]!, unpackMeasures(fields[at]))
        }
      }
      const points = steps.map((measures) => gaugeOf(metric, measures))
      return points.some((point) => point !== null) ? [{ key: { queue: name }, points }] : []
    })
  }
}

function dimensionsOf(by: Dimension | readonly Dimension[] | undefined): readonly Dimension[] {
  return by === undefined ? [] : typeof by === 'string' ? [by] : by
}

/** The slots of a grid by the block that holds them. */
function blocksOf(grid: Grid): { block: number; slots: { slot: number; atMs: number }[] }[] {
  const blocks = new Map<number, { slot: number; atMs: number }[]>()
  for (const atMs of slotsOf(grid)) {
    const { block, slot } = placeOf(grid.resolution, atMs)
    const slots = blocks.get(block)
    if (slots) slots.push({ slot, atMs })
    else blocks.set(block, [{ slot, atMs }])
  }
  return [...blocks].map(([block, slots]) => ({ block, slots }))
}
