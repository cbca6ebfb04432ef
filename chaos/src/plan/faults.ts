/** The faults that a run can suffer. */

/** Layout of the servers: one Redis, a master with a replica and three sentinels, or three primaries of a cluster. */
export const TOPOLOGIES = ['single', 'sentinel', 'cluster'] as const

export type Topology = (typeof TOPOLOGIES)[number]

/** Everything that can go wrong, with the sentence that `--help` prints. */
export const FAULTS = {
  kill: 'SIGKILL of a worker or a producer',
  stop: 'SIGSTOP of a worker past its lease, then SIGCONT',
  term: 'SIGTERM of a worker, which stops in order',
  cut: 'every connection of one process, or of all, is cut',
  connect: 'connections are cut at one step of connecting, again and again',
  stall: 'connections stay open and carry nothing',
  delay: 'each byte is late',
  flush: 'SCRIPT FLUSH',
  slow: 'Redis serves nobody (DEBUG SLEEP)',
  oom: 'Redis is out of memory (maxmemory, noeviction)',
  redis: 'Redis is killed and comes back with its append-only file',
  failover: 'Sentinel promotes the replica: asked to, or because the master died',
  migrate: 'the slot of all jobs moves to another node of the cluster, half of its keys first',
  clock: "one worker's clock is off for the whole run",
} as const

export type FaultKind = keyof typeof FAULTS

/** Every kind, in the order of `FAULTS`. */
export const FAULT_KINDS = Object.keys(FAULTS) as FaultKind[]

/** Steps of connecting at which a connection is cut: when the command is seen, or when its reply arrives. */
export const CONNECT_STEPS = ['accept', 'AUTH', 'CLIENT', 'SELECT', 'INFO', 'SUBSCRIBE'] as const

export type ConnectStep = (typeof CONNECT_STEPS)[number]

/** One fault of the schedule. */
export interface Fault {
  /** Its number in the schedule, from 1. */
  id: number
  kind: FaultKind
  /** Its beginning, in ms from the start of the faults. */
  atMs: number
  /** Duration in ms; 0 for a blow such as a kill. */
  durationMs: number
  /** The slot of the fleet that it hits; null for Redis, or for all. */
  target: string | null
  /** `connect`: the step, and whether the reply to it is lost, too. */
  step?: ConnectStep
  afterSend?: boolean
  /** `delay`: by how much each byte is late, in ms. */
  delayMs?: number
  /** `failover`: the master is killed, or a sentinel is asked to promote the replica. */
  killsMaster?: boolean
}

/** One line about a fault, for people. */
export function describeFault(fault: Fault): string {
  const { kind, target, durationMs, step, afterSend, delayMs, killsMaster } = fault
  const details = [
    target ?? (kind === 'cut' || kind === 'connect' || kind === 'stall' || kind === 'delay' ? 'all' : 'redis'),
    ...(step ? [`${afterSend ? 'after' : 'at'} ${step}`] : []),
    ...(delayMs === undefined ? [] : [`${delayMs} ms late`]),
    ...(killsMaster === undefined ? [] : [killsMaster ? 'master killed' : 'asked']),
    ...(durationMs > 0 ? [`for ${(durationMs / 1000).toFixed(1)} s`] : []),
  ]
  return `${kind} ${details.join(', ')}`
}
