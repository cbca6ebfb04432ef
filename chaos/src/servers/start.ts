import type { Topology } from '../plan/faults.ts'
import { startCluster } from './cluster.ts'
import { startSentinel } from './sentinel.ts'
import { startSingle } from './single.ts'
import type { FailoverListener, Servers } from './topology.ts'

/** Starts the servers of a topology, each with its data in a folder below `dir`. */
export function startServers(topology: Topology, dir: string, onFailover: FailoverListener): Promise<Servers> {
  switch (topology) {
    case 'single':
      return startSingle(dir)
    case 'sentinel':
      return startSentinel(dir, onFailover)
    case 'cluster':
      return startCluster(dir)
  }
}
