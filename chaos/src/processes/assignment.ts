import type { RedisOptions } from 'ioredis'
import type { Slot } from '../plan/slots.ts'
import type { Target } from '../servers/topology.ts'

/** What a process of the fleet is given, as its one argument in JSON. */
export interface Assignment {
  slot: Slot
  /** Name of this incarnation, such as `ts-worker-1#3`. */
  worker: string
  seed: string
  redis: Target
  ledgerPort: number
  leaseMs: number
  /** Jobs per second of a producer. */
  rate: number
  logLevel: string
  python: boolean
}

/** Reads the argument. */
export function readAssignment(): Assignment {
  return JSON.parse(process.argv[2] ?? '{}') as Assignment
}

/** The target as options of ioredis. */
export function ioredisOptions(target: Target): RedisOptions {
  const own = { username: 'default', password: target.password, db: target.db }
  if (target.kind === 'single') return { ...own, host: '127.0.0.1', port: target.port }
  return { ...own, sentinels: target.sentinels, name: target.master, natMap: target.natMap }
}
