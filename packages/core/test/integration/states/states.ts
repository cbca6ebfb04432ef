import { eventually, freePort, RedisServer } from '@arq-ts/test-support'
import type { Redis } from 'ioredis'

/** Stands before all keys, so that they lie in one slot. */
export const PREFIX = '{q}:'

/** A state of Redis in which it refuses calls that it takes as a rule. */
export interface State {
  /** Further arguments of the server. */
  args?: readonly string[]
  /** Begins the state, and returns what ends it. `admin` is a connection that the state leaves alone. */
  begin(admin: Redis, server: RedisServer): Promise<() => Promise<unknown>>
  /** The server's reply, as errors and log lines have it, and what they say is to be done. */
  says: RegExp
  /** True where calls that only read are answered. */
  reads: boolean
  /** Makes the server ready for the state, before anybody else connects. */
  prepare?: (admin: Redis) => Promise<unknown>
}

const set =
  (name: string, during: string, otherwise: string, before?: (admin: Redis) => Promise<unknown>): State['begin'] =>
  async (admin) => {
    await admin.config('SET', name, during)
    await before?.(admin)
    return () => admin.config('SET', name, otherwise)
  }

/** Ends all connections but that of the admin: those that are open keep what they were allowed. */

async function cutAll(admin: Redis): Promise<void> {
  await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
  await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub', 'SKIPME', 'yes')
}

const orphaned = async (admin: Redis) => {
  await admin.replicaof('127.0.0.1', await freePort())
  return () => admin.replicaof('NO', 'ONE')
}

/** A cluster of one server, which has all slots: a client that does not know of clusters works there under one hash tag. */
const cluster: Pick<State, 'args' | 'prepare'> = {
  args: ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'],
  prepare: async (admin) => {
    await admin.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
    await eventually(async () => String(await admin.call('CLUSTER', 'INFO')).includes('cluster_state:ok'))
  },
}
const slotOf = async (admin: Redis) => String(await admin.call('CLUSTER', 'KEYSLOT', PREFIX))

/** The states, each on a server of its own. */
export const states: Readonly<Record<string, State>> = {
  'memory is full': { begin: set('maxmemory', '1', '0'), says: /OOM .*maxmemory/, reads: true },
  'a replica that takes no writes': { begin: orphaned, says: /READONLY .*primary/, reads: true },
  'a replica without its primary': {
    args: ['--replica-serve-stale-data', 'no'],
    begin: orphaned,
    says: /(MASTERDOWN|READONLY) .*primary/,
    reads: false,
  },
  'a primary without its replicas': {
    begin: set('min-replicas-to-write', '1', '0'),
    says: /NOREPLICAS .*replica/,
    reads: true,
  },
  'a data set that cannot be saved': {
    // Nothing can be written there.
    args: ['--dir', '/proc'],
    begin: async (admin) => {
      await admin.config('SET', 'save', '3600 1')
      await admin.bgsave()
      await eventually(async () => (await admin.info('persistence')).includes('rdb_last_bgsave_status:err'))
      return () => admin.config('SET', 'save', '')
    },
    says: /MISCONF .*disk/,
    reads: true,
  },
  'a script that does not end': {
    args: ['--busy-reply-threshold', '50'],
    begin: async (admin) => {
      const busy = admin.duplicate()
      const ended = busy.eval('while true do end', 0).catch(() => {})
      await eventually(() =>
        admin.get('x').then(
          () => false,
          () => true,
        ),
      )
      return async () => {
        await admin.call('SCRIPT', 'KILL')
        await ended
        busy.disconnect()
      }
    },
    says: /BUSY .*SCRIPT KILL/,
    reads: false,
  },
  'a data set that is being loaded': {
    args: [
      '--enable-debug-command',
      'yes',
      '--loading-process-events-interval-bytes',
      '1024',
      '--rdbcompression',
      'no',
    ],
    begin: async (admin) => {
      const keys = Array.from({ length: 500 }, (_, i) => [`filler:${i}`, 'x'.repeat(1_024)]).flat()
      await admin.mset(...keys)
      await admin.config('SET', 'key-load-delay', '20000')
      const reloading = admin.duplicate()
      const ended = reloading.call('DEBUG', 'RELOAD').catch(() => {})
      await eventually(() =>
        admin.get('x').then(
          () => false,
          () => true,
        ),
      )
      return async () => {
        await admin.config('SET', 'key-load-delay', '0')
        await ended
        reloading.disconnect()
        await admin.del(...keys.filter((_, i) => i % 2 === 0))
      }
    },
    says: /LOADING .*memory/,
    reads: false,
  },
  'a password that has changed': {
    begin: set('requirepass', 'changed', '', cutAll),
    says: /NOAUTH|WRONGPASS/,
    reads: false,
  },
  'too many clients': { begin: set('maxclients', '1', '10000', cutAll), says: /max number of clients/, reads: false },
  'a slot that no server has': {
    ...cluster,
    begin: async (admin) => {
      const slot = await slotOf(admin)
      await admin.call('CLUSTER', 'DELSLOTS', slot)
      return async () => {
        await admin.call('CLUSTER', 'ADDSLOTS', slot)
        await eventually(async () => String(await admin.call('CLUSTER', 'INFO')).includes('cluster_state:ok'))
      }
    },
    says: /CLUSTERDOWN .*slot/,
    reads: false,
  },
  'a slot that moves away, for a client that does not know of clusters': {
    ...cluster,
    begin: async (admin) => {
      const [other, slot] = [await RedisServer.start({ args: cluster.args! }), await slotOf(admin)]
      const there = admin.duplicate({ port: other.port })
      const id = String(await there.call('CLUSTER', 'MYID'))
      await admin.call('CLUSTER', 'MEET', '127.0.0.1', String(other.port))
      await eventually(async () => String(await admin.call('CLUSTER', 'NODES')).includes(id))
      await eventually(() => admin.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', id))
      return async () => {
        await admin.call('CLUSTER', 'SETSLOT', slot, 'STABLE')
        there.disconnect()
        await other.stop()
      }
    },
    says: /(ASK|TRYAGAIN) .*cluster/i,
    reads: false,
  },
}
