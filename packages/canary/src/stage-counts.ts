import { addTally, emptyTally, metricsOf, observedShare, since } from './judging/tally.ts'
import type { Minute, Tally } from './judging/tally.ts'
import { minuteOf } from './requests.ts'
import type { CountedMinute, RequestCounts } from './requests.ts'
import type { Deployment, Figures, Mark, Observed, StoredTally } from './types.ts'

/** Reach of counts, back and ahead: less than the time they are kept, with a margin for clocks that differ. */
const KEPT_MS = 115 * 60_000

/** The counts of both collections in the current stage, and how far all counts are by now. */
export async function countStage(
  counts: RequestCounts,
  state: Deployment,
  nowMs: number,
): Promise<Pick<Observed, 'minutes' | 'marks'>> {
  const all = await readPairs(counts, state, timeOf(state, nowMs))
  return { minutes: ofStage(state, all), marks: all.filter(isMarked(nowMs)).map(markOf) }
}

/** The counts of the current stage, and those of the hour before a time, whatever the stage was then. */
export async function countStageAndHour(
  counts: RequestCounts,
  state: Deployment,
  untilMs: number,
): Promise<{ stage: Minute[]; hour: Minute[] }> {
  const stage = timeOf(state, untilMs)
  const hour = { fromMs: untilMs - 3_600_000, toMs: untilMs }
  const all = await readPairs(counts, state, {
    fromMs: Math.min(stage.fromMs, hour.fromMs),
    toMs: Math.max(stage.toMs, hour.toMs),
  })
  const during = ({ fromMs, toMs }: Time) =>
    all.filter(({ minute }) => minute >= minuteOf(fromMs) && minute <= minuteOf(toMs))
  return { stage: ofStage(state, during(stage)), hour: during(hour) }
}

async function readPairs(
  counts: RequestCounts,
  { id, newCollection, oldCollection }: Deployment,
  { fromMs, toMs }: Time,
): Promise<Minute[]> {
  const read = (collection: string) => counts.read(id, collection, fromMs, toMs)
  return pairs(...(await Promise.all([read(newCollection), read(oldCollection)])))
}

/** The counts that are the stage's own; none before it begins. */
function ofStage({ stageMarks, stageStartedAtMs }: Deployment, all: readonly Minute[]): Minute[] {
  return stageStartedAtMs === null ? [] : all.map((minute) => sinceMark(minute, stageMarks))
}

/** The counts of the current stages of many deployments, without recorded numbers: see `readTotals`. */
export async function countStages(
  counts: RequestCounts,
  states: readonly Deployment[],
  nowMs: number,
): Promise<Minute[][]> {
  const begun = states.filter(({ stageStartedAtMs }) => stageStartedAtMs !== null)
  const read = await counts.readTotals(
    begun.flatMap((state) =>
      [state.newCollection, state.oldCollection].map((collection) => ({
        deploymentId: state.id,
        collection,
        ...timeOf(state, nowMs),
      })),
    ),
  )
  const found = new Map(begun.map(({ id, stageMarks }, i) => [id, { stageMarks, at: 2 * i }]))
  return states.map(({ id }) => {
    const each = found.get(id)
    if (!each) return []
    return pairs(read[each.at]!, read[each.at + 1]!).map((minute) => sinceMark(minute, each.stageMarks))
  })
}

/** From one time to another, both unix ms. */
interface Time {
  fromMs: number
  toMs: number
}

/** The time of a stage with a minute on either side: the clocks of those who count may differ from Redis's. */
function timeOf({ nextTickAtMs, stageStartedAtMs }: Deployment, nowMs: number): Time {
  const fromMs = (stageStartedAtMs ?? nowMs) - 60_000
  // A clock that was set back has counts for minutes that are to come.
  const seenMs = stageStartedAtMs === null ? Math.min(nextTickAtMs, nowMs + KEPT_MS) : nowMs
  return { fromMs, toMs: Math.max(nowMs, seenMs) + 60_000 }
}

/** A minute whose counts so far are marked when a stage begins: from a minute ago, and what has a count already. */
function isMarked(nowMs: number): (each: Minute) => boolean {
  const now = minuteOf(nowMs)
  return ({ minute, new: fresh, old }) =>
    Math.abs(minute - now) <= 1 || (minute > now && fresh.requests + old.requests > 0)
}

function pairs(fresh: readonly CountedMinute[], old: readonly CountedMinute[]): Minute[] {
  const byMinute = new Map(old.map(({ minute, tally }) => [minute, tally]))
  return fresh.map(({ minute, tally }) => ({ minute, new: tally, old: byMinute.get(minute) ?? emptyTally() }))
}

function sinceMark(each: Minute, marks: readonly Mark[]): Minute {
  const mark = marks.find(({ minute }) => minute === each.minute)
  if (!mark) return each
  return { minute: each.minute, new: since(each.new, restored(mark.new)), old: since(each.old, restored(mark.old)) }
}

function markOf({ minute, new: fresh, old }: Minute): Mark {
  return { minute, new: stored(fresh), old: stored(old) }
}

function stored({ latency, ...tally }: Tally): StoredTally {
  const buckets: [number, number][] = []
  for (let i = latency.first; i < latency.buckets.length; i++) {
    if (latency.buckets[i]! > 0) buckets.push([i, latency.buckets[i]!])
  }
  return { ...tally, latency: { sumMs: latency.sumMs, maxMs: latency.maxMs, buckets } }
}

function restored({ latency, ...tally }: StoredTally): Tally {
  const whole = { ...emptyTally(), ...tally }
  for (const [bucket, count] of latency.buckets) {
    whole.latency.first = Math.min(whole.latency.first, bucket)
    whole.latency.buckets[bucket] = count
    whole.latency.count += count
  }
  return { ...whole, latency: { ...whole.latency, sumMs: latency.sumMs, maxMs: latency.maxMs } }
}

/** The figures of a stage. */
export function figuresOf(minutes: readonly Minute[]): Figures {
  const [fresh, old] = [emptyTally(), emptyTally()]
  for (const minute of minutes) {
    addTally(fresh, minute.new)
    addTally(old, minute.old)
  }
  return {
    new: metricsOf(fresh),
    old: metricsOf(old),
    values: { new: fresh.values, old: old.values },
    observedShare: observedShare(fresh, old),
  }
}
