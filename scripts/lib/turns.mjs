// Output of programs that run side by side, a group for each program: the group that was opened first is printed as it comes,
// each other one as a whole when those before it are closed.

/** Order in which groups are printed. `print` gets each piece with the name of its stream. */
export class Turns {
  #print
  /** Open groups in their order; of those behind the first, what they said so far. */
  #groups = []

  constructor(print = (stream, piece) => process[stream].write(piece)) {
    this.#print = print
  }

  /** A group behind those that are open: `{ write(stream, piece), close() }`. */
  open() {
    const group = { pieces: [], isOpen: true }
    this.#groups.push(group)
    return {
      write: (stream, piece) => {
        if (group === this.#groups[0]) this.#print(stream, piece)
        else group.pieces.push([stream, piece])
      },
      close: () => {
        group.isOpen = false
        while (this.#groups.length > 0 && !this.#groups[0].isOpen) {
          this.#groups.shift()
          this.#flush(this.#groups[0])
        }
      },
    }
  }

  /** Prints what all groups have said, for a run that ends early. */
  flush() {
    for (const group of this.#groups) this.#flush(group)
  }

  #flush(group) {
    for (const [stream, piece] of group?.pieces.splice(0) ?? []) this.#print(stream, piece)
  }
}
