/** Shapes that stand before a state; each is told apart without its colour. */
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
