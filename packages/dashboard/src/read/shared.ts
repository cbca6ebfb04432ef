/** An answer that is not made within this time is made anew for those who ask then: what it waits for may never come. */
const MAX_MAKING_MS = 60_000

/** Answers that are the same for everybody, made once for all who ask within moments. */
export class Shared {
  readonly #answers = new Map<unknown, { untilMs: number; value: Promise<unknown> }>()
  /** Keys may come from queries; beyond this many the oldest goes. */
  readonly #most: number
  readonly #now: () => number

  /** @param now - monotonic time in ms. */
  constructor(most = 200, now: () => number = () => performance.now()) {
    this.#most = most
    this.#now = now
  }

  /** The number of answers that are kept. */
  get size(): number {
    return this.#answers.size
  }

  /** The answer that was made within the last `forMs`, or is being made; else a new one. A failure is not kept. */
  of<T>(key: unknown, forMs: number, make: () => Promise<T>): Promise<T> {
    const now = this.#now()
    const known = this.#answers.get(key)
    if (known && now < known.untilMs) return known.value as Promise<T>
    // Those at the front are the oldest: what is over takes no memory.
    for (const [old, { untilMs }] of this.#answers) {
      if (now < untilMs) break
      this.#answers.delete(old)
    }
    const value = make()
    const answer = { untilMs: now + MAX_MAKING_MS, value }
    this.#answers.delete(key)
    this.#answers.set(key, answer)
    if (this.#answers.size > this.#most) this.#answers.delete(this.#answers.keys().next().value!)
    value.then(
      () => (answer.untilMs = this.#now() + forMs),
      () => (answer.untilMs = 0),
    )
    return value
  }

  /** The next question is answered anew: something was changed. */
  forget(): void {
    this.#answers.clear()
  }
}
