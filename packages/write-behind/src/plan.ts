/**
 * What happens to one key, decided without Redis, clock or persister: `decide(state, event, nowUs)` gives the next state
 * and what came of the event. The store applies it by compare-and-set, so events of one key happen one after the other.
 *
 * clean → dirty (a value waits) → held (somebody persists it) → clean, or dirty again when a newer value came meanwhile
 */

/** A value that is not persisted yet. */
export interface Pending {
  value: Uint8Array
  /** Microseconds of Redis's clock, and above all versions of the key before: newer values have larger ones. */
  version: number
  /** `module:name` of the function that persists it. */
  persister: string
}

export interface KeyState {
  pending: Pending | null
  /** When the oldest unpersisted write came, in ms, and how long it may wait. Bounds the staleness. */
  dirtySinceMs: number
  delayMs: number
  /**
   * Names the job that persists what is pending: it changes when a run begins, so that a write that comes meanwhile asks
   * for a job of its own. Writes of one epoch share one job.
   */
  epoch: number
  /** The version that was last persisted; 0 for none that is known of. */
  persisted: number
  /** Who persists now, and until when that is believed without a renewal. */
  lock: { token: string; untilUs: number } | null
  /** Somebody came to persist while the key was held, and left it to the holder. */
  again: boolean
}

export const CLEAN: KeyState = {
  pending: null,
  dirtySinceMs: 0,
  delayMs: 0,
  epoch: 0,
  persisted: 0,
  lock: null,
  again: false,
}

export type KeyEvent =
  /** A write. `version` is given for one that was made elsewhere, at that time. */
  | { kind: 'write'; value: Uint8Array; persister: string; delayMs: number; version?: number }
  /** Somebody wants to persist what is pending. */
  | { kind: 'begin'; token: string; lockMs: number }
  | { kind: 'renew'; token: string; lockMs: number }
  /** This version is durable. */
  | { kind: 'persisted'; token: string; version: number }
  /** The persister failed. */
  | { kind: 'failed'; token: string }

export type Outcome =
  | { kind: 'written'; version: number; epoch: number }
  /** A newer value is known: nothing was changed. */
  | { kind: 'superseded' }
  | { kind: 'persist'; pending: Pending }
  /** Nothing waits. */
  | { kind: 'clean' }
  /** Another holds the key, and will persist what waits. */
  | { kind: 'busy' }
  /** A newer value waits, and its writer has asked for the job of this epoch. */
  | { kind: 'newer'; epoch: number; delayMs: number }
  /** A newer value waits, and nobody else will come: persist it now. */
  | { kind: 'again'; pending: Pending }
  | { kind: 'held' }
  /** The lock went to somebody else. */
  | { kind: 'lost' }

/** Pure: the next state of a key, and what came of the event. */
export function decide(state: KeyState, event: KeyEvent, nowUs: number): { state: KeyState; outcome: Outcome } {
  switch (event.kind) {
    case 'write':
      return write(state, event, nowUs)
    case 'begin':
      return begin(state, event, nowUs)
    case 'renew':
      if (state.lock?.token !== event.token) return { state, outcome: { kind: 'lost' } }
      return { state: { ...state, lock: lockOf(event, nowUs) }, outcome: { kind: 'held' } }
    case 'persisted':
      return persisted(state, event)
    case 'failed':
      if (state.lock?.token !== event.token) return { state, outcome: { kind: 'lost' } }
      return { state: { ...state, lock: null, again: false }, outcome: { kind: 'held' } }
  }
}

type Step = { state: KeyState; outcome: Outcome }

function write(state: KeyState, event: Extract<KeyEvent, { kind: 'write' }>, nowUs: number): Step {
  const newest = Math.max(state.pending?.version ?? 0, state.persisted)
  if (event.version !== undefined && event.version <= newest) return { state, outcome: { kind: 'superseded' } }
  const version = event.version ?? Math.max(nowUs, newest + 1)
  const { value, persister, delayMs } = event
  const isFirst = state.pending === null
  const first = isFirst ? { dirtySinceMs: Math.floor(nowUs / 1_000), delayMs } : {}
  const epoch = isFirst ? nextEpoch(state, nowUs) : state.epoch
  return {
    state: { ...state, ...first, epoch, pending: { value, version, persister } },
    outcome: { kind: 'written', version, epoch },
  }
}

function begin(state: KeyState, event: Extract<KeyEvent, { kind: 'begin' }>, nowUs: number): Step {
  if (state.pending === null) return { state, outcome: { kind: 'clean' } }
  const isHeld = state.lock !== null && state.lock.untilUs > nowUs && state.lock.token !== event.token
  const epoch = nextEpoch(state, nowUs)
  if (isHeld) return { state: { ...state, again: true, epoch }, outcome: { kind: 'busy' } }
  return {
    state: { ...state, lock: lockOf(event, nowUs), again: false, epoch },
    outcome: { kind: 'persist', pending: state.pending },
  }
}

function persisted(state: KeyState, event: Extract<KeyEvent, { kind: 'persisted' }>): Step {
  const isMine = state.lock?.token === event.token
  const version = Math.max(state.persisted, event.version)
  const free = isMine ? { lock: null, again: false } : {}
  if (state.pending === null || state.pending.version <= event.version) {
    return { state: { ...state, ...free, persisted: version, pending: null }, outcome: { kind: 'clean' } }
  }
  if (!isMine) return { state: { ...state, persisted: version }, outcome: { kind: 'lost' } }
  if (state.again) {
    return { state: { ...state, again: false, persisted: version }, outcome: { kind: 'again', pending: state.pending } }
  }
  const { epoch, delayMs } = state
  return { state: { ...state, ...free, persisted: version }, outcome: { kind: 'newer', epoch, delayMs } }
}

/** Never used before: the job of an earlier epoch may have run, and its id be taken by its result. */
function nextEpoch(state: KeyState, nowUs: number): number {
  return Math.max(nowUs, state.epoch + 1)
}

function lockOf(event: { token: string; lockMs: number }, nowUs: number): { token: string; untilUs: number } {
  return { token: event.token, untilUs: nowUs + event.lockMs * 1_000 }
}
