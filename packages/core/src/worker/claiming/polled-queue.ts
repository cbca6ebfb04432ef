import type { QueueOptions } from '../../options/worker.ts'

/**
 * One queue as the claim loop knows it: the jobs set aside for this worker ahead of its free slots, the call under way
 * that sets more aside, and a rest after a fault.
 */
export class PolledQueue {
  readonly name: string
  readonly weight: number
  /**
   * Each id once: a reservation that lapses while its job is still prefetched is made again by the next call, and one claim
   * that names an id twice is given the job twice.
   */
  readonly #prefetched = new Set<string>()
  #refill: Promise<void> | undefined
  #restUntilMs = 0

  constructor({ name, weight }: Required<QueueOptions>) {
    this.name = name
    this.weight = weight
  }

  /** Number of jobs that are set aside. */
  get prefetched(): number {
    return this.#prefetched.size
  }

  get isRefilling(): boolean {
    return this.#refill !== undefined
  }

  /** Takes up to `want` of the jobs that are set aside. */
  take(want = Infinity): string[] {
    const taken: string[] = []
    for (const jobId of this.#prefetched) {
      if (taken.length >= want) break
      this.#prefetched.delete(jobId)
      taken.push(jobId)
    }
    return taken
  }

  store(jobIds: readonly string[]): void {
    for (const jobId of jobIds) this.#prefetched.add(jobId)
  }

  /** Stores the jobs of a call under way; a failed call stores none, and the next poll reports the fault. */
  refill(jobIds: Promise<readonly string[]>, onRefilled: () => void): void {
    this.#refill = jobIds
      .then((ids) => {
        this.store(ids)
        onRefilled()
      })
      .catch(() => {})
      .finally(() => (this.#refill = undefined))
  }

  async refilled(): Promise<void> {
    await this.#refill
  }

  /** Leaves the queue alone for a while; returns `ms`. */
  rest(ms: number): number {
    this.#restUntilMs = performance.now() + ms
    return ms
  }

  /** Milliseconds the queue is still to be left alone; 0 or less when it may be polled. */
  get restMs(): number {
    return this.#restUntilMs - performance.now()
  }
}
