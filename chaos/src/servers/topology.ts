import type { Redis } from 'ioredis'
import type { Fault } from '../plan/faults.ts'

/** Address at which a process finds Redis: enough for ioredis and for Python's RedisSettings. */
export type Target =
  | { kind: 'single'; port: number; password: string; db: number }
  | {
      kind: 'sentinel'
      sentinels: { host: string; port: number }[]
      master: string
      password: string
      db: number
      /** Server port to proxy port. */
      natMap: Record<string, { host: string; port: number }>
    }
  | {
      kind: 'cluster'
      nodes: { host: string; port: number }[]
      password: string
      natMap: Record<string, { host: string; port: number }>
    }

/** Put before every key in a cluster, so that all are in one slot. */
export const CLUSTER_PREFIX = '{chaos}:'

/** The servers of a run. */
export interface Servers {
  /** Ports that a process of ours connects to, each through a proxy of its own. */
  readonly ports: readonly number[]
  /** Address at which a process finds Redis; `proxies` maps the ports above, undefined connects directly. */
  target(proxies?: ReadonlyMap<number, number>): Target
  /** A client on the server that takes writes now. */
  admin(): Promise<Redis>
  /** Runs a fault of the kind `redis`, `failover` or `migrate`, until it is over. */
  suffer(fault: Fault): Promise<void>
  /** Starts what is down, and waits until all serve. */
  heal(): Promise<void>
  stop(): Promise<void>
}

/** Hears of failovers as they happen: those that a fault asked for, and those that Sentinel decides on its own. */
export type FailoverListener = (id: string, phase: 'began' | 'over') => void

/** Database of the fleet: not 0, so that connecting has a SELECT. */
export const DATABASE = 1

export const PASSWORD = 'chaos'
