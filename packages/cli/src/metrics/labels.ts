/** Names that were not known beforehand and get a label of their own; all further ones share one. */
const MAX_NAMES = 100
const MAX_LENGTH = 120
/** The label of a function that this worker does not have, and of all names beyond the bound. */
export const OTHER = '<other>'

/**
 * Label values from names that anybody who enqueues can choose: bounded in number and length, so that no producer can
 * make a scrape grow.
 */
export class Labels {
  readonly #known: Set<string>
  #room: number

  /** @param room - further names that get a label of their own; none for names that producers choose. */
  constructor(known: Iterable<string>, room = 0) {
    this.#known = new Set(known)
    this.#room = Math.min(room, MAX_NAMES)
  }

  /** The label of a name. */
  of(name: string): string {
    if (this.#known.has(name)) return short(name)
    if (this.#room <= 0) return OTHER
    this.#room--
    this.#known.add(name)
    return short(name)
  }
}

function short(name: string): string {
  return name.length > MAX_LENGTH ? `${name.slice(0, MAX_LENGTH - 1)}…` : name
}
