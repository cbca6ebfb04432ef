import type { ServerSettings } from '../redis/server.ts'
import type { Found } from './diagnose.ts'

const MAX_CLOCK_OFFSET_MS = 2_000

/** Finds settings of the server by which jobs are lost. */
export function* serverFindings(server: ServerSettings): Generator<Found> {
  if (server.evictionPolicy !== undefined && server.evictionPolicy !== 'noeviction') {
    const message = `the server evicts keys when its memory is full (maxmemory-policy ${server.evictionPolicy}): jobs are lost`
    yield { check: 'eviction-policy', severity: 'error', message, repair: 'set maxmemory-policy to noeviction' }
  }
  if (server.evictionPolicy === undefined) {
    const message = 'it is not known whether the server evicts keys: its user may ask neither CONFIG nor INFO'
    yield { check: 'eviction-policy', severity: 'warning', message }
  }
  if (server.persists === false) {
    const message = 'the server writes nothing to disk: a restart loses every job'
    yield { check: 'persistence', severity: 'warning', message }
  } else if (server.appendOnly === false) {
    const message = 'the server keeps snapshots alone (appendonly no): a crash loses every job since the last one'
    yield { check: 'persistence', severity: 'warning', message }
  }
  yield* replicationFindings(server)
  if (Math.abs(server.clockOffsetMs) > MAX_CLOCK_OFFSET_MS) {
    const direction = server.clockOffsetMs > 0 ? 'behind' : 'ahead of'
    const message = `this machine's clock is ${Math.abs(server.clockOffsetMs)} ms ${direction} Redis's; Python workers go by their own clocks`
    yield { check: 'clock', severity: 'warning', message }
  }
}

/** Set-ups in which a failover loses jobs that were acknowledged. */
function* replicationFindings({ appendOnly, persists, replication }: ServerSettings): Generator<Found> {
  if (!replication) return
  const { role, replicas, minReplicasToWrite } = replication
  const check = 'replication'
  if (role === 'replica') {
    const message = 'the server is a replica: it takes no job, and what it shows may be behind its primary'
    yield { check, severity: 'error', message }
    return
  }
  if (replicas === 0) return
  const count = `${replicas} ${replicas === 1 ? 'replica' : 'replicas'}`
  if (minReplicasToWrite === 0) {
    const message = `the server has ${count} and acknowledges writes that none of them has (min-replicas-to-write 0): a failover loses the jobs that were enqueued last, and those enqueued at the old primary meanwhile; set min-replicas-to-write 1 and min-replicas-max-lag 5`
    yield { check, severity: 'warning', message }
  }
  if (minReplicasToWrite === undefined) {
    const message = `it is not known whether the server, which has ${count}, acknowledges writes that none of them has: its user may not ask CONFIG`
    yield { check, severity: 'warning', message }
  }
  if (persists === false && appendOnly === false) {
    const message = `the server has ${count} and writes nothing to disk: one that restarts before a failover comes back empty, and the replicas copy that; set appendonly yes`
    yield { check, severity: 'error', message }
  }
}
