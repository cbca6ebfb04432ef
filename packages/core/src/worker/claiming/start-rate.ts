/** Length of one turn of counting, in ms. */
const TURN_MS = 50

/**
 * The number of jobs a worker starts per turn: as many as it may set aside ahead of its free slots, since it starts them
 * within moments. A worker of long jobs has a rate near zero, and keeps nothing from others.
 */
export class StartRate {
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
