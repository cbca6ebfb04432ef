export { aptInstall, aptLocked } from './apt.ts'
export { Child, describeChildrenSince } from './child.ts'
export { startRedisContainer, whyNoContainers } from './container.ts'
export { cpuMsOf } from './cpu.ts'
export { takeDatabase } from './database.ts'
export type { Database } from './database.ts'
export { eventually } from './eventually.ts'
export type { EventuallyOptions } from './eventually.ts'
export { fakeClock } from './fake-clock.ts'
export type { FakeClock } from './fake-clock.ts'
export { freePort } from './free-port.ts'
export {
  allPythons,
  ARQ_VERSIONS,
  pythonArq,
  pythonCelery,
  pythonCron,
  pythonQdrant,
  QDRANT_CLIENT,
  whyNoPython,
} from './python.ts'
export { RedisCluster } from './redis-cluster.ts'
export type { ClusterNode } from './redis-cluster.ts'
export { ReplicatedRedis } from './redis-replica.ts'
export { findServer, RedisServer } from './redis-server.ts'
export type { RedisServerOptions } from './redis-server.ts'
export { CuttingProxy } from './cutting-proxy.ts'
export type { Cut } from './cutting-proxy.ts'
export { inOtherRealm } from './surface/other-realm.ts'
export { methodsOf, unrefusedOf } from './surface/unrefused.ts'
export type { Surface } from './surface/unrefused.ts'
