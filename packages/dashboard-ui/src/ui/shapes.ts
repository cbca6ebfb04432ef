/** Shapes in front of a state, distinct even without colour. */
export type Shape =
  | 'failing'
  | 'warning'
  | 'on-time'
  | 'running'
  | 'open'
  | 'deferred'
  | 'retrying'
  | 'paused'
  | 'aborted'
  | 'skipped'
  | 'dead'
