/**
 * The time of the Redis server, estimated from the times its scripts report, so that the clocks of machines may differ.
 * A report that was sent for at `sent` and came at `received` bounds the true offset to an interval; the estimate moves
 * only as far as each interval demands, and so does not jitter.
 */
export class RedisClock {
  #offsetMs = 0
  #isKnown = false
  #local: () => number

  /** `local` gives this machine's time in unix ms. */
  constructor(local: () => number = Date.now) {
    this.#local = local
  }

  /** Takes the time from `now` instead, which is Redis's own: that of the test kit, which stands still. */
  follow(now: () => number): void {
    this.#local = now
    this.#offsetMs = 0
    this.#isKnown = true
  }

  /** This machine's own time in unix ms, to be taken before a call whose report is then observed. */
  local(): number {
    return this.#local()
  }

  /** Redis time in unix ms, as an integer. */
  now(): number {
    return Math.round(this.#local() + this.#offsetMs)
  }

  /** Delay of this machine's clock behind Redis's, in ms. */
  get offsetMs(): number {
    return this.#offsetMs
  }

  /** False until a report has come: `now()` is this machine's own time till then. */
  get isKnown(): boolean {
    return this.#isKnown
  }

  observe(redisNowMs: number, sentLocalMs: number): void {
    const receivedLocalMs = this.#local()
    this.#isKnown = true
    // Redis truncates to whole milliseconds, so its time may be up to 1 ms later than it says.
    const low = redisNowMs - receivedLocalMs
    const high = redisNowMs + 1 - sentLocalMs
    if (this.#offsetMs < low) this.#offsetMs = low
    else if (this.#offsetMs > high) this.#offsetMs = Math.max(high, low)
  }
}
