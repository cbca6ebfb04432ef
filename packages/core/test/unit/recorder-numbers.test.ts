import { describe, expect, test } from 'vitest'
import { heatmapOf } from '../../src/recorder/heatmap.ts'
import {
  BUCKETS,
  countOf,
  EMPTY_HISTOGRAM,
  finestBucket,
  histogramOf,
  lowerBoundMs,
  MAX_FIELD_BYTES,
  mergeHistograms,
  packHistogram,
  quantile,
  unpackHistogram,
} from '../../src/recorder/histogram.ts'
import type { Histogram } from '../../src/recorder/histogram.ts'
import { mergeMeasures, packMeasures, unpackMeasures } from '../../src/recorder/measures.ts'
import { gridOf, slotsOf } from '../../src/recorder/query.ts'
import { readSeriesField, seriesField, seriesId } from '../../src/recorder/series-name.ts'
import { placeOf, RESOLUTIONS } from '../../src/recorder/slots.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** A generator of numbers in [0, 1), the same for one seed. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

function histogramOfDurations(durations: readonly number[]): Histogram {
  const buckets = new Uint32Array(BUCKETS)
  for (const ms of durations) if (ms >= 1) buckets[finestBucket(ms)]!++
  return histogramOf(durations.filter((ms) => ms < 1).length, buckets)
}

function durationsOf(random: () => number, most: number): number[] {
  const spread = random() * 30
  return Array.from({ length: Math.floor(random() * most) }, () => Math.floor(2 ** (random() * spread)) - 1)
}

describe('a histogram of durations', () => {
  test('puts each duration between the bounds of its bucket', () => {
    for (const ms of [1, 2, 3, 7, 8, 9, 1_000, 4_095, 4_096, 4_097, 86_400_000]) {
      const bucket = finestBucket(ms)
      expect(lowerBoundMs(3, bucket)).toBeLessThanOrEqual(ms * (1 + 1e-12))
      expect(lowerBoundMs(3, bucket + 1)).toBeGreaterThan(ms)
    }
    expect(finestBucket(2 ** 40)).toBe(BUCKETS - 1)
  })

  test('fits its bytes whatever it holds, and keeps every count', () => {
    const random = seeded(1)
    for (let round = 0; round < 300; round++) {
      const histogram = histogramOfDurations(durationsOf(random, 3_000))
      const packed = packHistogram(histogram)
      expect(packed.length).toBeLessThanOrEqual(MAX_FIELD_BYTES)
      expect(countOf(unpackHistogram(packed))).toBe(countOf(histogram))
    }
    const busiest = histogramOf(2 ** 40, new Float64Array(BUCKETS).fill(2 ** 40))
    expect(packHistogram(busiest).length).toBeLessThanOrEqual(MAX_FIELD_BYTES)
    expect(countOf(unpackHistogram(packHistogram(busiest)))).toBe(257 * 2 ** 40)
  })

  test('is the same whichever way its parts are merged', () => {
    const random = seeded(2)
    for (let round = 0; round < 100; round++) {
      const [a, b, c] = [1, 2, 3].map(() =>
        unpackHistogram(packHistogram(histogramOfDurations(durationsOf(random, 400)))),
      )
      const left = packHistogram(mergeHistograms(mergeHistograms(a!, b!), c!))
      const right = packHistogram(mergeHistograms(a!, mergeHistograms(b!, c!)))
      expect(left).toEqual(right)
    }
  })

  test('estimates quantiles within the width of a bucket', () => {
    const random = seeded(3)
    const durations = Array.from({ length: 500 }, () => Math.floor(random() * 1_000) + 1).sort((a, b) => a - b)
    const histogram = histogramOfDurations(durations)
    for (const share of [0.1, 0.5, 0.9, 0.99]) {
      const exact = durations[Math.ceil(share * durations.length) - 1]!
      expect(quantile(histogram, share)! / exact).toBeGreaterThan(0.9)
      expect(quantile(histogram, share)! / exact).toBeLessThan(1.1)
    }
    expect(quantile(EMPTY_HISTOGRAM, 0.5)).toBeNull()
    expect(quantile(histogramOfDurations([0, 0, 5]), 0.5)).toBe(0)
  })

  test('reads bytes that are none of its own as empty', () => {
    for (const bytes of [null, Buffer.alloc(0), Buffer.from('x'), Buffer.alloc(65, 1), Buffer.from([200, 1, 1, 1])]) {
      expect(unpackHistogram(bytes)).toEqual(EMPTY_HISTOGRAM)
    }
  })
})

describe('measures', () => {
  test('fit 64 bytes for an hour of ten thousand jobs a second', () => {
    const jobs = 36_000_000
    const sums = [jobs, jobs, jobs, jobs, jobs, jobs, jobs * 60_000, jobs * 3_600_000]
    expect(packMeasures({ sums, maxima: [86_400_000, 86_400_000] }).length).toBeLessThanOrEqual(64)
  })

  test('add sums, keep the greater maximum, and keep values that only one side has', () => {
    const merged = mergeMeasures(
      unpackMeasures(packMeasures({ sums: [1, 2 ** 40], maxima: [7] })),
      unpackMeasures(packMeasures({ sums: [300, 5], maxima: [3, 9] })),
    )
    expect(merged).toEqual({ sums: [301, 2 ** 40 + 5], maxima: [7, 9] })
  })
})

test('a minute lies in one slot of each resolution, and blocks have 40 slots', () => {
  for (const atMs of [0, 1_795_000_000_000, 1_795_000_059_999]) {
    for (const resolution of RESOLUTIONS) {
      const { block, slot } = placeOf(resolution, atMs)
      expect((block * 40 + slot) * resolution.slotMs).toBeLessThanOrEqual(atMs)
      expect((block * 40 + slot + 1) * resolution.slotMs).toBeGreaterThan(atMs)
      expect(slot).toBeLessThan(40)
    }
  }
})

describe('the grid of a question', () => {
  const now = 1_795_000_021_000

  test('has about 60 steps of a minute for the last hour', () => {
    const grid = gridOf({}, now)
    expect(grid).toMatchObject({ stepMs: MINUTE, resolution: { name: '1m' } })
    expect(slotsOf(grid)).toHaveLength(61)
    expect(grid.toMs).toBeGreaterThanOrEqual(now)
  })

  test('is read from the coarsest slots that make up a step and are still kept', () => {
    expect(gridOf({ fromMs: now - 2 * HOUR, stepMs: 10 * MINUTE }, now).resolution.name).toBe('10m')
    expect(gridOf({ fromMs: now - 2 * HOUR, stepMs: 15 * MINUTE }, now)).toMatchObject({
      stepMs: 15 * MINUTE,
      resolution: { name: '1m' },
    })
    expect(gridOf({ fromMs: now - 24 * HOUR }, now)).toMatchObject({
      stepMs: 30 * MINUTE,
      resolution: { name: '10m' },
    })
    expect(gridOf({ fromMs: now - 30 * 24 * HOUR }, now)).toMatchObject({
      stepMs: 12 * HOUR,
      resolution: { name: '1h' },
    })
  })

  test('rounds a step up to what is kept of its time', () => {
    expect(gridOf({ fromMs: now - 24 * HOUR, stepMs: MINUTE }, now).stepMs).toBe(10 * MINUTE)
    expect(gridOf({ fromMs: now - 400 * 24 * HOUR, stepMs: MINUTE }, now).stepMs % HOUR).toBe(0)
  })

  test('has one step at least, also for a range without length', () => {
    const grid = gridOf({ fromMs: now, toMs: now }, now)
    expect(grid.toMs - grid.fromMs).toBe(grid.stepMs)
  })
})

describe('a heat map', () => {
  test('has contiguous rows and counts each run once', () => {
    const random = seeded(4)
    for (let round = 0; round < 50; round++) {
      const histograms = [1, 2, 3].map(() => histogramOfDurations(durationsOf(random, 200)))
      const { boundsMs, columns } = heatmapOf({ fromMs: 0, toMs: 3, stepMs: 1 }, histograms)
      expect([...boundsMs].sort((a, b) => a - b)).toEqual(boundsMs)
      for (const [i, column] of columns.entries()) {
        expect(column.length).toBe(Math.max(0, boundsMs.length - 1))
        expect(column.reduce((sum, runs) => sum + runs, 0)).toBe(countOf(histograms[i]!))
      }
    }
  })

  test('is empty where nothing ran', () => {
    expect(heatmapOf({ fromMs: 0, toMs: 1, stepMs: 1 }, [EMPTY_HISTOGRAM])).toMatchObject({
      boundsMs: [],
      columns: [[]],
    })
  })
})

test('a series is named by its field, and its id depends on nothing else', () => {
  const name = { queue: 'q:"x"', function: 'f\n', language: 'python' } as const
  expect(readSeriesField(seriesField(name))).toEqual(name)
  expect(seriesId(name)).toBe(seriesId({ ...name }))
  expect(seriesId(name)).not.toBe(seriesId({ ...name, language: 'typescript' }))
  for (const other of ['x', '[]', '["q","f","perl"]', '["q",1,"python"]'])
    expect(readSeriesField(other)).toBeUndefined()
})
