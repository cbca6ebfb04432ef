/** Answers that are the same for everybody, made once for all who ask within moments. */
export class Shared {
  readonly #answers = new Map<string, { untilMs: number; value: Promise<unknown> }>()
  /** Keys may come from queries; beyond this many the oldest goes. */
  readonly #most: number

  constructor(most = 200) {
    this.#most = most
  }

  /** The answer that was made within the last `forMs`, or is being made; else a new one. A failure is not kept. */
  of<T>(key: string, forMs: number, make: () => Promise<T>): Promise<T> {
    const known = this.#answers.get(key)
    if (known && performance.now() < known.untilMs) return known.value as Promise<T>
    const value = make()
    const answer = { untilMs: Infinity, value }
    this.#answers.delete(key)
    this.#answers.set(key, answer)
    if (this.#answers.size > this.#most) this.#answers.delete(this.#answers.keys().next().value!)
    value.then(
      () => (answer.untilMs = performance.now() + forMs),
      () => (answer.untilMs = 0),
    )
    return value
  }

  /** The next question is answered anew: something was changed. */
  forget(): void {
    this.#answers.clear()
  }
}
