/** Time a reply is awaited awake, in ms. */
const AWAKE_MS = 0.2
/** Calls by which it is judged whether replies come in that time. */
const TRIAL = 8
const MIN_PAUSE_MS = 20
const MAX_PAUSE_MS = 1_000

/**
 * Stays awake for replies that are due at once. To fall asleep and be woken costs a process, and Redis, which must wake
 * it, more than the reply takes: on a virtual machine a tenth of a millisecond each. The loop goes round meanwhile, so
 * nobody's callbacks wait.
 *
 * Where most replies take longer, because others want the processor, it sleeps as usual, and tries again
 * after a while, which doubles as long as nothing changes.
 *
 * trying → awake ⇄ pausing
 */
export class Vigil {
  #awaited = 0
  #awakeUntil = 0
  #isAwake = false
  #calls = 0
  #late = 0
  #pauseMs = MIN_PAUSE_MS
  #pausedUntil = 0

  /** Stays awake for a reply until it is there, for a moment at most. The answer goes to `end`; -1 where it sleeps. */
  begin(): number {
    const sent = performance.now()
    if (sent < this.#pausedUntil) return -1
    this.#awaited++
    this.#awakeUntil = sent + AWAKE_MS
    if (!this.#isAwake) {
      this.#isAwake = true
      setImmediate(this.#turn)
    }
    return sent
  }

  /** Takes note of a reply, or of the failure of its call. */
  end(begun: number): void {
    if (begun < 0) return
    this.#awaited--
    this.#judge(performance.now(), begun)
  }

  readonly #turn = (): void => {
    if (this.#awaited > 0 && performance.now() < this.#awakeUntil) setImmediate(this.#turn)
    else this.#isAwake = false
  }

  #judge(now: number, sent: number): void {
    if (now - sent > AWAKE_MS) this.#late++
    if (++this.#calls < TRIAL) return
    if (this.#late > TRIAL / 2) {
      this.#pausedUntil = now + this.#pauseMs
      this.#pauseMs = Math.min(2 * this.#pauseMs, MAX_PAUSE_MS)
    } else this.#pauseMs = MIN_PAUSE_MS
    this.#calls = 0
    this.#late = 0
  }
}
