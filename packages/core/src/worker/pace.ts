/** How long one turn of counting is, in ms. */
const TURN_MS = 50

/**
 * How many jobs a worker starts per turn: what it may set aside ahead of its free slots, since it will come to them
 * within moments. A worker of long jobs has a pace of nothing, and keeps nothing from others.
 */
export class Pace {
  #turn = -1
  #count = 0
  #before = 0

  /** `nowMs` is monotonic. */
  add(started: number, nowMs: number): void {
    this.#advance(nowMs)
    this.#count += started
  }

  /** Jobs started in the last whole turn, or in this one when that is more. */
  perTurn(nowMs: number): number {
    this.#advance(nowMs)
    return Math.max(this.#before, this.#count)
  }

  #advance(nowMs: number): void {
    const turn = Math.floor(nowMs / TURN_MS)
    if (turn === this.#turn) return
    this.#before = turn === this.#turn + 1 ? this.#count : 0
    this.#turn = turn
    this.#count = 0
  }
}
