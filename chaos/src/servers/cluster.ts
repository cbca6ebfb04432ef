import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from '@arq-ts/test-support'
import type { Redis } from 'ioredis'
import type { Fault } from '../plan/faults.ts'
import { oneAtATime } from './one-at-a-time.ts'
import { RedisProcess } from './redis-process.ts'
import { CLUSTER_PREFIX, PASSWORD } from './topology.ts'
import type { Servers } from './topology.ts'

/** A node is taken for dead after this, in ms. */
const NODE_TIMEOUT_MS = 2_000
const SLOTS = 16_384
/** Keys that one MIGRATE moves. */
const BATCH = 100

/** Three primaries without replicas, each with an append-only file. All keys of the fleet are in one slot, by its prefix. */
export async function startCluster(dir: string): Promise<Servers> {
  const durable = ['--appendonly', 'yes', '--appendfsync', 'always', '--enable-debug-command', 'yes']
  const clustered = ['--cluster-enabled', 'yes', '--cluster-require-full-coverage', 'no']
  const timeout = ['--cluster-node-timeout', String(NODE_TIMEOUT_MS)]
  const nodes: RedisProcess[] = []
  for (const number of [1, 2, 3]) {
    const args = [...durable, ...clustered, ...timeout]
    nodes.push(await RedisProcess.start({ name: `redis-${number}`, dir, password: PASSWORD, args }))
  }
  const links = nodes.map((node) => node.client())
  const share = Math.ceil(SLOTS / nodes.length)
  for (const [i, link] of links.entries()) {
    await link.call('CLUSTER', 'ADDSLOTSRANGE', i * share, Math.min((i + 1) * share, SLOTS) - 1)
    await links[0]!.call('CLUSTER', 'MEET', '127.0.0.1', nodes[i]!.port)
  }
  await eventually(isWhole, { timeoutMs: 60_000, intervalMs: 100 })
  const ids = await Promise.all(links.map(async (link) => String(await link.call('CLUSTER', 'MYID'))))
  const slot = Number(await links[0]!.call('CLUSTER', 'KEYSLOT', CLUSTER_PREFIX))
  let owner = Math.floor(slot / share)

  async function isWhole(): Promise<boolean> {
    const states = await Promise.all(links.map(async (link) => String(await link.call('CLUSTER', 'INFO'))))
    return states.every((state) => state.includes('cluster_state:ok') && state.includes('cluster_known_nodes:3'))
  }

  /** Moves the slot to the next node; half of its keys are moved for `durationMs` before the other half follows. */
  async function migrate(durationMs: number): Promise<void> {
    const from = owner
    const to = (owner + 1) % nodes.length
    await links[to]!.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', ids[from]!)
    await links[from]!.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', ids[to]!)
    const half = Number(await links[from]!.call('CLUSTER', 'COUNTKEYSINSLOT', slot)) / 2
    await moveKeys(links[from]!, nodes[to]!.port, half)
    await sleep(durationMs)
    await moveKeys(links[from]!, nodes[to]!.port, Infinity)
    for (const each of [to, from]) await links[each]!.call('CLUSTER', 'SETSLOT', slot, 'NODE', ids[to]!)
    owner = to
    for (const link of links) await link.call('CLUSTER', 'SETSLOT', slot, 'NODE', ids[to]!).catch(() => {})
  }

  async function moveKeys(link: Redis, port: number, count: number): Promise<void> {
    for (let moved = 0; moved < count; moved += BATCH) {
      const keys = (await link.call('CLUSTER', 'GETKEYSINSLOT', slot, BATCH)) as string[]
      if (keys.length === 0) return
      await link.call('MIGRATE', '127.0.0.1', port, '', 0, 30_000, 'AUTH', PASSWORD, 'KEYS', ...keys)
    }
  }

  return {
    ports: nodes.map(({ port }) => port),
    target: (proxies) => ({
      kind: 'cluster',
      nodes: nodes.map(({ port }) => ({ host: '127.0.0.1', port: proxies?.get(port) ?? port })),
      password: PASSWORD,
      natMap: Object.fromEntries(
        nodes.map(({ port }) => [`127.0.0.1:${port}`, { host: '127.0.0.1', port: proxies?.get(port) ?? port }]),
      ),
    }),
    admin: async () => links[owner]!,
    suffer: oneAtATime(async ({ kind, durationMs }: Fault) => {
      await eventually(isWhole, { timeoutMs: 60_000, intervalMs: 100 })
      if (kind === 'migrate') return migrate(durationMs)
      const node = nodes[owner]!
      await node.kill()
      await sleep(durationMs)
      await node.start()
      await eventually(isWhole, { timeoutMs: 60_000, intervalMs: 100 })
    }),
    heal: async () => {
      for (const node of nodes) if (!node.isAlive) await node.start()
      await eventually(isWhole, { timeoutMs: 60_000, intervalMs: 100 })
    },
    stop: async () => {
      for (const link of links) link.disconnect()
      for (const node of nodes) await node.kill()
    },
  }
}
