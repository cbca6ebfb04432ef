/** A member that carries its index in its list, which only the list changes. */
export interface Indexed {
  index: number
}

/**
 * A set in an array, for members that come and go by the thousand a second.
 *
 * A `Map` or `Set` is rebuilt again and again under such use, and each of its old tables points to the next: once one
 * table has grown old, the garbage collector's quick rounds keep all that follow, with every job that ever was in one.
 */
export class SwapList<T extends Indexed> implements Iterable<T> {
  readonly #members: T[] = []

  get size(): number {
    return this.#members.length
  }

  has(member: T): boolean {
    return this.#members[member.index] === member
  }

  add(member: T): void {
    member.index = this.#members.push(member) - 1
  }

  /** Moves the last member to the index of the one that goes. False when it is not a member. */
  delete(member: T): boolean {
    if (!this.has(member)) return false
    const last = this.#members.pop()!
    if (last !== member) {
      last.index = member.index
      this.#members[member.index] = last
    }
    member.index = -1
    return true
  }

  [Symbol.iterator](): Iterator<T> {
    return this.#members.values()
  }
}
