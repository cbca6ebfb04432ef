/** State of a key that is to be loaded. */
export type LoadStep =
  | { kind: 'hit'; value: Uint8Array }
  /** Nothing is cached, but a write waits; `isHidden`: the key was deleted since, so that it must not be read. */
  | { kind: 'waits'; value: Uint8Array; isHidden: boolean }
  /** Another loads it. */
  | { kind: 'held'; leftMs: number }
  | { kind: 'load'; token: number }

/** Next step of a load. */
export type LoadEnd =
  | { kind: 'store'; value: Uint8Array; ttlMs: number }
  | { kind: 'renew'; leaseMs: number }
  | { kind: 'release' }
