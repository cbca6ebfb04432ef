/** Knows where it stands in its roster, which is for the roster alone to say. */
export interface Placed {
  place: number
}

/**
 * Who is here, where members come and go by the thousand a second.
 *
 * A `Map` or `Set` is rebuilt again and again under such use, and each of its old tables points to the next: once one
 * has grown old, the garbage collector's quick rounds keep all that follow, with every job that ever stood in one.
 */
export class Roster<T extends Placed> implements Iterable<T> {
  readonly #members: T[] = []

  get size(): number {
    return this.#members.length
  }

  has(member: T): boolean {
    return this.#members[member.place] === member
  }

  add(member: T): void {
    member.place = this.#members.push(member) - 1
  }

  /** The last one takes its place. */
  delete(member: T): boolean {
    if (!this.has(member)) return false
    const last = this.#members.pop()!
    if (last !== member) {
      last.place = member.place
      this.#members[member.place] = last
    }
    member.place = -1
    return true
  }

  [Symbol.iterator](): Iterator<T> {
    return this.#members.values()
  }
}
