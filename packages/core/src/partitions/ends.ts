import type { Subscriber } from '../redis/subscriber.ts'

/** Callers that wait for ends of jobs of one partition, which announces several ends in one message. */
export class Ends {
  readonly #subscriber: Subscriber
  readonly #channel: string
  readonly #waiting = new Map<string, Set<() => void>>()
  #listening: Promise<() => void> | undefined

  constructor(subscriber: Subscriber, channel: string) {
    this.#subscriber = subscriber
    this.#channel = channel
  }

  /** Calls `onEnd` when a job ends, until the returned function is called. Rejects like `Subscriber.listen`. */
  async listen(jobId: string, onEnd: () => void): Promise<() => void> {
    const waiting = this.#waiting.get(jobId) ?? new Set()
    this.#waiting.set(jobId, waiting.add(onEnd))
    const stop = () => this.#leave(jobId, onEnd)
    this.#listening ??= this.#subscriber.listen(this.#channel, (message) => this.#heard(message))
    const listening = this.#listening
    try {
      await listening
    } catch (error) {
      if (this.#listening === listening) this.#listening = undefined
      stop()
      throw error
    }
    return stop
  }

  /** Misses ids that contain a space; callers that wait for one find the end by asking at intervals, as all do. */
  #heard(message: string): void {
    for (const jobId of message.split(' ')) for (const onEnd of this.#waiting.get(jobId) ?? []) onEnd()
  }

  #leave(jobId: string, onEnd: () => void): void {
    const waiting = this.#waiting.get(jobId)
    if (!waiting?.delete(onEnd) || waiting.size > 0) return
    this.#waiting.delete(jobId)
    if (this.#waiting.size > 0) return
    this.#listening?.then(
      (stop) => stop(),
      () => {},
    )
    this.#listening = undefined
  }
}
