import type { Topology } from '../plan/faults.ts'
import { startSentinel } from './sentinel.ts'
import { startSingle } from './single.ts'
import type { FailoverListener, Servers } from './topology.ts'

/** Starts the servers of a topology, each with its data in a folder below `dir`. */
export function startServers(topology: Topology, dir: string, onFailover: FailoverListener): Promise<Servers> {
  return topology === 'single' ? startSingle(dir) : startSentinel(dir, onFailover)
}
