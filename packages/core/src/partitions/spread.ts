import type { Placement } from './placement.ts'

/** The public members of a class. An object for all partitions must have every one of them to compile. */
export type Members<T> = { [K in keyof T]: T[K] }

/** One kind of records, once for each partition, and the ways in which a call spans them. */
export class Spread<P> {
  readonly all: readonly P[]
  /** The partition with the data that belongs to no job: workers, recordings, orders. */
  readonly home: P
  readonly #placement: Placement

  constructor(all: readonly P[], placement: Placement) {
    this.all = all
    this.home = all[0]!
    this.#placement = placement
  }

  /** The partition of a job, a flow or a schedule. */
  of(id: string): P {
    return this.all[this.#placement.of(id)]!
  }

  /** Asks every partition, all at once. */
  each<R>(call: (part: P) => Promise<R>): Promise<R[]> {
    return Promise.all(this.all.map(call))
  }

  async sum(call: (part: P) => Promise<number>): Promise<number> {
    return sumOf(await this.each(call))
  }

  async concat<R>(call: (part: P) => Promise<readonly R[]>): Promise<R[]> {
    return (await this.each(call)).flat()
  }

  /** Asks the partitions that have some of these items, each about its own. */
  groups<I, R>(items: readonly I[], idOf: (item: I) => string, call: (part: P, own: I[]) => Promise<R>): Promise<R[]> {
    return Promise.all(
      this.#grouped(items, (item) => this.#placement.of(idOf(item))).map(([at, own]) => call(this.all[at]!, own)),
    )
  }

  /** Like `groups`, for calls that answer for each item; the answers keep the order of the items. */
  async aligned<I, R>(
    items: readonly I[],
    idOf: (item: I) => string,
    call: (part: P, own: I[]) => Promise<readonly R[]>,
  ): Promise<R[]> {
    const places = items.map((item) => this.#placement.of(idOf(item)))
    const answers = new Map<number, readonly R[]>()
    const ask = async ([at, own]: [number, I[]]) => void answers.set(at, await call(this.all[at]!, own))
    await Promise.all(this.#grouped(items, (_, i) => places[i]!).map(ask))
    const taken = new Map<number, number>()
    return places.map((at) => {
      const next = taken.get(at) ?? 0
      taken.set(at, next + 1)
      return answers.get(at)![next]!
    })
  }

  #grouped<I>(items: readonly I[], placeOf: (item: I, i: number) => number): [number, I[]][] {
    const groups = new Map<number, I[]>()
    for (const [i, item] of items.entries()) {
      const at = placeOf(item, i)
      const group = groups.get(at)
      if (group) group.push(item)
      else groups.set(at, [item])
    }
    return [...groups]
  }
}

/** An item's own id: for calls whose items are ids. */
export const itself = (id: string): string => id

/** The id of an item that has one. */
export const jobIdOf = ({ jobId }: { jobId: string }): string => jobId

export function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, each) => sum + each, 0)
}

/** The least of these numbers; null where there is none. */
export function leastOf(numbers: readonly (number | null)[]): number | null {
  const known = numbers.filter((each) => each !== null)
  return known.length === 0 ? null : Math.min(...known)
}

/** Pages of the partitions, one after the other. */
export async function* chained<T>(sources: readonly AsyncIterable<T>[]): AsyncGenerator<T> {
  for (const source of sources) yield* source
}

/** Ordered pages of the partitions as ordered pages of all of them. */
export async function* merged<T>(
  sources: readonly AsyncGenerator<T[]>[],
  compare: (a: T, b: T) => number,
  pageSize: number,
): AsyncGenerator<T[]> {
  const heads = sources.map((source) => ({ source, page: [] as T[], at: 0, isOver: false }))
  try {
    let page: T[] = []
    for (;;) {
      for (const head of heads) {
        while (!head.isOver && head.at === head.page.length) {
          const next = await head.source.next()
          if (next.done) head.isOver = true
          else Object.assign(head, { page: next.value, at: 0 })
        }
      }
      const open = heads.filter((head) => !head.isOver)
      if (open.length === 0) break
      const first = open.reduce((a, b) => (compare(a.page[a.at]!, b.page[b.at]!) <= 0 ? a : b))
      page.push(first.page[first.at++]!)
      if (page.length < pageSize) continue
      yield page
      page = []
    }
    if (page.length > 0) yield page
  } finally {
    for (const { source } of heads) await source.return(undefined)
  }
}
