import { setTimeout as sleep } from 'node:timers/promises'
import { TimeoutError } from '@arq-ts/core'
import { endOf } from '../end-of.ts'
import type { LoadContext } from '../options.ts'
import type { Store } from '../store.ts'

/** Interval at which a waiting loader looks for the value: at first, and at most. */
const MIN_POLL_MS = 10
const MAX_POLL_MS = 250

/** Dependencies of a load. */
export interface Load<Value> {
  load: (context: LoadContext) => Value | undefined | Promise<Value | undefined>
  encode: (value: Value) => Uint8Array
  decode: (bytes: Uint8Array) => Value
  ttlMs: number
  leaseMs: number
  timeoutMs: number
}

/**
 * Loads what the cache does not have, once for all who ask: in this process they share one promise, between processes a
 * lease in Redis.
 *
 * looking → hit, or waiting (another holds the lease) → looking; or loading (the lease is ours, and is renewed) → stored,
 * or given back. A lease lapses with the process that holds it, and a write or a deletion of the key takes it away.
 */
export class Loader {
  readonly #store: Store
  readonly #flights = new Map<string, Promise<unknown>>()

  constructor(store: Store) {
    this.#store = store
  }

  /** @throws what the loader throws; TimeoutError. */
  get<Value>(key: string, load: Load<Value>): Promise<Value | undefined> {
    const flight = this.#flights.get(key)
    if (flight) return flight as Promise<Value | undefined>
    const mine = this.#fly(key, load).finally(() => this.#flights.delete(key))
    this.#flights.set(key, mine)
    return mine
  }

  async #fly<Value>(key: string, load: Load<Value>): Promise<Value | undefined> {
    const { decode, leaseMs, timeoutMs } = load
    const deadline = performance.now() + timeoutMs
    for (let pollMs = MIN_POLL_MS; ; pollMs = Math.min(pollMs * 2, MAX_POLL_MS)) {
      const step = await this.#store.beginLoad(key, leaseMs)
      if (step.kind === 'hit') return decode(step.value)
      if (step.kind === 'load') return this.#load(key, step.token, load, deadline)
      if (step.kind === 'waits') {
        if (!step.isHidden) return decode(step.value)
        // Deleted, and about to be persisted: what is read now may be older, and is not kept.
        return this.#run(key, null, load, deadline)
      }
      const leftMs = deadline - performance.now()
      if (leftMs <= 0) throw new TimeoutError(`getOrLoad('${key}'): another process has loaded it for ${timeoutMs} ms`)
      // Those who wait for one key spread, so that they do not all look at once.
      await sleep(Math.min(pollMs * (0.5 + Math.random() / 2), step.leftMs + 1, leftMs))
    }
  }

  async #load<Value>(key: string, token: number, load: Load<Value>, deadline: number): Promise<Value | undefined> {
    const { decode, encode, leaseMs, ttlMs } = load
    const renewing = setInterval(() => {
      this.#store.endLoad(key, token, { kind: 'renew', leaseMs }).catch(() => {}) // it lapses, or the next one comes through
    }, leaseMs / 3)
    let value: Value | undefined
    let bytes: Uint8Array | undefined
    try {
      value = await this.#run(key, token, load, deadline)
      if (value !== undefined) bytes = encode(value)
    } finally {
      clearInterval(renewing)
      if (bytes === undefined) await this.#store.endLoad(key, token, { kind: 'release' }).catch(() => false)
    }
    if (bytes === undefined || (await this.#store.endLoad(key, token, { kind: 'store', value: bytes, ttlMs })))
      return value
    // Written, deleted, or loaded by another since: what is there now is newer.
    const newer = await this.#store.get(key)
    return newer === null ? value : decode(newer)
  }

  /** Calls the loader, which has until the deadline: one that hangs must not hold the key for ever. */
  async #run<Value>(
    key: string,
    token: number | null,
    { load, timeoutMs }: Load<Value>,
    deadline: number,
  ): Promise<Value | undefined> {
    const cut = new AbortController()
    const late = new TimeoutError(`getOrLoad('${key}'): not loaded within ${timeoutMs} ms`)
    const timer = setTimeout(() => cut.abort(late), Math.max(0, deadline - performance.now()))
    try {
      return await endOf(cut.signal, 0, () => load({ key, token, signal: cut.signal }))
    } finally {
      clearTimeout(timer)
    }
  }
}
