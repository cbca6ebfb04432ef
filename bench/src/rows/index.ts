import type { MeasureRows } from '../bench.ts'
import { enqueue } from './enqueue.ts'
import { pickup } from './pickup.ts'
import { throughput } from './throughput.ts'

/** Groups of rows, in the order of the report. */
export const groups = {
  enqueue,
  work: throughput,
  pickup,
} satisfies Record<string, MeasureRows>
