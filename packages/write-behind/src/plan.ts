/**
 * Events of one key, decided without Redis, clock or persister: `decide(state, event, nowUs)` returns the next state
 * and the outcome of the event. The store applies it by compare-and-set, so events of one key happen one after the other.
 *
 * clean → dirty (a value waits) → held (somebody persists it) → clean, dirty again when a newer value came meanwhile or
 * the persister failed, or dead when it failed for good: dirty, but nobody comes again until the next write.
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
  /** Time by which the pending value should be persisted, in unix ms of Redis's clock. */
  dueMs: number
  /**
   * Names the job that persists what is pending: it changes when a run begins, so that a write that comes meanwhile asks
   * for a job of its own. Writes of one epoch share one job.
   */
  epoch: number
  /** The job of this epoch was asked for, due at `dueMs`: writes join it that need not be persisted sooner. */
  isAsked: boolean
  /** The queue that the job of this epoch was asked for in; null where that is not known for certain. */
  askedIn: string | null
  /** The version that was last persisted; 0 for none that is known of. */
  persisted: number
  /**
   * Lock of the running persister: its job (null for a flush), and its end unless it is renewed. `owes`: others left the
   * pending value to it, and do not come again.
   */
  lock: { token: string; jobId: string | null; untilUs: number; owes: boolean } | null
  /** Another run found the key held, and left it to the holder. */
  again: boolean
  /** The epoch of the job that brings what is pending, since one that brought an older value failed for good. */
  broughtBy: number | null
  /** Set when the pending value failed for good and is in a dead letter. */
  dead: { error: string; atMs: number } | null
  /** Set when the pending value was deleted from the cache: it is still persisted, but no longer read. */
  isHidden: boolean
}

export const CLEAN: KeyState = {
  pending: null,
  dueMs: 0,
  epoch: 0,
  isAsked: false,
  askedIn: null,
  persisted: 0,
  lock: null,
  again: false,
  broughtBy: null,
  dead: null,
  isHidden: false,
}

/** Decision about a value whose persister failed, made by the one who ran it. */
export type Aftermath =
  /** The same job comes again. */
  | { then: 'retry'; inMs: number }
  /** The one who ran it does not come again: other jobs may be there. */
  | { then: 'leave' }
  /**
   * The job becomes a dead letter. `carriesValue`: its arguments hold the value that failed; else a job that does has to die
   * for it, `inMs` later. `epoch` of the job, null for one that is not ours.
   */
  | { then: 'die'; carriesValue: boolean; epoch: number | null; inMs: number }

export type KeyEvent =
  /** A write. `version` is given for one that was made elsewhere, at that time; `queueName` by one who asks for its job. */
  | { kind: 'write'; value: Uint8Array; persister: string; delayMs: number; version?: number; queueName?: string }
  /** The key was deleted from the cache. */
  | { kind: 'delete' }
  /** Somebody wants to persist what is pending: a job, which is no dead letter then, or a flush (null). */
  | { kind: 'begin'; token: string; jobId: string | null; lockMs: number }
  | { kind: 'renew'; token: string; lockMs: number }
  /** This version is durable. `mayGoOn`: the holder would persist a newer one at once. */
  | { kind: 'persisted'; token: string; version: number; mayGoOn: boolean }
  /** The persister of this version failed. */
  | ({ kind: 'failed'; token: string; version: number; error: string } & Aftermath)

/** A newer value waits, or the same for another job: the job of this epoch is to be asked for, unless it was. */
export interface Newer {
  kind: 'newer'
  epoch: number
  pending: Pending
  delayMs: number
}

export type Outcome =
  | { kind: 'written'; version: number; epoch: number }
  /** As many keys are dirty as may be: nothing was changed. */
  | { kind: 'full' }
  /** A newer value is known: nothing was changed. */
  | { kind: 'superseded'; by: number }
  /** `wasShown`: a value that waits had stood for the cache entry. */
  | { kind: 'deleted'; wasShown: boolean }
  | { kind: 'persist'; pending: Pending }
  /** Nothing waits. */
  | { kind: 'clean' }
  /** Another holds the key, and will persist what waits. */
  | { kind: 'busy' }
  | Newer
  /** A newer value waits, and nobody else will come: persist it now. */
  | { kind: 'again'; pending: Pending }
  | { kind: 'held' }
  /** The key is free; what waits has its job. */
  | { kind: 'released' }
  /** The key is free; what waits does so until the next write, retry or flush. */
  | { kind: 'dead' }
  /** The lock went to somebody else. */
  | { kind: 'lost' }

type Step = { state: KeyState; outcome: Outcome }
type Event<Kind extends KeyEvent['kind']> = Extract<KeyEvent, { kind: Kind }>

/** Pure: the next state of a key, and what came of the event. */
export function decide(state: KeyState, event: KeyEvent, nowUs: number): Step {
  switch (event.kind) {
    case 'write':
      return write(state, event, nowUs)
    case 'delete':
      return {
        state: state.pending ? { ...state, isHidden: true } : state,
        outcome: { kind: 'deleted', wasShown: state.pending !== null && !state.isHidden },
      }
    case 'begin':
      return begin(state, event, nowUs)
    case 'renew':
      if (state.lock?.token !== event.token) return { state, outcome: { kind: 'lost' } }
      return {
        state: { ...state, lock: { ...state.lock, untilUs: untilUs(event, nowUs) } },
        outcome: { kind: 'held' },
      }
    case 'persisted':
      return persisted(state, event, nowUs)
    case 'failed':
      return failed(state, event, nowUs)
  }
}

function write(state: KeyState, event: Event<'write'>, nowUs: number): Step {
  const { pending } = state
  const { value, persister, delayMs, queueName = null } = event
  const newest = Math.max(pending?.version ?? 0, state.persisted)
  if (event.version !== undefined && event.version <= newest) {
    // A job that brings its value writes it again with each run.
    const isItself =
      pending?.version === event.version && pending.persister === persister && isEqual(pending.value, value)
    if (isItself) return { state, outcome: { kind: 'written', version: event.version, epoch: state.epoch } }
    return { state, outcome: { kind: 'superseded', by: newest } }
  }
  const version = event.version ?? Math.max(nowUs, newest + 1)
  const dueMs = msOf(nowUs) + delayMs
  const joins = pending !== null && state.isAsked && state.dueMs <= dueMs
  // Its own where the job of this epoch comes too late. A clean key's was used.
  const epoch = pending === null || (state.isAsked && !joins) ? nextEpoch(state, nowUs) : state.epoch
  return {
    state: {
      ...state,
      pending: { value, version, persister },
      epoch,
      isAsked: true,
      // Two writers with queues of their own ask for one job, and either may have been the first.
      askedIn: joins && state.askedIn !== queueName ? null : queueName,
      dueMs: joins ? state.dueMs : dueMs,
      broughtBy: null,
      dead: null,
      isHidden: false,
    },
    outcome: { kind: 'written', version, epoch },
  }
}

function begin(state: KeyState, event: Event<'begin'>, nowUs: number): Step {
  if (state.pending === null) return { state, outcome: { kind: 'clean' } }
  const { lock } = state
  const { jobId, token } = event
  // The last run of a job counts: the one before has crashed, or hangs.
  const isHeld = lock !== null && lock.untilUs > nowUs && (jobId === null || lock.jobId !== jobId)
  const dead = jobId === null ? state.dead : null
  const next = { ...state, epoch: nextEpoch(state, nowUs), isAsked: false, askedIn: null, dead }
  if (isHeld) return { state: { ...next, again: true }, outcome: { kind: 'busy' } }
  // One that is overtaken leaves what waits to the one who overtook it.
  const owes = lock !== null
  return {
    state: { ...next, lock: { token, jobId, untilUs: untilUs(event, nowUs), owes }, again: false },
    outcome: { kind: 'persist', pending: state.pending },
  }
}

function persisted(state: KeyState, event: Event<'persisted'>, nowUs: number): Step {
  const { pending } = state
  const isMine = state.lock?.token === event.token
  const known = { ...state, persisted: Math.max(state.persisted, event.version) }
  const free = isMine ? { lock: null, again: false } : {}
  if (pending === null || pending.version <= event.version) {
    const rest = { pending: null, isAsked: false, askedIn: null, broughtBy: null, dead: null, isHidden: false }
    return { state: { ...known, ...free, ...rest }, outcome: { kind: 'clean' } }
  }
  if (!isMine) return { state: known, outcome: { kind: 'lost' } }
  if (!state.again) return asking({ ...known, ...free }, pending, state.dueMs, nowUs)
  if (!event.mayGoOn) return asking({ ...known, ...free }, pending, 0, nowUs)
  return {
    state: { ...known, again: false, lock: { ...state.lock!, owes: true } },
    outcome: { kind: 'again', pending },
  }
}

function failed(state: KeyState, event: Event<'failed'>, nowUs: number): Step {
  if (state.lock?.token !== event.token) return { state, outcome: { kind: 'lost' } }
  const free = { ...state, lock: null, again: false }
  const { pending } = state
  if (pending === null) return { state: free, outcome: { kind: 'clean' } }
  if (event.then === 'retry') {
    const dueMs = msOf(nowUs) + event.inMs
    return {
      state: { ...free, dueMs: state.isAsked ? Math.min(state.dueMs, dueMs) : dueMs },
      outcome: { kind: 'released' },
    }
  }
  if (event.then === 'leave') {
    return state.again || state.lock.owes
      ? asking(free, pending, 0, nowUs)
      : { state: free, outcome: { kind: 'released' } }
  }
  if (pending.version !== event.version) return asking(free, pending, state.isAsked ? state.dueMs : 0, nowUs)
  const isShown = event.carriesValue || (event.epoch !== null && event.epoch === state.broughtBy)
  if (isShown) {
    return { state: { ...free, dead: { error: event.error, atMs: msOf(nowUs) } }, outcome: { kind: 'dead' } }
  }
  if (state.broughtBy !== null) {
    const { inMs: delayMs } = event
    return { state: free, outcome: { kind: 'newer', epoch: state.broughtBy, pending, delayMs } }
  }
  return asking({ ...free, broughtBy: state.epoch }, pending, msOf(nowUs) + event.inMs, nowUs)
}

/** The job of this epoch is needed, by `dueMs` or at once. */
function asking(state: KeyState, pending: Pending, dueMs: number, nowUs: number): Step {
  const due = Math.max(dueMs, msOf(nowUs))
  return {
    state: { ...state, isAsked: true, askedIn: state.isAsked ? state.askedIn : null, dueMs: due },
    outcome: { kind: 'newer', epoch: state.epoch, pending, delayMs: due - msOf(nowUs) },
  }
}

/** Never used before: the job of an earlier epoch may have run, and its id be taken by its result. */
function nextEpoch(state: KeyState, nowUs: number): number {
  return Math.max(nowUs, state.epoch + 1)
}

function untilUs({ lockMs }: { lockMs: number }, nowUs: number): number {
  return nowUs + lockMs * 1_000
}

function msOf(us: number): number {
  return Math.floor(us / 1_000)
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
