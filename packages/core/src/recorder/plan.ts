import type { Keys } from '@arq-ts/protocol/jobs'
import { packHistogram } from './histogram.ts'
import { packMeasures } from './measures.ts'
import type { Measures } from './measures.ts'
import { FOLDED_ID, seriesField } from './series-name.ts'
import type { SeriesName } from './series-name.ts'
import { placeOf, RESOLUTIONS } from './slots.ts'
import type { Tally } from './tally.ts'

/** One call to Redis: keys, and operations that name them by number, from 2 (see record.lua). */
export interface PlannedCall {
  keys: string[]
  operations: (string | number | Buffer)[]
}

/** A series that is to be written: its id, and its name where it stands in the table. */
export interface PlannedSeries {
  id: string
  name: SeriesName | undefined
  tallies: readonly Tally[]
}

/** Three keys a series, with the table and the number of the flush: 11 keys a call. */
const SERIES_PER_CALL = 3

/** Calls that merge what was counted in one minute into the slots of every resolution. */
export function planCounts(
  keys: Keys,
  series: readonly PlannedSeries[],
  minuteMs: number,
  nowMs: number,
): PlannedCall[] {
  const calls: PlannedCall[] = []
  for (let from = 0; from < series.length; from += SERIES_PER_CALL) {
    const call: PlannedCall = { keys: [keys.obsSeries], operations: [] }
    for (const { id, name, tallies } of series.slice(from, from + SERIES_PER_CALL)) {
      if (name) call.operations.push('hset', 2, seriesField(name), `${id} ${nowMs}`)
      const first = addSlots(call, minuteMs, (resolution, block) => keys.obsNumbers(resolution, id, block))
      for (const tally of tallies) {
        addMerge(call, 'v', packMeasures(tally.measures()), first, minuteMs, 'c')
        const [run, wait] = [tally.run.histogram(), tally.wait.histogram()]
        if (run) addMerge(call, 'h', packHistogram(run), first, minuteMs, 'r')
        if (wait) addMerge(call, 'h', packHistogram(wait), first, minuteMs, 'w')
      }
      addExpiry(call, first)
    }
    calls.push(call)
  }
  return calls
}

/** The call that merges a sample of a queue's gauges, taken in a minute. */
export function planGauges(keys: Keys, queueName: string, measures: Measures, minuteMs: number): PlannedCall {
  const call: PlannedCall = { keys: [], operations: [] }
  const first = addSlots(call, minuteMs, (resolution, block) => keys.obsDepth(resolution, queueName, block))
  addMerge(call, 'v', packMeasures(measures), first, minuteMs, '')
  addExpiry(call, first)
  return call
}

/** Groups tallies by the series they are written to: their own, or the one that all others fold into. */
export function foldSeries(
  tallies: readonly { name: SeriesName; id: string; tally: Tally }[],
  hasPlace: (id: string) => boolean,
): PlannedSeries[] {
  const folded: Tally[] = []
  const series: PlannedSeries[] = []
  for (const { name, id, tally } of tallies) {
    if (hasPlace(id)) series.push({ id, name, tallies: [tally] })
    else folded.push(tally)
  }
  return folded.length === 0 ? series : [...series, { id: FOLDED_ID, name: undefined, tallies: folded }]
}

/** Adds the block of every resolution; returns the number of the first key. */
function addSlots(call: PlannedCall, atMs: number, keyOf: (resolution: string, block: number) => string): number {
  const first = call.keys.length + 2
  for (const resolution of RESOLUTIONS) {
    call.keys.push(keyOf(resolution.name, placeOf(resolution, atMs).block))
  }
  return first
}

/** Expiries, to follow what is written: a key that is not there yet cannot expire. */
function addExpiry(call: PlannedCall, first: number): void {
  for (const [i, resolution] of RESOLUTIONS.entries()) call.operations.push('expire', first + i, resolution.ttlMs)
}

function addMerge(
  call: PlannedCall,
  kind: 'v' | 'h',
  value: Buffer,
  first: number,
  atMs: number,
  letter: string,
): void {
  call.operations.push('merge', kind, value, RESOLUTIONS.length)
  for (const [i, resolution] of RESOLUTIONS.entries()) {
    call.operations.push(first + i, `${placeOf(resolution, atMs).slot}${letter}`)
  }
}
