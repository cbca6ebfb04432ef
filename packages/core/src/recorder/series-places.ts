import type { Recordings } from '../redis/recordings.ts'
import { MAX_SERIES, seriesField } from './series-name.ts'
import type { SeriesName } from './series-name.ts'
import { RESOLUTIONS } from './slots.ts'

/** Interval at which a series that found no place asks again, and one that has a place makes sure of it. */
const ADMISSION_MS = 600_000
/** A series that was not seen for longer may lose its place: none of its numbers is left. */
const STALE_MS = RESOLUTIONS[2].ttlMs

/** Knows which series have a place in the bounded table. The others fold into one. */
export class SeriesPlaces {
  readonly #recordings: Recordings
  readonly #places = new Map<string, { has: boolean; untilMs: number }>()

  constructor(recordings: Recordings) {
    this.#recordings = recordings
  }

  /** Asks for the places of series whose place is not known, or not believed any longer. */
  async admit(series: readonly { name: SeriesName; id: string }[], nowMs: number): Promise<void> {
    const asking = series.filter(({ id }) => (this.#places.get(id)?.untilMs ?? 0) <= nowMs)
    if (asking.length === 0) return
    const entries = asking.map(({ name, id }) => ({ field: seriesField(name), id }))
    const places = await this.#recordings.admit(entries, { most: MAX_SERIES, nowMs, staleMs: STALE_MS })
    for (const [i, { id }] of asking.entries()) {
      this.#places.set(id, { has: places[i]!, untilMs: nowMs + ADMISSION_MS })
    }
  }

  has(id: string): boolean {
    return this.#places.get(id)?.has ?? false
  }
}
