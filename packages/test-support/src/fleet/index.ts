/** A fleet made from a seed: a mess of queues, workers and jobs of both languages, and the ledger of what it holds. */
export { Ledger } from './ledger.ts'
export type { LedgerFilter, LedgerFinding, LedgerQueue } from './ledger.ts'
export { payloadOf, resultOf } from './payloads.ts'
export { ADDRESSES, FUNCTIONS, NO_AGES, planFleet } from './plan.ts'
export type { FleetOptions } from './plan.ts'
export type * from './shape.ts'
export { writeFleet } from './write.ts'
export { Random } from './random.ts'
