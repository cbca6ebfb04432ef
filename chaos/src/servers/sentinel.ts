import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually, freePort } from '@arq-ts/test-support'
import type { Redis } from 'ioredis'
import type { Fault } from '../plan/faults.ts'
import { oneAtATime } from './one-at-a-time.ts'
import { RedisProcess } from './redis-process.ts'
import { DATABASE, PASSWORD } from './topology.ts'
import type { FailoverListener, Servers } from './topology.ts'

const MASTER = 'chaos'
/** A master is taken for dead after this, in ms. */
const DOWN_AFTER_MS = 1_000

/** A master, its replica and three sentinels on this machine. */
export async function startSentinel(dir: string, onFailover: FailoverListener): Promise<Servers> {
  const durable = ['--appendonly', 'yes', '--appendfsync', 'always']
  const args = [...durable, '--enable-debug-command', 'yes', '--repl-diskless-sync-delay', '0']
  const first = await RedisProcess.start({ name: 'redis-1', dir, password: PASSWORD, args })
  const second = await RedisProcess.start({
    name: 'redis-2',
    dir,
    password: PASSWORD,
    args: [...args, '--replicaof', '127.0.0.1', String(first.port)],
  })
  const nodes = [first, second]
  const sentinels: RedisProcess[] = []
  for (const number of [1, 2, 3]) {
    const port = await freePort()
    const config = join(dir, `sentinel-${number}.conf`)
    writeFileSync(
      config,
      [
        `port ${port}`,
        'bind 127.0.0.1',
        `dir ${dir}`,
        `sentinel monitor ${MASTER} 127.0.0.1 ${first.port} 2`,
        `sentinel auth-pass ${MASTER} ${PASSWORD}`,
        `sentinel down-after-milliseconds ${MASTER} ${DOWN_AFTER_MS}`,
        `sentinel failover-timeout ${MASTER} 5000`,
        '',
      ].join('\n'),
    )
    sentinels.push(await RedisProcess.start({ name: `sentinel-${number}`, dir, config, port }))
  }
  const watcher = sentinels[0]!.client()
  const listener = sentinels[1]!.client()
  const links = nodes.map((node) => node.client(DATABASE))
  await eventually(isWhole, { timeoutMs: 60_000, intervalMs: 100 })

  let failovers = 0
  // Until the old master follows, clients that have not left it write into the void.
  listener.on('message', () => {
    const id = `switch-${++failovers}`
    onFailover(id, 'began')
    void eventually(isWhole, { timeoutMs: 120_000, intervalMs: 200 })
      .catch(() => {})
      .finally(() => onFailover(id, 'over'))
  })
  await listener.subscribe('+switch-master')

  async function masterPort(): Promise<number> {
    const [, port] = (await watcher.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER)) as [string, string]
    return Number(port)
  }
  async function isWhole(): Promise<boolean> {
    const port = await masterPort()
    const replica = links[nodes.findIndex((node) => node.port !== port)]!
    const knows = String(await watcher.call('SENTINEL', 'CKQUORUM', MASTER)).startsWith('OK 3')
    return knows && (await replica.info('replication')).includes('master_link_status:up')
  }
  async function admin(): Promise<Redis> {
    const port = await masterPort()
    return links[nodes.findIndex((node) => node.port === port)]!
  }
  return {
    ports: nodes.map(({ port }) => port),
    target: (proxies) => ({
      kind: 'sentinel',
      sentinels: sentinels.map(({ port }) => ({ host: '127.0.0.1', port })),
      master: MASTER,
      password: PASSWORD,
      db: DATABASE,
      natMap: Object.fromEntries(
        nodes.map(({ port }) => [`127.0.0.1:${port}`, { host: '127.0.0.1', port: proxies?.get(port) ?? port }]),
      ),
    }),
    admin,
    suffer: oneAtATime(async ({ killsMaster, durationMs }: Fault) => {
      const before = await masterPort()
      const node = nodes.find(({ port }) => port === before)!
      if (killsMaster) await node.kill()
      else {
        // Refused while the last one is under way, or the replica is not in step: then it is asked again.
        await eventually(() => watcher.call('SENTINEL', 'FAILOVER', MASTER).then((reply) => reply === 'OK'), {
          timeoutMs: 30_000,
          intervalMs: 200,
        })
      }
      await eventually(async () => (await masterPort()) !== before, { timeoutMs: 60_000, intervalMs: 50 })
      await sleep(durationMs / 2)
      if (!node.isAlive) await node.start()
      await eventually(isWhole, { timeoutMs: 60_000, intervalMs: 100 })
    }),
    heal: async () => {
      for (const node of nodes) if (!node.isAlive) await node.start()
      await eventually(isWhole, { timeoutMs: 60_000, intervalMs: 100 })
    },
    stop: async () => {
      for (const link of [watcher, listener, ...links]) link.disconnect()
      for (const each of [...sentinels, ...nodes]) await each.kill()
    },
  }
}
