import type { MeasureRows } from '../bench.ts'
import { codecs } from './codecs.ts'
import { deferred } from './deferred.ts'
import { enqueue } from './enqueue.ts'
import { growth } from './growth.ts'
import { held } from './held.ts'
import { payloads } from './payloads.ts'
import { pickup } from './pickup.ts'
import { startup } from './startup.ts'
import { throughput } from './throughput.ts'

/** Groups of rows, in the order of the report. */
export const groups = {
  enqueue,
  work: throughput,
  pickup,
  deferred,
  scale: growth,
  payloads,
  codecs,
  held,
  startup,
} satisfies Record<string, MeasureRows>
