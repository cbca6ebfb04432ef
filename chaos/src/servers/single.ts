import { setTimeout as sleep } from 'node:timers/promises'
import type { Fault } from '../plan/faults.ts'
import { oneAtATime } from './one-at-a-time.ts'
import { RedisProcess } from './redis-process.ts'
import { DATABASE, PASSWORD } from './topology.ts'
import type { Servers } from './topology.ts'

/** One Redis whose append-only file is synced at each write: what it acknowledged survives a SIGKILL. */
export async function startSingle(dir: string): Promise<Servers> {
  const server = await RedisProcess.start({
    name: 'redis',
    dir,
    password: PASSWORD,
    args: ['--appendonly', 'yes', '--appendfsync', 'always', '--enable-debug-command', 'yes'],
  })
  const admin = server.client(DATABASE)
  return {
    ports: [server.port],
    target: (proxies) => ({
      kind: 'single',
      port: proxies?.get(server.port) ?? server.port,
      password: PASSWORD,
      db: DATABASE,
    }),
    admin: async () => admin,
    suffer: oneAtATime(async ({ durationMs }: Fault) => {
      await server.kill()
      await sleep(durationMs)
      await server.start()
    }),
    heal: async () => {
      if (!server.isAlive) await server.start()
    },
    stop: async () => {
      admin.disconnect()
      await server.kill()
    },
  }
}
