/** The places of a fleet. A process that dies is replaced in its slot. */

export type SlotKind = 'ts-worker' | 'ts-producer' | 'py-worker' | 'py-producer'

/** One place of the fleet. */
export interface Slot {
  name: string
  kind: SlotKind
  /** Offset of its clock, in ms. */
  clockShiftMs: number
  /** The queue it serves, for a Python worker, which reads one codec only. */
  queue?: string
  codec?: 'pickle' | 'msgpack'
}

/** Jobs of Python's default codec: everybody's queue. */
export const PICKLE_QUEUE = 'arq:queue'

/** Jobs of Python workers and producers that were configured for msgpack. */
export const MSGPACK_QUEUE = 'chaos:msgpack'

export const QUEUES: readonly string[] = [PICKLE_QUEUE, MSGPACK_QUEUE]

/** Offset of the one clock that is wrong, in ms. */
const CLOCK_SHIFT_MS = 97_000

/** The fleet of a run: three workers of ours, and with Python two of arq; a producer of each. */
export function planFleet(options: { python: boolean; clock: boolean }): Slot[] {
  const { python, clock } = options
  const shift = (off: boolean) => (clock && off ? CLOCK_SHIFT_MS : 0)
  return [
    { name: 'ts-worker-1', kind: 'ts-worker', clockShiftMs: 0 },
    { name: 'ts-worker-2', kind: 'ts-worker', clockShiftMs: 0 },
    { name: 'ts-worker-3', kind: 'ts-worker', clockShiftMs: shift(true) },
    { name: 'ts-producer-1', kind: 'ts-producer', clockShiftMs: 0 },
    ...(python
      ? ([
          { name: 'py-worker-1', kind: 'py-worker', clockShiftMs: 0, queue: PICKLE_QUEUE, codec: 'pickle' },
          { name: 'py-worker-2', kind: 'py-worker', clockShiftMs: 0, queue: MSGPACK_QUEUE, codec: 'msgpack' },
          { name: 'py-producer-1', kind: 'py-producer', clockShiftMs: 0 },
        ] as const)
      : []),
  ]
}
