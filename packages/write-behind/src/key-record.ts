import { CLEAN } from './plan.ts'
import type { KeyState, Pending } from './plan.ts'

const FIELDS = Object.keys(CLEAN) as (keyof KeyState)[]

/** A key's state as Redis has it. The stamp is new with every change, so that a change to an older state is refused. */
export interface KeyRecord {
  state: KeyState
  /** Empty where nothing is stored. */
  stamp: string
}

/** A dirty key and its place among them: its score as Redis writes it. */
export interface DirtyPlace {
  key: string
  score: string
}

/** A dirty key's state without its value. */
export interface SizedState {
  state: Omit<KeyState, 'pending'> & { pending: Omit<Pending, 'value'> | null }
  /** Size of its value. */
  bytes: number
}

/** Reads the fields of a key's hash. */
export function readRecord(stamp: string | null, state: string | null, value: Uint8Array | null): KeyRecord {
  if (stamp === null || state === null) return { state: CLEAN, stamp: '' }
  const stored = JSON.parse(state) as KeyState
  const pending = stored.pending && value ? { ...stored.pending, value } : null
  return { state: { ...CLEAN, ...stored, pending }, stamp }
}

/** A state without its value, which has a field of its own; what is as in a clean state is left out. */
export function writeState(state: KeyState): string {
  const { pending } = state
  const kept: Record<string, unknown> = {}
  for (const name of FIELDS) if (state[name] !== CLEAN[name]) kept[name] = state[name]
  if (pending) kept.pending = { version: pending.version, persister: pending.persister }
  return JSON.stringify(kept)
}

/** Reads a state whose value stays in Redis; null where nothing waits, or what is there is no state of ours. */
export function readSized(text: string, bytes: number): SizedState | null {
  try {
    const state = JSON.parse(text) as KeyState
    return state.pending ? { state: { ...CLEAN, ...state }, bytes } : null
  } catch {
    return null // whoever handles this key alone says so
  }
}
